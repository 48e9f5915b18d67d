/** What the page may ask: everything under `/api/`. */
import type { ServerResponse } from "node:http";
import { z } from "zod";
import { PlatestreamError } from "../../common/errors.ts";
import { parse } from "../../common/schema.ts";
import type { About, WellDetail } from "../protocol.ts";
import { streamChanges } from "./change-stream.ts";
import type { Api } from "./http-server.ts";
import type { Pictures } from "./pictures.ts";
import type { ProfileTable } from "./profiles.ts";
import type { ScreenState } from "./screen-state.ts";
import type { ViewSource } from "./view-source.ts";

export interface ApiParts {
  readonly about: About;
  readonly state: ScreenState;
  readonly reported: ViewSource["reported"];
  readonly pictures: Pictures | undefined;
  /** Of the run itself, and of the one beside it. */
  readonly profiles: (which: "own" | "beside") => Promise<ProfileTable>;
}

const whole = z.coerce.number().int().min(0);
const place = { experiment: z.string(), plate: z.string(), well: z.string() };
const queries = {
  changes: z.strictObject({ after: whole, epoch: z.string() }),
  well: z.strictObject(place),
  picture: z.strictObject({
    ...place,
    site: whole,
    channel: whole,
    low: whole.optional(),
    high: whole.optional(),
  }),
  profiles: z.strictObject({ which: z.enum(["own", "beside"]).default("own") }),
};

const similarWells = 12;

export const pageApi = (parts: ApiParts): Api => {
  const { about, state, pictures, profiles } = parts;
  return async (url, response, signal) => {
    const query = <S extends z.ZodType>(schema: S): z.output<S> =>
      parse(schema, Object.fromEntries(url.searchParams), url.pathname, "invalid-request");
    switch (url.pathname) {
      case "/api/about":
        return sendJson(response, about);
      case "/api/screen":
        return sendJson(response, state.snapshot(about.epoch));
      case "/api/changes": {
        const { after, epoch } = query(queries.changes);
        // Numbers of another process mean nothing here: everything is new.
        return streamChanges(state, epoch === about.epoch ? after : 0, response, signal);
      }
      case "/api/well": {
        const { experiment, plate, well } = query(queries.well);
        return sendJson(response, await wellDetail(parts, experiment, plate, well));
      }
      case "/api/picture": {
        if (pictures === undefined) throw new PlatestreamError("invalid-request", "no dataset is at hand for pictures");
        const { png, low, high, most } = await pictures.picture(query(queries.picture));
        return void response
          .writeHead(200, {
            "content-type": "image/png",
            "cache-control": "private, max-age=3600",
            "x-grey-levels": `${low} ${high} ${most}`,
          })
          .end(png);
      }
      case "/api/profiles": {
        const components = await (await profiles(query(queries.profiles).which)).components();
        if (components === undefined)
          throw new PlatestreamError("invalid-request", "no experiment with profiles is done yet");
        return sendJson(response, components);
      }
      default:
        throw new PlatestreamError("invalid-request", "there is no such thing to ask for");
    }
  };
};

const wellDetail = async (
  { state, reported, pictures, profiles, about }: ApiParts,
  experiment: string,
  plate: string,
  well: string,
): Promise<WellDetail> => {
  if (state.well(experiment, plate, well) === undefined)
    throw new PlatestreamError("invalid-request", `there is no well ${well} on plate ${plate} of ${experiment}`);
  const kept = await reported?.(experiment);
  const row = kept?.wells.find((each) => each.plate === plate && each.well === well);
  const votes = new Map(row?.call?.votes?.map((vote) => [vote.site, vote]));
  const listed = (await pictures?.sites(experiment, plate, well)) ?? [];
  const sites = [...new Set([...listed, ...votes.keys()])].sort((a, b) => a - b);
  return {
    alternatives: row?.call?.alternatives ?? [],
    sites: sites.map((site) => {
      const vote = votes.get(site);
      return { site, pictures: listed.includes(site), ...(vote === undefined ? {} : { vote }) };
    }),
    similar: about.profiles
      ? (await profiles("own")).similar([experiment, plate, well], similarWells).map(({ place, similarity }) => ({
          experiment: place[0],
          plate: place[1],
          well: place[2],
          similarity,
        }))
      : [],
    ...(row?.call === undefined
      ? {}
      : { model: `${row.call.model.name} ${row.call.model.version}`, statistics: row.call.statistics }),
  };
};

const sendJson = (response: ServerResponse, value: unknown): void => {
  response
    .writeHead(200, { "content-type": "application/json", "cache-control": "no-store" })
    .end(JSON.stringify(value));
};
