"""Checks of what users pass in: every error names the parameter, the value and the remedy."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_is_fitted,
    validate_data,
)

from .._families import GaussianFamily, GaussianParams
from .._rows.cast import CastRows
from . import frames
from .magnitudes import LARGEST, check_magnitudes
from .masked import masked_as_missing, refuse_masked
from .wording import naming, reals

# Weights that were float32, or text of seven digits, sum to 1 within this.
ROUNDED_SUM = 1e-6 * (1 + 1e-6)

# Covariances of a structure, written with three digits, are so near to it, in their variances.
MAX_STRUCTURE_ERROR = 1e-2

# Sums of weights times squares of rows overflow or underflow beyond this.
SMALLEST_WEIGHT = 1e-75

# What a text of scikit-learn names that says what is wrong with rows, or with their labels.
NAMES_ROWS = re.compile(r"\b(X|y|NaN)\b|^Found|^Expected|\bfeature")


class Floats(Interval):
    """Numbers that a float can hold: integers may be larger."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is one of them."""
        return super().is_satisfied_by(val) and not (
            isinstance(val, Integral) and abs(int(val)) > sys.float_info.max
        )


NON_NEGATIVE = Floats(Real, 0.0, None, closed="left")


def validate_rows(
    estimator: Any, X: Any, y: Any = "no_validation", *, any_size: bool = False, **options: Any
) -> Any:
    """Check rows (and y) as scikit-learn does, in float64 or float32; NaN means missing.

    Numbers whose squares do not fit into their type are refused, unless they may have `any_size`.
    """
    if options == {"reset": False} and _is_no_y(y) and _needs_no_check(estimator, X):
        return X
    refuse_masked(y, "y")
    X = masked_as_missing(X)
    options = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan", **options}
    if frames.is_frame(X):
        frames.refuse_times(X)
    try:
        checked = validate_data(estimator, X, y, **options)
    except (TypeError, ValueError) as error:
        fault = frames.describe_fault(X) if frames.is_frame(X) else None
        if fault is None and NAMES_ROWS.search(str(error)):
            raise
        raise type(error)(fault or f"{error}. {_what_rows_are(y)}") from error
    if not any_size:
        rows = checked[0] if isinstance(checked, tuple) else checked
        check_magnitudes(estimator, rows, in_fit=options.get("reset", True))
    return checked


def _is_no_y(y: Any) -> bool:
    """Whether there are no labels to check, as scikit-learn says it."""
    return isinstance(y, str) and y == "no_validation"


def _what_rows_are(y: Any) -> str:
    """Say what was asked for, where an error of a conversion does not."""
    if y is None or _is_no_y(y):
        return "X must be an array or a frame of numbers."
    return "y must be one target per row, and X an array or a frame of numbers."


def validate_mapped_rows(estimator: Any, X: Any, **options: Any) -> Any:
    """Check rows; integers mapped from a file become floats where they are visited."""
    if not (isinstance(X, np.memmap) and X.dtype.kind in "biu"):
        return validate_rows(estimator, X, **options)
    return CastRows(validate_rows(estimator, X, dtype=None, **options))


def _needs_no_check(estimator: Any, X: Any) -> bool:
    """Whether rows are as an estimator without column names wants them.

    To see that takes microseconds; scikit-learn's checks take longer than scoring one row.
    """
    learned = vars(estimator)
    if type(X) is not np.ndarray or X.ndim != 2 or "feature_names_in_" in learned:
        return False
    if X.dtype not in LARGEST or len(X) == 0 or X.shape[1] != learned.get("n_features_in_"):
        return False
    largest = LARGEST[X.dtype]
    return bool(-largest <= X.min() and X.max() <= largest)  # False where cells are missing


def check_fitted(estimator: Any) -> None:
    """Raise what scikit-learn raises where nothing was learned, and see at once where it was."""
    says = getattr(estimator, "__sklearn_is_fitted__", None)
    learned = vars(estimator)
    if not any(name.endswith("_") and not name.startswith("_") for name in learned) or (
        says is not None and not says()
    ):
        check_is_fitted(estimator)


