# Asks a worker for the class of every site of a plate, with the statistics of that plate.
#
#   python3 predict.py 127.0.0.1:7411 HUVEC images/train/HUVEC-18/Plate1
import re
import sys
from pathlib import Path

import grpc
import numpy as np
from PIL import Image

import platestream_pb2 as pb
from platestream_pb2_grpc import WorkerStub

address, cell_type, folder = sys.argv[1:]
worker = WorkerStub(grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]))

# A site is an image with one file per channel: B02_s1_w1.png, B02_s1_w2.png, …
channels = {}
for path in sorted(Path(folder).glob("*_w*.png")):
    channels.setdefault(re.sub(r"_w\d+\.png$", "", path.name), []).append(path)
sites = list(channels)


def images_of(batch):
    pixels = np.stack([[np.asarray(Image.open(path)) for path in channels[site]] for site in batch])
    return pb.Images(pixels=pixels.astype("uint8").tobytes(), shape=pixels.shape)


batches = [sites[n : n + 32] for n in range(0, len(sites), 32)]

# 64 images of the plate are a good sample for its statistics.
sample = (pb.CalibrateRequest(cell_type=cell_type, images=images_of(batch)) for batch in batches[:2])
statistics = worker.Calibrate(sample)

for batch in batches:
    request = pb.PredictRequest(cell_type=cell_type, images=images_of(batch), top=1)
    request.statistics.calibrated.id = statistics.id
    answer = worker.Predict(request)
    for site, top in zip(batch, answer.top):
        print(site, top.treatment[0], f"{top.probability[0]:.3f}")
