"""Times PyTorch's forward pass in training mode (every batch normalised with its own statistics), a yardstick for bench/infer.ts.

Usage: pytorch_infer.py '{"architecture": {...}, "images": 8, "threads": 2, "runs": 3}'
Prints one JSON object: {"version": "...", "seconds": [per run]}
"""

import json
import sys
import time

import torch

from pytorch_train import DenseNet


def main():
    work = json.loads(sys.argv[1])
    torch.set_num_threads(work["threads"])
    torch.manual_seed(1)
    architecture = work["architecture"]
    network = DenseNet(**architecture).train()
    shape = (work["images"], architecture["channels"], architecture["height"], architecture["width"])
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    seconds = []
    with torch.no_grad():
        network(pixels[:1].float() / 255)
        for _ in range(work["runs"]):
            start = time.perf_counter()
            network(pixels.float() / 255)
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"version": torch.__version__, "seconds": seconds}))


if __name__ == "__main__":
    main()