def as_rows(X: Any, name: str) -> np.ndarray:
    """Return rows of finite numbers for which no estimator says how many columns they have."""
    with naming(name, "an array of numbers"):
        return check_array(masked_as_missing(X), dtype=[np.float64, np.float32], input_name=name)


def has_missing(X: np.ndarray) -> bool:
    """Whether any cell is NaN."""
    return X.size > 0 and bool(np.isnan(X.min()))


def drop_empty_rows(
    estimator: Any, sample_weight: np.ndarray | None, X: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return weights and rows without those that are entirely missing.

    Raises an error that names the columns of which nothing is left.
    """
    empty = np.isnan(X).all(axis=1)
    if empty.any():
        X = X[~empty]
        sample_weight = None if sample_weight is None else sample_weight[~empty]
    check_observed(estimator, ~np.isnan(X).all(axis=0))
    return sample_weight, X


def check_observed(estimator: Any, observed: np.ndarray) -> None:
    """Raise an error that names the columns of which no cell is observed (a mask), if any."""
    columns = np.flatnonzero(~observed)
    if len(columns):
        names = getattr(estimator, "feature_names_in_", columns)
        listed = ", ".join(repr(names[j]) if names is not columns else str(j) for j in columns)
        raise ValueError(
            f"Column(s) {listed} of X are entirely missing (NaN in every row of positive "
            "weight): nothing can be learned about them. Drop them."
        )


def check_sample_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return finite non-negative weights in float64, not all zero; None stays None."""
    if sample_weight is None:
        return None
    refuse_masked(sample_weight, "sample_weight")
    if not np.any(np.asarray(sample_weight)):
        raise ValueError(
            "Sample weights must contain at least one non-zero number; sample_weight is zero for "
            "every row. Pass sample_weight=None to weight all rows alike."
        )
    with naming("sample_weight", "one number per row"):
        sample_weight = _check_sample_weight(
            as_numbers(sample_weight, "sample_weight"), X, dtype=np.float64
        )
    if np.any(sample_weight < 0):
        row = int(np.argmin(sample_weight))
        raise ValueError(
            "Negative values in data passed to `sample_weight`: "
            f"sample_weight[{row}] is {sample_weight[row]}. Weights count how often a row was "
            "seen; give 0 to leave a row out."
        )
    largest = float(sample_weight.max())
    if not SMALLEST_WEIGHT <= largest <= 1.0 / SMALLEST_WEIGHT:
        raise ValueError(
            f"sample_weight reaches {largest:.3g} at most; for sums of weighted squares to fit "
            f"into float64, its largest entry must be between {SMALLEST_WEIGHT:.0e} and "
            f"{1.0 / SMALLEST_WEIGHT:.0e}. Divide all weights by their largest."
        )
    return sample_weight


def drop_unweighted(sample_weight: np.ndarray | None, *arrays: Any) -> tuple[Any, ...]:
    """Return weights and arrays without the rows of weight 0, which are as good as absent."""
    if sample_weight is None or np.all(sample_weight > 0):
        return (sample_weight, *arrays)
    kept = sample_weight > 0
    return (sample_weight[kept], *(array[kept] for array in arrays))


def check_labels(estimator: Any, y: Any, rows: np.ndarray | None) -> np.ndarray:
    """Return one class label per row, for rows that scikit-learn's own check cannot see."""
    check_labelled(estimator, y)
    refuse_masked(y, "y")
    with naming("y", "one class label per row"):
        labels = _check_y(y, estimator=estimator)
        check_consistent_length(rows, labels)
    return labels


def check_labelled(estimator: Any, y: Any) -> None:
    """Raise what scikit-learn raises where there are no labels."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )


def check_classes(y: Any) -> None:
    """Check that labels are classes, not measurements."""
    with naming("y", "one class label per row, integers or words"):
        check_classification_targets(y)


def check_n_samples(n_samples: int, name: str = "n_samples") -> int:
    """Return a number of draws; scikit-learn's text where it is none."""
    if not isinstance(n_samples, Real) or n_samples != np.floor(n_samples):
        raise ValueError(f"{name}={n_samples!r} must be a whole number.")
    if n_samples > np.iinfo(np.intp).max:
        raise ValueError(f"{name}={n_samples} is more than memory can hold.")
    if n_samples < 1:
        raise ValueError(
            f"Invalid value for {name!r}: {n_samples} . The sampling requires at least one sample."
        )
    return int(n_samples)


# Its square, times a few thousand features, is a float.
LARGEST_NOISE = 1e150


def check_noise_std(noise_std: Any, n: int, name: str, *, of: str = "feature") -> np.ndarray:
    """Return standard deviations of noise (n,), one per feature or per row."""
    try:
        noise_std = reals(noise_std)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"{name} must be a number or have one entry per {of}, but is {noise_std!r}."
        ) from None
    if noise_std.ndim > 1 or (noise_std.ndim == 1 and len(noise_std) != n):
        raise ValueError(
            f"{name} must be a number or have one entry per {of}, shape ({n},), but has shape "
            f"{noise_std.shape}."
        )
    if not np.all(noise_std < LARGEST_NOISE) or np.any(noise_std < 0):
        raise ValueError(
            f"{name} must be finite and not negative, less than {LARGEST_NOISE:g}, but is "
            f"{noise_std.tolist()}: it is a standard deviation, in units of X."
        )
    return np.broadcast_to(noise_std, (n,))


