import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { useSwiftShader } from "../kit/swiftshader.ts";
import { trainingSuite } from "./training-suite.ts";

useSwiftShader();
trainingSuite(onnxSessions("webgpu"));
