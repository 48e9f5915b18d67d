/** Reads XML into plain objects. The only file that imports the XML parser. */
import { XMLParser } from "fast-xml-parser";
import { PlatestreamError } from "../common/errors.ts";
import { type ReadTextOptions, readText } from "./text-file.ts";

/** An element: its attributes and child elements by name, without namespaces; its text is "#text". */
export type Element = Readonly<Record<string, unknown>>;

/** @throws PlatestreamError `invalid-data` where the file cannot be read or is not XML */
export const readXml = async (path: string, options: ReadTextOptions): Promise<Element> => {
  const { value } = await readText(path, options, async (pieces) => {
    const all: string[] = [];
    for await (const piece of pieces) all.push(piece);
    return all.join("");
  });
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "",
    removeNSPrefix: true,
    parseTagValue: false,
    parseAttributeValue: false,
    processEntities: true,
  });
  try {
    return parser.parse(value, true) as Element;
  } catch (cause) {
    throw new PlatestreamError("invalid-data", `${path} is not XML: ${(cause as Error).message}`, { cause });
  }
};

/** The elements of that name along a path: one, many or none. */
export const elementsAt = (from: unknown, ...path: readonly string[]): Element[] =>
  path.reduce<unknown[]>(
    (found, name) =>
      found.flatMap((each) => {
        const inside = isElement(each) ? each[name] : undefined;
        return inside === undefined ? [] : Array.isArray(inside) ? inside : [inside];
      }),
    [from],
  ) as Element[];

const isElement = (value: unknown): value is Element => typeof value === "object" && value !== null;

/** Text of an attribute, of a child without attributes, or of the element itself ("#text"); empty where there is none. */
export const textOf = (from: unknown, name: string): string => {
  const value = isElement(from) ? from[name] : name === "#text" ? from : undefined;
  if (isElement(value)) return textOf(value, "#text");
  return value === undefined ? "" : String(value).trim();
};
