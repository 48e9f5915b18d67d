/** What a field of a table says about where an image lies: a path of any system, or a URL. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

export type Location =
  | { readonly location: string }
  /** Why it cannot be read, as a rule that the field breaks. */
  | { readonly rule: string };

/** Schemes that stores can be read by. */
const stores = ["http:", "https:", "s3:"];

/** Paths are resolved from `folder`; `folder` itself may be a path from `root`. */
export const locationOf = (root: string, folder: string, name: string): Location => {
  if (name === "") return { rule: "expected the path or URL of an image" };
  const scheme = /^[a-z][a-z0-9+.-]+:/i.exec(name)?.[0].toLowerCase();
  if (scheme === "file:") return fileOf(name);
  if (scheme !== undefined && stores.includes(scheme)) return { location: name };
  if (scheme !== undefined && /^[a-z][a-z0-9+.-]+:\/\//i.test(name)) {
    return { rule: `expected a path, or a URL that begins with ${["file:", ...stores].join(", ")}` };
  }
  const path = pathOf(name);
  const base = pathOf(folder);
  if (isStoreUrl(folder)) return { location: `${folder.replace(/\/$/, "")}/${path}` };
  if (isOfWindows(path) || (isOfWindows(base) && !path.startsWith("/"))) {
    return { rule: "expected a path of this machine, this is one of another (Windows)" };
  }
  return { location: resolve(root, base, path) };
};

const isStoreUrl = (text: string): boolean => /^(?:https?|s3):\/\//i.test(text);

/** Backslashes separate folders: tables come from Windows more often than file names hold one. */
const pathOf = (text: string): string => (text.includes("\\") ? text.replaceAll("\\", "/") : text);

const isOfWindows = (path: string): boolean => /^[a-z]:\//i.test(path) || path.startsWith("//");

/** A `#` or `?` in the URL of a file is part of its name, escaped or not. */
const fileOf = (url: string): Location => {
  try {
    return { location: fileURLToPath(url.replaceAll("#", "%23").replaceAll("?", "%3F")) };
  } catch {
    return { rule: "expected the file: URL of a file on this machine" };
  }
};
