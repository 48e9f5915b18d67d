/** The page: its head, and the room that is open. */
import { useEffect, useRef, useState } from "preact/hooks";
import { AccuracyPage } from "./accuracy-page.tsx";
import { OverviewPage } from "./overview-page.tsx";
import { hashOf, type Page, pages, usePlace } from "./place.ts";
import { PlatesPage } from "./plates-page.tsx";
import { ProfilesPage } from "./profiles-page.tsx";
import { type Connection, followScreen, type Screen } from "./screen.ts";
import { setToken } from "./server.ts";
import { WellsPage } from "./wells-page.tsx";

const titles: Readonly<Record<Page, string>> = {
  overview: "Overview",
  plates: "Plates",
  wells: "Wells",
  profiles: "Map of profiles",
  accuracy: "Accuracy",
};

const connections: Readonly<Record<Connection, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "connection lost, trying again",
  token: "a token is needed",
};

export const App = () => {
  const [{ screen, connection }, setSeen] = useState<{ screen?: Screen | undefined; connection: Connection }>({
    connection: "connecting",
  });
  const following = useRef<{ retry(): void } | undefined>(undefined);
  const place = usePlace();
  useEffect(() => {
    following.current = followScreen((now, state) => setSeen({ screen: now, connection: state }));
  }, []);
  useEffect(() => {
    document.title = `${titles[place.page]} · Platestream`;
  }, [place.page]);

  return (
    <>
      <header class="head">
        <a class="brand" href="#/overview">
          <img src="icon.svg" alt="" width={20} height={20} /> Platestream
        </a>
        <nav>
          {pages.map((page) => (
            <a
              key={page}
              href={hashOf({
                page,
                experiment: place.experiment,
                colour: page === "plates" ? place.colour : undefined,
              })}
              aria-current={page === place.page ? "page" : undefined}
            >
              {titles[page]}
            </a>
          ))}
        </nav>
        <span class="quiet source" title={screen?.about.source}>
          {screen?.about.source}
        </span>
        <span class={`connection ${connection}`} role="status">
          {connection === "live" && screen?.activity.ended ? "complete" : connections[connection]}
        </span>
        <Theme />
      </header>
      <main>
        {connection === "token" ? (
          <TokenForm onGiven={() => following.current?.retry()} />
        ) : screen === undefined ? (
          <p class="wait">Reading the screen…</p>
        ) : (
          <Room page={place.page} screen={screen} place={place} />
        )}
      </main>
    </>
  );
};

const Room = ({ page, screen, place }: { page: Page; screen: Screen; place: ReturnType<typeof usePlace> }) => {
  switch (page) {
    case "overview":
      return <OverviewPage screen={screen} />;
    case "plates":
      return <PlatesPage screen={screen} place={place} />;
    case "wells":
      return <WellsPage screen={screen} place={place} />;
    case "profiles":
      return <ProfilesPage screen={screen} />;
    case "accuracy":
      return <AccuracyPage screen={screen} />;
  }
};

const themes = ["auto", "light", "dark"] as const;

const Theme = () => {
  const [theme, setTheme] = useState(() => localStorage.getItem("platestream-theme") ?? "auto");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("platestream-theme", theme);
    dispatchEvent(new Event("theme"));
  }, [theme]);
  return (
    <label class="theme">
      <span class="spoken">Colours of the page</span>
      <select value={theme} onChange={({ currentTarget }) => setTheme(currentTarget.value)}>
        {themes.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </label>
  );
};

const TokenForm = ({ onGiven }: { onGiven: () => void }) => (
  <form
    class="wait"
    onSubmit={(event) => {
      event.preventDefault();
      setToken(new FormData(event.currentTarget).get("token") as string);
      onGiven();
    }}
  >
    <label>
      This server wants a token with the role <code>subscribe</code>:{" "}
      <input name="token" type="password" autocomplete="off" required />
    </label>{" "}
    <button type="submit">Open</button>
  </form>
);
