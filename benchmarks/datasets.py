"""Loaders of the data that the benchmarks share; --data or SKMIX_DATA names their folder."""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import time
from pathlib import Path

import numpy as np
from results import json_option


def argument_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the options --data and --json."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("SKMIX_DATA"), type=Path)
    json_option(parser)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Arguments, or an error where no folder of data is named."""
    args = parser.parse_args()
    if args.data is None:
        parser.error("name the folder of the data by --data or SKMIX_DATA")
    return args


def load_images(folder: Path):
    """Training and test images, rows of gray levels in [0, 1], with their labels.

    `folder` holds the four original gzipped IDX files of MNIST or Fashion-MNIST.
    """

    def read(name, offset):
        with gzip.open(folder / name) as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    arrays = []
    for part in ("train", "t10k"):
        images = read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28 * 28)
        arrays += [images / 255.0, read(f"{part}-labels-idx1-ubyte.gz", 8)]
    return arrays


def load_gray(folder: Path):
    """The images of a folder, gray levels in [0, 1], sorted by name; needs pillow."""
    from PIL import Image

    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    return [np.asarray(Image.open(path).convert("L")) / 255.0 for path in paths]


def load_table(path: Path, *, drop=()):
    """The numeric columns of a csv file with a header, less those to drop."""
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    columns = []
    for name, column in zip(names, np.array(rows).T, strict=True):
        try:
            values = column.astype(float)
        except ValueError:
            continue
        if name not in drop:
            columns.append(values)
    return np.column_stack(columns)


def timed(function, *args):
    """What a call returns, and the seconds it took."""
    start = time.perf_counter()
    value = function(*args)
    return value, time.perf_counter() - start
