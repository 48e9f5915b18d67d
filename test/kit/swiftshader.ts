/** A GPU for WebGPU where there is none: SwiftShader, Chromium's Vulkan on the processor. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needDebianPackage, takeFromDebianPackage } from "./debian-package.ts";

const icd = "usr/lib/chromium/vk_swiftshader_icd.json";

/** Lets this process, its threads and the processes it starts from now on find it. */
export const useSwiftShader = (): void => {
  needDebianPackage("the Vulkan loader", "ldconfig -p | grep -q libvulkan.so.1", "libvulkan1");
  const folder = join(tmpdir(), "platestream-swiftshader");
  const installed = join("/", icd);
  if (!existsSync(installed)) takeFromDebianPackage("chromium-common", "./usr/lib/chromium/*swiftshader*", folder);
  const file = existsSync(installed) ? installed : join(folder, icd);
  process.env.VK_ICD_FILENAMES = file; // read by loaders before 1.3.207
  process.env.VK_DRIVER_FILES = file;
};
