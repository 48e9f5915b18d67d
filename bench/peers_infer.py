"""What users would compute DenseNet-121 with in Python today, a yardstick for bench/peers.ts: constant statistics, fp32 and int8.

Usage: peers_infer.py '{"architecture": {...}, "images": 8, "threads": 2, "onnx": "network.onnx"}'
Prints one JSON object with the versions of the peers that are installed: {"onnxruntime": "1.30.0", ...}. Then answers each
line `PEER RUNS` with {"seconds": wall time of all runs, "cpu": processor time}; the first runs of a peer are not counted.
"""

import importlib
import json
import sys
import time

import numpy

modules = {
    "pytorch": "torch",
    "pytorch-compiled": "torch",
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "onnxruntime-int8": "onnxruntime.quantization",
}
warm_up = 2


def installed():
    found = {}
    for peer, module in modules.items():
        try:
            importlib.import_module(module)
            found[peer] = importlib.import_module(module.split(".")[0]).__version__
        except ImportError:
            pass
    return found


def pytorch(work, pixels, compiled=False):
    import torch

    from pytorch_train import DenseNet

    torch.set_num_threads(work["threads"])
    network = DenseNet(**work["architecture"]).eval().to(memory_format=torch.channels_last)
    forward = torch.compile(network) if compiled else network
    images = torch.from_numpy(pixels)

    def run():
        with torch.inference_mode():
            return forward((images.float() / 255).contiguous(memory_format=torch.channels_last))

    return run


def inputs_of(work, pixels):
    shape = (work["images"], work["architecture"]["channels"])
    scale = numpy.full(shape, 1 / 255, dtype=numpy.float32)
    return {"pixels": pixels, "scale": scale, "offset": numpy.zeros(shape, dtype=numpy.float32)}


def openvino(work, pixels):
    from openvino import Core

    settings = {"INFERENCE_NUM_THREADS": work["threads"], "INFERENCE_PRECISION_HINT": "f32"}
    network = Core().compile_model(work["onnx"], "CPU", settings)
    inputs = inputs_of(work, pixels)
    return lambda: network(inputs)


def int8(onnx, inputs):
    """Convolutions in 8 bit, per channel of the weights, but for the first; the classifier stays as well."""
    import onnx as graphs
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class OneBatch(CalibrationDataReader):
        def __init__(self):
            self.batches = iter([inputs])

        def get_next(self):
            return next(self.batches, None)

    nodes = graphs.load(onnx).graph.node
    first = next(node.name for node in nodes if node.op_type == "Conv")
    quantised = onnx.replace(".onnx", ".int8.onnx")
    quantize_static(
        onnx,
        quantised,
        OneBatch(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=[first],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return quantised


def onnxruntime(work, pixels, quantised=False):
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = work["threads"]
    onnx = int8(work["onnx"], inputs_of(work, pixels)) if quantised else work["onnx"]
    session = InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    inputs = inputs_of(work, pixels)
    return lambda: session.run(None, inputs)


open_peer = {
    "pytorch": pytorch,
    "pytorch-compiled": lambda work, pixels: pytorch(work, pixels, compiled=True),
    "openvino": openvino,
    "onnxruntime": onnxruntime,
    "onnxruntime-int8": lambda work, pixels: onnxruntime(work, pixels, quantised=True),
}


def main():
    work = json.loads(sys.argv[1])
    architecture = work["architecture"]
    shape = (work["images"], architecture["channels"], architecture["height"], architecture["width"])
    pixels = numpy.random.default_rng(1).integers(0, 64, shape, dtype=numpy.uint8)
    opened = {}
    print(json.dumps(installed()), flush=True)
    for line in sys.stdin:
        peer, runs = line.split()
        if peer not in opened:
            opened[peer] = open_peer[peer](work, pixels)
            for _ in range(warm_up):
                opened[peer]()
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(runs)):
            opened[peer]()
        print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    main()
