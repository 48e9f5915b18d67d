import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { packageFile } from "./package-file.ts";

/** The services and messages of `platestream.proto`, for `loadPackageDefinition` of grpc-js and for reflection. */
export const loadProto = (): PackageDefinition =>
  loadSync(packageFile("proto/platestream.proto"), {
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
    arrays: true,
  });
