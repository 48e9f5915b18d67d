import { runtimeSuite } from "./runtime-suite.ts";

runtimeSuite("onnxruntime", "cpu");
