"""What an estimator that fits a mixture inside knows of the rows, and no parameter can say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .shrinking import Shrinkage


class Known(NamedTuple):
    """Facts about the rows of one fit."""

    noise_variance: np.ndarray | None = None  # (n_features,), of known noise in the rows
    flat_directions_expected: bool = False  # whether all components may be flat without a warning
    columns_alike: bool = False  # whether `reg_covar` is the same for all columns, as of pixels
    reg_covar: np.ndarray | None = None  # (n_features,), as it was resolved from more rows
    shrinkage: Shrinkage | None = None  # likewise


NOTHING = Known()
