/** Where the page is: in its address, so that a plate or a well can be linked to and the browser's buttons work. */
import { useEffect, useState } from "preact/hooks";

export const pages = ["overview", "plates", "wells", "profiles", "accuracy"] as const;
export type Page = (typeof pages)[number];

export interface Place {
  readonly page: Page;
  readonly experiment?: string | undefined;
  readonly plate?: string | undefined;
  readonly well?: string | undefined;
  readonly colour?: string | undefined;
  readonly filter?: string | undefined;
}

const readPlace = (hash: string): Place => {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const given = new URLSearchParams(query);
  const text = (name: string) => given.get(name) ?? undefined;
  return {
    page: pages.find((page) => page === path) ?? "overview",
    experiment: text("experiment"),
    plate: text("plate"),
    well: text("well"),
    colour: text("colour"),
    filter: text("filter"),
  };
};

export const hashOf = ({ page, ...rest }: Place): string => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) if (value !== undefined && value !== "") query.set(name, value);
  const text = query.toString();
  return `#/${page}${text === "" ? "" : `?${text}`}`;
};

export const go = (place: Place): void => {
  location.hash = hashOf(place);
};

/** For what changes often, such as the well that the arrow keys are on: no new entry in the browser's history. */
export const slide = (place: Place): void => {
  history.replaceState(null, "", hashOf(place));
  dispatchEvent(new HashChangeEvent("hashchange"));
};

export const usePlace = (): Place => {
  const [place, setPlace] = useState(() => readPlace(location.hash));
  useEffect(() => {
    const read = () => setPlace(readPlace(location.hash));
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return place;
};
