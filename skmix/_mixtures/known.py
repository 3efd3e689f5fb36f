"""What an estimator that fits a mixture inside knows of the rows, and no parameter can say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .shrinking import Shrinkage


class Known(NamedTuple):
    """Facts about the rows of one fit."""

    noise_variance: np.ndarray | None = None  # (n_features,), of known noise in the rows
    flat_directions_expected: bool = False  # whether all components may be flat without a warning
    columns_alike: bool = False  # whether `reg_covar` is the same for all columns, as of pixels
    prior_offered: bool = True  # whether the estimator that fits has `prior`
    reg_covar: np.ndarray | None = None  # (n_features,), as it was resolved from more rows
    shrinkage: Shrinkage | None = None  # likewise
    feature_names: np.ndarray | None = None  # of the columns, where the rows come without
    template: Any = None  # a frame without rows that has the columns, likewise


NOTHING = Known()


class KnowsRows:
    """An estimator that can be told, for one fit, what is known of the rows."""

    _known = NOTHING

    @contextmanager
    def _knowing(self, known: Known) -> Iterator[None]:
        """Context in which `fit` knows these facts; a later fit does not."""
        self._known = known
        try:
            yield
        finally:
            del self._known
