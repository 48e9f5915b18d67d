/** Asks the server; a token, where the server wants one, stays in this tab. */

const tokenKey = "platestream-token";

export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const setToken = (token: string): void => sessionStorage.setItem(tokenKey, token);

export const ask = async (
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  signal?: AbortSignal,
): Promise<Response> => {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  const token = sessionStorage.getItem(tokenKey);
  const response = await fetch(`/api/${path}?${new URLSearchParams(given)}`, {
    ...(signal === undefined ? {} : { signal }),
    ...(token === null ? {} : { headers: { authorization: `Bearer ${token}` } }),
  });
  if (response.ok) return response;
  const text = await response.text();
  let said = text;
  try {
    said = (JSON.parse(text) as { error: string }).error;
  } catch {
    // not of our server
  }
  throw new Refused(response.status, said);
};

export const askJson = async <T>(...given: Parameters<typeof ask>): Promise<T> =>
  (await ask(...given)).json() as Promise<T>;
