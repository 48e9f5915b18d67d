/** A short connection to a bus, for commands that look at it or change it. */
import { type NatsBusParts, openNats } from "../bus/nats/open.ts";

export const withBus = async <T>(url: string, use: (parts: NatsBusParts) => Promise<T>): Promise<T> => {
  const parts = await openNats({
    url,
    name: "platestream command line",
    onConnection: (_, detail) => void process.stderr.write(`${detail}\n`),
  });
  try {
    return await use(parts);
  } finally {
    await parts.close();
  }
};
