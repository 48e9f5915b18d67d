/** A Python that has NVIDIA's tritonclient. */
import { findPython } from "./python-environment.ts";

export const findTritonPython = (): string =>
  findPython({
    name: "tritonclient",
    packages: ["'tritonclient[grpc]'"],
    check: "import tritonclient.grpc",
    variable: "PLATESTREAM_TRITON_PYTHON",
  });
