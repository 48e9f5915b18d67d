import { onnxSessions } from "../../gpu-worker/runtime/onnx/session.ts";
import { onnxTraining } from "../../training/learner/training-runtime.ts";
import { useSwiftShader } from "../kit/swiftshader.ts";
import { trainingSuite } from "./training-suite.ts";

useSwiftShader();
trainingSuite(onnxTraining(onnxSessions("webgpu"), 1));
