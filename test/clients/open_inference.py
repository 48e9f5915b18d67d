"""All 20 calls of NVIDIA's tritonclient, as a stranger would make them. Prints one JSON object."""
import json
import queue
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

address, tag = sys.argv[1:]
client = grpc.InferenceServerClient(address)
pixels = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(8, 6, 32, 32)
report = {}


def refused(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status().replace("StatusCode.", ""), error.message()]
    return ["OK", ""]


def tensor(values, name="pixels", datatype="UINT8"):
    made = grpc.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


report["live"] = [client.is_server_live(), client.is_server_ready()]
report["extensions"] = list(client.get_server_metadata().extensions)
report["models"] = [each.name for each in client.get_model_repository_index().models]
name = report["models"][0]
report["ready"] = [client.is_model_ready(name), refused(lambda: client.is_model_ready("none"))[0]]
report["metadata"] = {each.name: [each.datatype, list(each.shape)] for each in client.get_model_metadata(name).inputs}
report["max_batch_size"] = client.get_model_config(name).config.max_batch_size

first = client.infer(name, [tensor(pixels)], request_id="7")
report["id"] = first.get_response().id
logits = first.as_numpy("logits")
report["logits"] = logits.tolist()
report["shapes"] = [list(first.as_numpy(each).shape) for each in ["logits", "probabilities", "features"]]
top = client.infer(name, [tensor(pixels)], outputs=[grpc.InferRequestedOutput("probabilities", class_count=2)])
report["classes"] = [text.decode().split(":") for text in top.as_numpy("probabilities")[0]]
scaled = [
    tensor(pixels.astype(np.float32), datatype="FP32"),
    tensor(np.full(6, 1 / 255, np.float32), "scale", "FP32"),
    tensor(np.zeros(6, np.float32), "offset", "FP32"),
]
report["float"] = float(np.abs(client.infer(name, scaled).as_numpy("logits") - logits).max())
report["batch"] = client.infer(name, [tensor(pixels)], parameters={"statistics": "batch"}).as_numpy("logits").tolist()

made = client.infer(name + ".calibrate", [tensor(pixels)], parameters={"batch": 4})
identity = made.as_numpy("statistics_id")[0].decode()
report["statistics_id"] = identity
by_id = client.infer(name, [tensor(pixels)], parameters={"statistics_id": identity})
report["calibrated"] = by_id.as_numpy("logits").tolist()
data = made.as_numpy("statistics").reshape(1, -1)
by_bytes = client.infer(name, [tensor(pixels), tensor(data, "statistics")], parameters={"statistics_id": identity})
report["by_bytes"] = bool(np.array_equal(by_bytes.as_numpy("logits"), by_id.as_numpy("logits")))
report["unknown_statistics"] = refused(lambda: client.infer(name, [tensor(pixels)], parameters={"statistics_id": "x"}))

answers = queue.Queue()
client.start_stream(lambda result, error: answers.put((result, error)))
for index in range(3):
    client.async_stream_infer(name, [tensor(pixels)], request_id=str(index))
client.async_stream_infer(name, [tensor(pixels[:, :2].copy())], request_id="bad")
streamed = [answers.get(timeout=60) for _ in range(4)]
client.stop_stream()
report["streamed"] = sorted(result.get_response().id for result, error in streamed if error is None)
report["stream_error"] = [error.message() for _, error in streamed if error is not None]
client.async_infer(name, [tensor(pixels)], callback=lambda result, error: answers.put((result, error)))
report["async"] = bool(np.array_equal(answers.get(timeout=60)[0].as_numpy("logits"), logits))

into = shm.create_shared_memory_region("in", f"/{tag}_in", pixels.nbytes)
out = shm.create_shared_memory_region("out", f"/{tag}_out", logits.nbytes)
try:
    shm.set_shared_memory_region(into, [pixels])
    client.register_system_shared_memory("in", f"/{tag}_in", pixels.nbytes)
    client.register_system_shared_memory("out", f"/{tag}_out", logits.nbytes)
    report["regions"] = sorted(client.get_system_shared_memory_status().regions)
    shared = grpc.InferInput("pixels", list(pixels.shape), "UINT8")
    shared.set_shared_memory("in", pixels.nbytes)
    wanted = grpc.InferRequestedOutput("logits")
    wanted.set_shared_memory("out", logits.nbytes)
    client.infer(name, [shared], outputs=[wanted])
    read = shm.get_contents_as_numpy(out, np.float32, list(logits.shape))
    report["shared"] = bool(np.array_equal(read, logits))
    client.unregister_system_shared_memory("in")
    client.unregister_system_shared_memory()
finally:
    shm.destroy_shared_memory_region(into)
    shm.destroy_shared_memory_region(out)
report["outside"] = refused(lambda: client.register_system_shared_memory("a", "/../../etc/passwd", 1))

report["count"] = client.get_inference_statistics(name).model_stats[0].inference_stats.success.count
report["refused"] = {
    "load": refused(lambda: client.load_model(name)),
    "unload": refused(lambda: client.unload_model(name)),
    "get_trace": refused(client.get_trace_settings),
    "update_trace": refused(lambda: client.update_trace_settings(settings={"trace_level": "OFF"})),
    "get_log": refused(client.get_log_settings),
    "update_log": refused(lambda: client.update_log_settings({"log_info": True})),
    "cuda_status": refused(client.get_cuda_shared_memory_status),
    "cuda_register": refused(lambda: client.register_cuda_shared_memory("a", b"aaaa", 0, 1)),
    "cuda_unregister": refused(client.unregister_cuda_shared_memory),
}
print(json.dumps(report))
