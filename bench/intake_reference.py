"""Values of all images below a folder, read by tifffile and pypng: {path: {pages: [[sha1 per sample]]}} as JSON.

Needs: pip install tifffile imagecodecs pypng
"""
import hashlib
import json
import logging
import os
import sys
import warnings

import numpy
import png
import tifffile

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)


def of_png(path):
    width, height, rows, _ = png.Reader(filename=path).read()
    return [numpy.array([list(row) for row in rows], dtype="f8").reshape(height, width, -1)]


def of_tiff(path):
    pages = []
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            values, samples = numpy.asarray(page.asarray()), page.samplesperpixel
            if samples > 1 and page.planarconfig == 2:
                values = numpy.moveaxis(values.reshape(samples, page.imagelength, page.imagewidth), 0, -1)
            pages.append(values.reshape(page.imagelength, page.imagewidth, samples).astype("f8"))
    return pages


def digest(plane):
    return hashlib.sha1(numpy.ascontiguousarray(plane).tobytes()).hexdigest()


root = sys.argv[1]
found = {}
for folder, _, names in os.walk(root):
    for name in sorted(names):
        kind = name.lower().rsplit(".", 1)[-1]
        if kind not in ("png", "tif", "tiff"):
            continue
        path = os.path.join(folder, name)
        try:
            pages = of_png(path) if kind == "png" else of_tiff(path)
            digests = [[digest(page[:, :, i]) for i in range(page.shape[2])] for page in pages]
            found[os.path.relpath(path, root)] = {"pages": digests}
        except BaseException as error:
            found[os.path.relpath(path, root)] = {"error": repr(error)[:200]}
json.dump(found, sys.stdout)
