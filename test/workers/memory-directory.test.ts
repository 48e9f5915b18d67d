import { memoryDirectory } from "../../pipeline/workers/directory.ts";
import { testDirectory } from "./directory-suite.ts";

testDirectory("in-memory", async () => ({ directory: memoryDirectory(500), forgetMs: 500 }));
