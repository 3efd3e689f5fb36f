"""Labels of rows in chunks: of their classes or components, and how they are given."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import validation
from .chunk_items import items_of, read
from .dask_types import refuse_dask


class LabelKind(NamedTuple):
    """What labels of rows are."""

    name: str  # of the argument that has them
    check: Callable[[Any], np.ndarray]  # returns those of some rows, one each
    # Numbers of labels, which a fit then sees in one more column behind the others.
    code: Callable[[np.ndarray], np.ndarray] | None = None

    def codes(self, labels: np.ndarray | None) -> np.ndarray | None:
        """Return what a fit sees of the labels of some rows, None where it sees none."""
        return None if labels is None or self.code is None else self.code(labels)


def _check_classes(y: Any) -> np.ndarray:
    return validation.check_labels(None, y, None)


CLASSES = LabelKind("y", _check_classes)


def labels_by_chunk(y: Any, sizes: list[int], kind: LabelKind) -> list[np.ndarray]:
    """Return the labels of each chunk, in memory, where they are small beside the rows.

    Parameters
    ----------
    y : array-like, or list with the labels of each chunk
        One label per row, or a list of arrays, of functions that return arrays, or of paths
        (`pathlib.Path`) of .npy files.

    sizes : list of int
        Numbers of rows of the chunks.

    kind : LabelKind
        What they are.
    """
    refuse_dask(y, kind.name)
    if isinstance(y, list | tuple) and y and _is_several(y[0]):
        if len(y) != len(sizes):
            raise ValueError(
                f"{kind.name} lists the labels of {len(y)} chunks, but X has {len(sizes)}. Give "
                "one array of labels per chunk, or one of all rows."
            )
        return [
            _read_labels(given, f"{kind.name} of chunk {number}") for number, given in enumerate(y)
        ]
    labels = kind.check(y)
    if len(labels) != sum(sizes):
        raise ValueError(
            f"{kind.name} has {len(labels)} labels, but X has {sum(sizes)} rows. Give one label "
            "per row."
        )
    return np.split(labels, np.cumsum(sizes)[:-1])


def _is_several(given: Any) -> bool:
    """Whether an entry of a list is no label, but stands for those of a chunk."""
    if isinstance(given, os.PathLike) or callable(given):
        return True
    return not isinstance(given, str | bytes) and np.ndim(given) > 0


def _read_labels(given: Any, name: str) -> np.ndarray:
    if isinstance(given, os.PathLike) or callable(given):
        (item,) = items_of([given], name, None)
        given = read(item, name)
    return np.array(given)  # a mapped file would stay open
