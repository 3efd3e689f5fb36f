"""Files in numpy's npz format from anywhere: nothing is executed, no header is believed."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from math import prod

import numpy as np

from .._interface.broken_files import BROKEN, MAX_HEADER


def read_npz(
    path: str | os.PathLike, max_bytes: Mapping[str, int], *, what: str
) -> dict[str, np.ndarray]:
    """Return the arrays of these names, each of at most so many bytes.

    Headers are read first: arrays must be stored without compression, so that a small file
    holds no large array, and hold plain numbers.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return {name: _member(file, name, limit) for name, limit in max_bytes.items()}
    except BROKEN as error:
        raise ValueError(f"{os.fspath(path)!r} holds no {what}: {error}") from error


def _member(file: zipfile.ZipFile, name: str, max_bytes: int) -> np.ndarray:
    info = file.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{name} is compressed or encrypted.")
    with file.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read_header(member, max_header_size=MAX_HEADER)
        n_bytes = prod(shape) * dtype.itemsize
        if dtype.kind not in "buif" or min(shape, default=0) < 0 or n_bytes > max_bytes:
            raise ValueError(f"{name} is an array of shape {shape} and dtype {dtype}.")
        data = member.read(n_bytes + 1)
    if len(data) != n_bytes:
        raise ValueError(f"{name} has {len(data)} bytes instead of {n_bytes}.")
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")