def check_one_value(values: Any, name: str) -> None:
    """Check that components with one variance for all features meet one noise for all."""
    if np.ptp(reals(values)) > 0:
        raise ValueError(
            f"{name}={values} differs between features, but covariance_type='spherical' has one "
            "variance for all. Use another covariance_type, or one value."
        )


def check_features(estimator: Any, features: Any) -> np.ndarray:
    """Return the indices of features given by index, by name or by a mask."""
    n_features = estimator.n_features_in_
    features = np.atleast_1d(np.asarray(features))
    if features.dtype == bool:
        if features.shape != (n_features,):
            raise ValueError(
                f"A mask of features must have shape ({n_features},), but has {features.shape}."
            )
        features = np.flatnonzero(features)
    elif features.dtype.kind in "UOT":
        names = getattr(estimator, "feature_names_in_", np.empty(0, dtype=object)).tolist()
        unknown = [name for name in features.tolist() if name not in names]
        if unknown:
            raise ValueError(
                f"features {unknown} are not among the names seen in fit, {names}. Features of "
                "a fit without names go by their index."
            )
        features = np.array([names.index(name) for name in features.tolist()], dtype=int)
    elif features.size and features.dtype.kind not in "iu":
        raise ValueError(f"features must be indices, names or a mask, but are {features.dtype}.")
    outside = features[(features < -n_features) | (features >= n_features)]
    if features.ndim != 1 or features.size == 0 or outside.size:
        raise ValueError(
            f"features must be a list of one or more indices below n_features={n_features}, but "
            f"is {features.tolist()}."
        )
    features = features % n_features
    if len(np.unique(features)) < len(features):
        raise ValueError(f"features must differ, but are {features.tolist()}.")
    return features


def check_weights_init(weights: Any, n_components: int) -> np.ndarray:
    """Check given weights, with scikit-learn's texts; rounding of a sum to 1 is taken back."""
    weights = as_numbers(weights, "weights_init")
    _check_shape(weights, (n_components,), "weights")
    if np.any(weights < 0.0) or np.any(weights > 1.0 + ROUNDED_SUM):
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{weights.max():.5f}, min value {weights.min():.5f}"
        )
    weights = weights.astype(np.float64)
    if not abs(1.0 - weights.sum()) <= ROUNDED_SUM:
        raise ValueError(
            "The parameter 'weights' should be normalized, but got sum(weights) = "
            f"{weights.sum():.7f}. Divide them by their sum."
        )
    return normalised(weights)


