import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { packageFile } from "../package-file.ts";

/** The services and messages of `proto/FILE`, for `loadPackageDefinition` of grpc-js and for reflection. */
export const loadProto = (file = "platestream.proto"): PackageDefinition =>
  loadSync(packageFile(`proto/${file}`), {
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
    arrays: true,
  });
