"""Integers packed into bytes, each in as few bits as tell them apart."""

from __future__ import annotations

import numpy as np


def code_length(n_codes: int) -> int:
    """Return how many bits tell so many codes apart."""
    return (n_codes - 1).bit_length()


def pack(codes: np.ndarray, length: int) -> np.ndarray:
    """Return integers of `length` bits as bytes without gaps."""
    bits = np.empty((len(codes), length), dtype=np.uint8)
    for column, shift in enumerate(reversed(range(length))):
        bits[:, column] = codes >> shift & 1
    return np.packbits(bits)


def unpack(packed: np.ndarray, n_codes: int, length: int) -> np.ndarray:
    """Return the integers that `pack` packed."""
    bits = np.unpackbits(packed, count=n_codes * length).reshape(n_codes, length)
    codes = np.zeros(n_codes, dtype=np.intp)
    for column in bits.T:
        codes <<= 1
        codes |= column
    return codes
