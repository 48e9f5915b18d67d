/** Half precision as the CPU provider emulates it: it rounds what a GPU rounds. */
import { runtimeSuite } from "./runtime-suite.ts";

runtimeSuite("onnxruntime", "cpu", { precision: "float16" });
