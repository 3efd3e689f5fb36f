"""Class labels of rows in chunks: how they are given, and which classes there are."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from . import validation
from .chunk_items import items_of, read
from .dask_types import refuse_dask


def labels_by_chunk(y: Any, sizes: list[int]) -> list[np.ndarray]:
    """Return the labels of each chunk, in memory, where they are small beside the rows.

    Parameters
    ----------
    y : array-like, or list with the labels of each chunk
        One label per row, or a list of arrays, of functions that return arrays, or of paths
        (`pathlib.Path`) of .npy files.

    sizes : list of int
        Numbers of rows of the chunks.
    """
    refuse_dask(y, "y")
    if isinstance(y, list | tuple) and y and _is_several(y[0]):
        if len(y) != len(sizes):
            raise ValueError(
                f"y lists the labels of {len(y)} chunks, but X has {len(sizes)}. Give one array "
                "of labels per chunk, or one of all rows."
            )
        return [_read_labels(given, number) for number, given in enumerate(y)]
    labels = validation.check_labels(None, y, None)
    if len(labels) != sum(sizes):
        raise ValueError(
            f"y has {len(labels)} labels, but X has {sum(sizes)} rows. Give one label per row."
        )
    return np.split(labels, np.cumsum(sizes)[:-1])


def _is_several(given: Any) -> bool:
    """Whether an entry of a list is no label, but stands for those of a chunk."""
    if isinstance(given, os.PathLike) or callable(given):
        return True
    return not isinstance(given, str | bytes) and np.ndim(given) > 0


def _read_labels(given: Any, number: int) -> np.ndarray:
    name = f"y of chunk {number}"
    if isinstance(given, os.PathLike) or callable(given):
        (item,) = items_of([given], name, None)
        given = read(item, name)
    return np.array(given)  # a mapped file would stay open
