import { useSwiftShader } from "../kit/swiftshader.ts";
import { runtimeSuite } from "./runtime-suite.ts";

useSwiftShader();
runtimeSuite("tfjs", "webgpu", { slow: true });
