/** The services and messages of `proto/`, as gRPC and its clients take them. */
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { packageFile } from "../package-file.ts";

/** The same as in the script `proto` of package.json, which makes the types. */
const options = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true, arrays: true } as const;

/** Of files in `proto/`, or of absolute paths. */
export const loadProtos = (...files: readonly string[]): PackageDefinition =>
  loadSync([...files], { ...options, includeDirs: [packageFile("proto")] });

/** The client of a service, for instance `platestream.v1.Worker`; `C` is its generated type. */
export const clientOf = <C>(file: string, service: string) => {
  const found = service
    .split(".")
    .reduce<GrpcObject[string]>((at, name) => (at as GrpcObject)[name]!, loadPackageDefinition(loadProtos(file)));
  return found as ServiceClientConstructor as unknown as new (
    ...given: ConstructorParameters<ServiceClientConstructor>
  ) => C;
};
