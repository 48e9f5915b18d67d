"""Times PyTorch's training step on the work that bench/train.ts times, as its yardstick.

Usage: pytorch_train.py '{"architecture": {...}, "images": 8, "threads": 2, "steps": 2, "compiled": false}'
Prints one JSON object: {"version": "...", "seconds": [per step], "peakMiB": ...}
"""

import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth, bottleneck):
        super().__init__()
        wide = growth * bottleneck
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, wide, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, growth, 3, padding=1, bias=False)

    def forward(self, maps):
        narrow = self.conv1(functional.relu(self.norm1(torch.cat(maps, 1)), inplace=True))
        return self.conv2(functional.relu(self.norm2(narrow), inplace=True))


class DenseNet(nn.Module):
    """The layers of gpu-worker/network/densenet.ts under the same names."""

    def __init__(self, growth, blocks, init, bottleneck, stem, channels, classes, **_):
        super().__init__()
        kernel, padding = (7, 3) if stem == "imagenet" else (5, 2)
        self.bn = nn.BatchNorm2d(channels)
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(channels, init, kernel, 2, padding))
        self.features.add_module("norm0", nn.BatchNorm2d(init))
        self.pool = nn.MaxPool2d(3, 2, 1) if stem == "imagenet" else nn.MaxPool2d(2, 2)
        self.blocks = len(blocks)
        maps = init
        for b, layers in enumerate(blocks, 1):
            block = nn.Module()
            for layer in range(layers):
                block.add_module(f"denselayer{layer + 1}", DenseLayer(maps + layer * growth, growth, bottleneck))
            self.features.add_module(f"denseblock{b}", block)
            maps += layers * growth
            if b < len(blocks):
                transition = nn.Module()
                transition.norm = nn.BatchNorm2d(maps)
                transition.conv = nn.Conv2d(maps, maps // 2, 1, bias=False)
                self.features.add_module(f"transition{b}", transition)
                maps //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(maps))
        self.classifier = nn.Linear(maps, classes)

    def forward(self, pixels):
        features = self.features
        maps = features.conv0(self.bn(pixels))
        maps = self.pool(functional.relu(features.norm0(maps), inplace=True))
        for b in range(1, self.blocks + 1):
            grown = [maps]
            for layer in getattr(features, f"denseblock{b}").children():
                grown.append(layer(grown))
            maps = torch.cat(grown, 1)
            if b < self.blocks:
                transition = getattr(features, f"transition{b}")
                maps = transition.conv(functional.relu(transition.norm(maps), inplace=True))
                maps = functional.avg_pool2d(maps, 2, 2)
        rows = functional.relu(features.norm5(maps), inplace=True).mean((2, 3))
        return self.classifier(rows)


def main():
    work = json.loads(sys.argv[1])
    torch.set_num_threads(work["threads"])
    torch.manual_seed(1)
    architecture = work["architecture"]
    network = DenseNet(**architecture)
    compiled = work.get("compiled", False)
    layout = torch.channels_last if compiled else torch.contiguous_format
    network = network.to(memory_format=layout)
    forward = torch.compile(network) if compiled else network
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    shape = (work["images"], architecture["channels"], architecture["height"], architecture["width"])
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    target = functional.one_hot(torch.arange(work["images"]) % architecture["classes"], architecture["classes"]).float()
    seconds = []
    for _ in range(work["steps"]):
        start = time.perf_counter()
        images = (pixels.float() / 255).contiguous(memory_format=layout)
        loss = functional.binary_cross_entropy_with_logits(forward(images), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"version": torch.__version__, "seconds": seconds, "peakMiB": peak}))


if __name__ == "__main__":
    main()
