"""The rows of a fit with their classes, wherever they live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import numpy as np

from .._interface import chunked_classes, survey, validation
from .._interface.chunks import Chunks, View
from .._rows.sources import ArraySource, Source


class ClassRows(ABC):
    """Rows of positive weight, of which every class is fitted by itself.

    Parameters
    ----------
    given : tuple
        X, y and the weights that the fit is of, for callbacks.

    classes : ndarray of shape (n_classes,)
        The labels of the classes.

    weights : ndarray of shape (n_classes,)
        Their sums of weights.
    """

    portable = False  # whether the rows of a class go to another process
    partly_labelled = False  # whether the class of some rows is not known

    def __init__(self, given: tuple[Any, ...], classes: np.ndarray, weights: np.ndarray) -> None:
        self.given, self.classes, self.weights = given, classes, weights

    @property
    def names(self) -> list:
        """The labels of the classes as Python has them."""
        return self.classes.tolist()

    @abstractmethod
    def of_class(self, code: int) -> tuple[Any, np.ndarray | None]:
        """Return what a mixture is fitted to: the rows of a class, and their weights."""

    @abstractmethod
    def together(self) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
        """Return what one mixture of all classes is fitted to: rows, their weights, and codes.

        A code is the place of the class of a row, or -1; those of chunks come with the rows.
        """

    @abstractmethod
    def shown(self, most: list[int]) -> list[chunked_classes.Shown]:
        """Return what the rows of each class show, with so many distinct ones at most."""

    @abstractmethod
    def source(self, estimator: Any, columns: Any = slice(None)) -> Source:
        """Return a source of all rows, or of some of their columns, less those without cells."""


class ArrayRows(ClassRows):
    """Rows of an array; `X`, `codes` and `sample_weight` are those of positive weight."""

    portable = True

    def __init__(
        self,
        given: tuple[Any, ...],
        classes: np.ndarray,
        X: np.ndarray,
        codes: np.ndarray,
        sample_weight: np.ndarray | None,
    ) -> None:
        known = codes >= 0
        weights = np.bincount(
            codes[known],
            None if sample_weight is None else sample_weight[known],
            minlength=len(classes),
        )
        super().__init__(given, classes, weights)
        self.X, self.codes, self.sample_weight = X, codes, sample_weight
        self.partly_labelled = not known.all()

    def of_class(self, code: int) -> tuple[Any, np.ndarray | None]:
        """Return the rows of a class, and their weights."""
        own = self.codes == code
        return self.X[own], None if self.sample_weight is None else self.sample_weight[own]

    def together(self) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
        """Return the rows with their weights and codes."""
        return self.X, self.sample_weight, self.codes

    def shown(self, most: list[int]) -> list[chunked_classes.Shown]:
        """Return what the rows of each class show."""
        return [
            chunked_classes.shown(self.X[self.codes == code], n) for code, n in enumerate(most)
        ]

    def source(self, estimator: Any, columns: Any = slice(None)) -> Source:
        """Return a source of all rows."""
        weight, X = validation.drop_empty_rows(estimator, self.sample_weight, self.X)
        X = X[:, columns]
        return ArraySource(X, weight, incomplete=validation.has_missing(X))


class ChunkRows(ClassRows):
    """Rows in chunks, which have labels; those of a class are the same chunks, seen otherwise.

    Parameters
    ----------
    given, tally
        X and y of the fit, and the classes of its rows.

    partly_labelled : bool
        Whether there are rows of no class.

    chunks : Chunks
        The rows as they are, with labels.

    convert : callable
        Returns rows of a chunk as the mixtures see them.
    """

    def __init__(
        self,
        given: tuple[Any, ...],
        tally: chunked_classes.Tally,
        partly_labelled: bool,
        chunks: Chunks,
        estimator: Any,
        convert: survey.Convert,
    ) -> None:
        super().__init__(given, tally.classes, tally.weights)
        self._n_rows, self._chunks = tally.n_rows, chunks
        self.partly_labelled = partly_labelled
        self._estimator, self._convert = estimator, convert

    def of_class(self, code: int) -> tuple[Any, np.ndarray | None]:
        """Return the chunks as they are seen by a class; one row as an array."""
        seen = self._chunks._seen_as(View(self._convert, self.classes[code]))
        if self._n_rows[code] > 1:
            return seen, None
        found = survey.by_parts(seen, _weighing)
        ((row, weight),) = (row for part in found for row in part)
        return row, weight

    def together(self) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
        """Return the chunks, whose labels become codes in every pass."""
        coded = self._chunks._coded(partial(chunked_classes.codes_in, self.classes))
        return coded._seen_as(View(self._convert)), None, None

    def shown(self, most: list[int]) -> list[chunked_classes.Shown]:
        """Return what the rows of each class show, in one pass over the chunks."""
        return chunked_classes.shown_of_classes(
            self._estimator, self._chunks, self._convert, self.classes, most
        )

    def source(self, estimator: Any, columns: Any = slice(None)) -> Source:
        """Return a source of all rows."""
        found = survey.find(estimator, self._chunks, self._convert)
        missing = found.missing[columns]
        return found.source_of(
            self._chunks,
            self._convert,
            None if isinstance(columns, slice) else partial(_columns, columns),
            incomplete=bool(missing.any()),
            n_features=len(missing),
        )


def _weighing(pieces: Any) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Return the rows with weight, a few as it is known."""
    found = []
    for rows, weight in pieces:
        own = np.ones(len(rows), dtype=bool) if weight is None else weight > 0
        if own.any():
            found.append((rows[own], None if weight is None else weight[own]))
    return found


def _columns(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return rows[:, columns]
