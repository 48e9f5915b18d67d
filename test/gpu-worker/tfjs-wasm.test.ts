import { runtimeSuite } from "./runtime-suite.ts";

runtimeSuite("tfjs", "wasm");