def n_given_components(weights: Any) -> int:
    """Return how many components given weights are for."""
    weights = as_numbers(weights, "weights")
    if weights.ndim != 1 or len(weights) == 0:
        raise ValueError(
            "weights must have shape (n_components,), one number per component, but has shape "
            f"{weights.shape}."
        )
    return len(weights)


def normalised(weights: np.ndarray) -> np.ndarray:
    """Divide weights by their sum, unless it is 1 to rounding already."""
    total = weights.sum()
    exact = abs(total - 1.0) <= 4 * len(weights) * np.finfo(np.float64).eps
    return weights if exact else weights / total


def check_means(
    means: Any, n_components: int, n_features: int, *, name: str = "means"
) -> np.ndarray:
    """Check means, with scikit-learn's texts."""
    means = as_numbers(means, name)
    _check_shape(means, (n_components, n_features), "means")
    return means.astype(np.float64)


def check_matrices(
    matrices: Any, family: GaussianFamily, n_components: int, n_features: int, what: str
) -> np.ndarray:
    """Check precisions or covariances, with scikit-learn's texts; return them in float64."""
    matrices = as_numbers(matrices, f"{what}s_init" if what == "precision" else f"{what}s")
    name = f"{family.covariance_type} {what}"
    _check_shape(matrices, family.covariance_shape(n_components, n_features), name)
    matrices = matrices.astype(np.float64)
    if not family.dense:
        if np.any(matrices <= 0.0):
            raise ValueError(f"'{name}' should be positive, but the smallest is {matrices.min()}")
        return matrices
    # Judged as correlations: the units of the features must not matter.
    scale = np.sqrt(np.maximum(np.diagonal(matrices, axis1=-2, axis2=-1), 0.0))
    scale = np.where(scale > 0, scale, 1.0)
    correlations = matrices / (scale[..., None] * scale[..., None, :])
    symmetric = np.allclose(correlations, np.swapaxes(correlations, -1, -2))
    if not symmetric or not np.all(np.linalg.eigvalsh(correlations) > 0.0):
        reason = "has an eigenvalue of zero or below" if symmetric else "is not symmetric"
        raise ValueError(
            f"'{name}' should be symmetric, positive-definite, but at least one {reason}"
        )
    return matrices


def check_structure(family: GaussianFamily, params: GaussianParams) -> None:
    """Check that covariances share what those of the family do, to the digits people write."""
    if not family.sharing:
        return
    nearest = family.matrices(family.admissible(params))
    given = family.matrices(params)
    sd = np.sqrt(np.diagonal(given, axis1=1, axis2=2))
    error = (np.abs(nearest - given) / (sd[:, :, None] * sd[:, None, :])).max(axis=(1, 2))
    worst = int(np.argmax(error))
    if error[worst] > MAX_STRUCTURE_ERROR:
        raise ValueError(
            f"The covariances are not of the structure covariance_type={family.covariance_type!r} "
            f"says: that of component {worst} is {error[worst]:.2g} of its variances from the "
            f"nearest which is. Pass covariances that are, or "
            f"covariance_type={family.free_type!r}."
        )


def as_numbers(values: Any, name: str) -> np.ndarray:
    """Return finite floats of any shape; whatever is wrong, the error names the parameter."""
    options = {"ensure_2d": False, "allow_nd": True, "ensure_min_samples": 0}
    with naming(name, "an array of numbers"):
        return check_array(values, dtype=[np.float64, np.float32], input_name=name, **options)


def _check_shape(array: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    if array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}"
        )


@contextmanager
def earlier_fit_kept(estimator: Any) -> Iterator[None]:
    """Put the learned attributes of an earlier fit back when this one ends in an exception."""
    parameters = set(estimator._get_param_names())

    def learned() -> dict[str, Any]:
        return {name: value for name, value in vars(estimator).items() if name not in parameters}

    earlier = learned()
    try:
        yield
    except BaseException:
        for name in learned():
            delattr(estimator, name)
        vars(estimator).update(earlier)
        raise
