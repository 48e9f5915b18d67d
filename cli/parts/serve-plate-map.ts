/** The plate map with the security that the command line gives it. */
import { PlatestreamError } from "../../common/errors.ts";
import { readIdentityFiles, type TlsFiles } from "../../common/security/tls.ts";
import { followTokens } from "../../common/security/tokens.ts";
import { openView, type View } from "../../web/server/open-view.ts";
import type { ViewSource } from "../../web/server/view-source.ts";

export interface PlateMapOptions extends Pick<TlsFiles, "tlsCert" | "tlsKey"> {
  /** `host:port` */
  readonly viewListen: string;
  readonly insecure?: boolean | undefined;
  /** Path of a token file. */
  readonly tokens?: string | undefined;
}

/** `say` gets what operators should know: a broken token file, a source that ended in an error. */
export const servePlateMap = async (
  source: ViewSource,
  beside: ViewSource | undefined,
  { viewListen, insecure = false, tokens, ...files }: PlateMapOptions,
  say: (what: string) => void,
): Promise<View> =>
  openView({
    source,
    beside,
    listen: viewListen,
    insecure,
    identity: await readIdentityFiles(files),
    tokens: tokens === undefined ? undefined : await followTokens(tokens, (problem) => say(problem.rawMessage)),
    onProblem: (problem) => say(`the plate map gets nothing new: ${PlatestreamError.from(problem).message}`),
  });
