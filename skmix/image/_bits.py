"""Integers packed into bytes, each in as few bits as tell them apart."""

from __future__ import annotations

import numpy as np

# A multiple of eight.
CODES_AT_ONCE = 2**18


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
    codes = np.zeros(n_codes, dtype=np.min_scalar_type((1 << length) - 1))
    for start in range(0, n_codes, CODES_AT_ONCE):
        some = codes[start : start + CODES_AT_ONCE]
        # Pieces begin at whole bytes: a bit takes eight times the memory when it is unpacked.
        piece = packed[start * length // 8 : (start + len(some)) * length // 8 + 1]
        bits = np.unpackbits(piece, count=len(some) * length).reshape(len(some), length)
        for column in bits.T:
            some <<= 1
            some |= column
    return codes
