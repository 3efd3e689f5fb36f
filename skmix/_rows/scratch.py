"""Buffers that chunks are worked on in, one set per thread."""

from __future__ import annotations

import math
import operator
import threading
from typing import Any

import numpy as np


class Scratch(threading.local):
    """Named buffers, one set per thread, that grow to the largest size asked for."""

    def __init__(self) -> None:
        self._buffers: dict[str, np.ndarray] = {}
        self._latest: dict[str, np.ndarray] = {}  # as they were last asked for
        # What their content was computed from, and what else was made of it.
        self._made_of: dict[str, tuple[tuple, Any]] = {}
        self._parts: dict[int, Scratch] = {}

    def of_part(self, part: int) -> Scratch:
        """Return buffers for one of several that would use the same names."""
        if part not in self._parts:
            self._parts[part] = Scratch()
        return self._parts[part]

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an uninitialised C-contiguous array that the next call may overwrite."""
        self._made_of.pop(name, None)
        latest = self._latest.get(name)
        if latest is not None and latest.shape == shape and latest.dtype == dtype:
            return latest
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < n_bytes:
            buffer = self._buffers[name] = np.empty(n_bytes, dtype=np.uint8)
        latest = self._latest[name] = buffer[:n_bytes].view(dtype).reshape(shape)
        return latest

    def remember(self, name: str, made_of: tuple, value: Any = None) -> None:
        """Note the objects that an array was computed from, until it is asked for again.

        `value` is something on top of the array.
        """
        self._made_of[name] = made_of, value

    def made(
        self, name: str, made_of: tuple, shape: tuple[int, ...], dtype: Any
    ) -> np.ndarray | None:
        """Return an array that was computed from the same objects, if it is still there."""
        if not self._is_made_of(name, made_of):
            return None
        latest = self._latest[name]
        return latest if latest.shape == shape and latest.dtype == dtype else None

    def value(self, name: str, made_of: tuple) -> Any:
        """Return what was remembered with an array, None unless it is still there."""
        return self._made_of[name][1] if self._is_made_of(name, made_of) else None

    def _is_made_of(self, name: str, made_of: tuple) -> bool:
        known = self._made_of.get(name)
        return known is not None and all(map(operator.is_, known[0], made_of))
