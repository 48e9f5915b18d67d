# Asks a worker for the class of every image of a plate, with the statistics of that plate, through NVIDIA's tritonclient.
#
#   python3 triton.py 127.0.0.1:7411 mine.HUVEC plate1.npy
import sys

import numpy as np
import tritonclient.grpc as grpc

address, name, file = sys.argv[1:]
client = grpc.InferenceServerClient(address)
images = np.load(file)  # uint8 [N, channels, height, width]


def tensor(values):
    made = grpc.InferInput("pixels", list(values.shape), "UINT8")
    made.set_data_from_numpy(values)
    return made


made = client.infer(f"{name}.calibrate", [tensor(images[:64])])
statistics = made.as_numpy("statistics_id")[0].decode()
for first in range(0, len(images), 8):
    answer = client.infer(name, [tensor(images[first : first + 8])], parameters={"statistics_id": statistics})
    for probabilities in answer.as_numpy("probabilities"):
        print(probabilities.argmax(), f"{probabilities.max():.3f}")
