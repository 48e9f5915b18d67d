"""Images per second of PyTorch on the graphics card: DenseNet-121 in evaluation mode, channels_last, autocast, compiled.

Takes {"architecture", "images", "seconds", "float16"} as its argument, prints {"imagesPerSecond", "card", "compiled"}.
"""
import json
import sys
import time

import torch

from pytorch_train import DenseNet

work = json.loads(sys.argv[1])
shape = work["architecture"]
network = DenseNet(**shape).cuda().eval().to(memory_format=torch.channels_last)
images = torch.rand(work["images"], shape["channels"], shape["height"], shape["width"], device="cuda")
images = images.contiguous(memory_format=torch.channels_last)
compiled = True
try:
    forward = torch.compile(network)
except Exception:
    forward, compiled = network, False


def run():
    with torch.no_grad(), torch.autocast("cuda", torch.float16, enabled=work["float16"]):
        forward(images)


for _ in range(3):
    try:
        run()
    except Exception:
        if not compiled:
            raise
        forward, compiled = network, False
        run()
torch.cuda.synchronize()
start, done = time.time(), 0
while time.time() - start < work["seconds"]:
    run()
    torch.cuda.synchronize()
    done += work["images"]
rate = done / (time.time() - start)
print(json.dumps({"imagesPerSecond": rate, "card": torch.cuda.get_device_name(), "compiled": compiled}))
