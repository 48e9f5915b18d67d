"""The calls of NVIDIA's perf_analyzer with --shared-memory=system, in its order. Prints one JSON object.

It asks for what the model's configuration names: every input, optional ones too, is sent, zeros as --input-data zero has it.
"""
import json
import sys

import grpc
import numpy as np
import tritonclient.utils.shared_memory as shm
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

address, name, tag = sys.argv[1:]
sizes = {"UINT8": 1, "INT32": 4, "FP32": 4}
batch = 4
stub = GRPCInferenceServiceStub(grpc.insecure_channel(address))
told = {}

server = stub.ServerMetadata(pb.ServerMetadataRequest())
told["statistics"] = "statistics" in server.extensions
metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name=name))
config = stub.ModelConfig(pb.ModelConfigRequest(name=name)).config
inputs = {each.name: each for each in metadata.inputs}
told["all_known"] = all(each.name in inputs for each in config.input)
told["batched"] = config.max_batch_size > 0 and all(each.shape[0] == -1 for each in metadata.inputs)
stub.SystemSharedMemoryUnregister(pb.SystemSharedMemoryUnregisterRequest(name=""))
stub.CudaSharedMemoryUnregister(pb.CudaSharedMemoryUnregisterRequest(name=""))


def count():
    answer = stub.ModelStatistics(pb.ModelStatisticsRequest(name=name))
    return answer.model_stats[0].inference_stats.success.count


before = count()
request = pb.ModelInferRequest(model_name=name)
regions = []


def share(tensor, shape, datatype):
    bytes_ = int(np.prod(shape)) * sizes[datatype]
    key = f"/{tag}_{tensor}"
    region = shm.create_shared_memory_region(tensor, key, bytes_)
    regions.append(region)
    shm.set_shared_memory_region(region, [np.zeros(bytes_, np.uint8)])
    stub.SystemSharedMemoryRegister(pb.SystemSharedMemoryRegisterRequest(name=tensor, key=key, byte_size=bytes_))
    return {
        "shared_memory_region": pb.InferParameter(string_param=tensor),
        "shared_memory_byte_size": pb.InferParameter(int64_param=bytes_),
    }


try:
    for each in metadata.inputs:
        # --shape statistics:1
        shape = [batch, *(1 if size == -1 else size for size in each.shape[1:])]
        parameters = share(each.name, shape, each.datatype)
        request.inputs.add(name=each.name, datatype=each.datatype, shape=shape, parameters=parameters)
    for each in metadata.outputs:
        request.outputs.add(name=each.name, parameters=share(each.name, [batch, *each.shape[1:]], each.datatype))
    told["outputs"] = [each.name for each in stub.ModelInfer(request).outputs]
    stub.SystemSharedMemoryUnregister(pb.SystemSharedMemoryUnregisterRequest(name=""))
finally:
    for region in regions:
        shm.destroy_shared_memory_region(region)
told["counted"] = count() - before
print(json.dumps(told))
