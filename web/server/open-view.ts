/** Puts the plate map together: a source, what is known of the screen, and the server of the page. */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { packageFile } from "../../common/package-file.ts";
import type { ReportedExperiment } from "../../pipeline/results/report.ts";
import { programVersion } from "../../pipeline/results/run-report.ts";
import type { About } from "../protocol.ts";
import { pageApi } from "./api.ts";
import { type PageServerOptions, type StaticFile, servePage } from "./http-server.ts";
import { openPictures } from "./pictures.ts";
import { type ProfileTable, profileTable } from "./profiles.ts";
import { openScreenState, type ScreenState } from "./screen-state.ts";
import type { ViewSource } from "./view-source.ts";

export interface ViewOptions extends Omit<PageServerOptions, "file" | "api"> {
  readonly source: ViewSource;
  /** Another run of the same experiments, whose map of profiles is shown beside. */
  readonly beside?: ViewSource | undefined;
  /** Gets the error that ended the source. */
  readonly onProblem: (problem: unknown) => void;
}

export interface View {
  readonly url: string;
  close(): Promise<void>;
}

export const openView = async ({ source, beside, onProblem, ...server }: ViewOptions): Promise<View> => {
  const { files, reported } = source;
  const state = openScreenState();
  const leaving = new AbortController();
  const about: About = {
    source: source.name,
    version: programVersion(),
    channels: files?.channels ?? [],
    pictures: files !== undefined,
    profiles: reported !== undefined,
    ...(beside === undefined ? {} : { beside: beside.name }),
    epoch: randomUUID(),
  };
  const own = keptProfiles(state, reported);
  const other = beside === undefined ? undefined : keptProfiles(state, beside.reported);
  const api = pageApi({
    about,
    state,
    reported,
    pictures: files === undefined ? undefined : openPictures(files),
    profiles: (which) => (which === "own" ? own() : (other ?? own)()),
  });
  const page = readPage();
  const { url, close } = await servePage({ ...server, file: (path) => page.get(path), api });
  const following = source.follow(state, leaving.signal).catch((thrown) => {
    if (!leaving.signal.aborted) onProblem(thrown);
  });
  return {
    url,
    async close() {
      leaving.abort();
      await close();
      await following;
    },
  };
};

/** The table of the experiments that are done; made again when more are. */
const keptProfiles = (state: ScreenState, reported: ViewSource["reported"]): (() => Promise<ProfileTable>) => {
  let made: { readonly done: string; readonly table: Promise<ProfileTable> } | undefined;
  return () => {
    const done = state.done();
    const key = JSON.stringify(done);
    if (made?.done !== key) made = { done: key, table: readAll(done, reported).then(profileTable) };
    return made.table;
  };
};

const readAll = async (
  experiments: readonly string[],
  reported: ViewSource["reported"],
): Promise<ReportedExperiment[]> => {
  const read: ReportedExperiment[] = [];
  for (const experiment of experiments) {
    const each = await reported?.(experiment);
    if (each !== undefined) read.push(each);
  }
  return read;
};

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The built page, a few files; `/` is its index. */
const readPage = (): ReadonlyMap<string, StaticFile> => {
  const folder = packageFile("dist/web/page");
  const files = new Map<string, StaticFile>();
  for (const name of readdirSync(folder)) {
    const type = types[extname(name)];
    if (type !== undefined) files.set(`/${name}`, { type, bytes: readFileSync(packageFile(`dist/web/page/${name}`)) });
  }
  const index = files.get("/index.html");
  if (index !== undefined) files.set("/", index);
  return files;
};
