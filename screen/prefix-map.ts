/** Images that lie elsewhere than the tables say: prefixes of locations, and what stands in their place. */
import { resolve } from "node:path";
import type { ImageSource, PlaneSource } from "./image-source.ts";

/** Prefix (`s3://bucket`, `/home/ubuntu/bucket`) to place (a folder or a URL); the longest prefix counts. */
export type PrefixMap = Readonly<Record<string, string>>;

export const isUrl = (location: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(location);

/** Whether `location` is `prefix` or lies below it: names that merely begin alike do not count. */
export const liesBelow = (location: string, prefix: string): boolean => {
  const base = prefix.replace(/\/+$/, "");
  return location === base || location.startsWith(`${base}/`);
};

export const relocated = (location: string, map: PrefixMap): string => {
  const prefixes = Object.keys(map).filter((prefix) => liesBelow(location, prefix));
  const prefix = prefixes.sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return location;
  const rest = location.slice(prefix.replace(/\/+$/, "").length);
  const place = map[prefix]!.replace(/\/+$/, "");
  return isUrl(place) ? `${place}${rest}` : resolve(`${place === "" ? "/" : place}${rest}`);
};

export const relocate = (source: ImageSource, map: PrefixMap): ImageSource => {
  const one = (plane: PlaneSource): PlaneSource => ({
    ...plane,
    location: relocated(plane.location, map),
    ...(plane.illumination === undefined ? {} : { illumination: relocated(plane.illumination, map) }),
  });
  return source.kind === "plane" ? one(source) : { ...source, planes: source.planes.map(one) };
};
