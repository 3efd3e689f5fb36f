"""Fits of more components that start from a fit of fewer, where their own starts were worse."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone

from ._gaussian_mixture import GaussianMixture

# How far the halves of a split move apart, in standard deviations: their variance along the
# split is that of the whole less its square, so that the first two moments stay as they were.
STEP = 0.7

STARTS = ("weights_init", "means_init", "precisions_init")


def pairs(points: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return pairs of points that differ in n_components only, next to each other, in order."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for i, point in enumerate(points):
        if "n_components" in point:
            others = {name: value for name, value in point.items() if name != "n_components"}
            groups.setdefault(joblib.hash(others), []).append((point["n_components"], i))
    found = []
    for group in groups.values():
        order = [i for _, i in sorted(group)]
        found += list(pairwise(order))
    return found


def falls_behind(larger: Any, smaller: Any) -> bool:
    """Whether a fit has a lower likelihood than one of fewer components, which it contains."""
    return (
        isinstance(larger, GaussianMixture)
        and larger.n_components > smaller.n_components
        and larger.lower_bound_ < smaller.lower_bound_
        # Elsewhere the likelihood is not what the fit maximises, or the start is the user's.
        and getattr(larger, "assignment", "soft") == "soft"
        and larger.shrinkage == 0
        and all(getattr(larger, name) is None for name in STARTS)
        and not (has_spike(smaller) and not has_spike(larger))
    )


def has_spike(mixture: Any) -> bool:
    """Whether some variance is little more than what regularisation puts there."""
    covariances: np.ndarray = np.asarray(mixture.covariances_, dtype=np.float64)
    if mixture.covariance_type in ("full", "tied"):
        covariances = np.linalg.eigvalsh(covariances)
    return bool(covariances.min() <= 10.0 * mixture.reg_covar)


def refit(larger: Any, smaller: Any, X: Any, sample_weight: Any) -> Any:
    """Fit `larger` from `smaller` with components split; return the better of both fits."""
    start = smaller
    while start.n_components < larger.n_components:
        start = _best_split(start, X, sample_weight)
    trial = clone(larger).set_params(
        weights_init=start.weights_,
        means_init=start.means_,
        precisions_init=start.precisions_,
        n_init=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trial.fit(X, sample_weight=sample_weight)
        except ValueError:  # with reg_covar=0 a component may collapse
            return larger
    spiky = has_spike(trial) and not has_spike(larger)
    if spiky or trial.lower_bound_ <= larger.lower_bound_:
        return larger
    return trial.set_params(**dict.fromkeys(STARTS), n_init=larger.n_init)


def _best_split(mixture: Any, X: Any, sample_weight: Any) -> GaussianMixture:
    """Return the mixture with that component split which makes the rows most likely."""
    labels = mixture.predict(X)
    rows = np.asarray(X, dtype=np.float64)
    splits = [_split(mixture, k, rows[labels == k]) for k in range(len(mixture.weights_))]
    scores = [np.average(split.score_samples(X), weights=sample_weight) for split in splits]
    return splits[int(np.argmax(scores))]


def _split(mixture: Any, k: int, rows: np.ndarray) -> GaussianMixture:
    """Return the mixture with component k replaced by two halves along its longest axis."""
    covariances: np.ndarray = np.array(mixture.covariances_, dtype=np.float64)
    kind = mixture.covariance_type
    if kind in ("full", "tied"):
        variances, axes = np.linalg.eigh(covariances if kind == "tied" else covariances[k])
        step: np.ndarray = STEP * np.sqrt(variances[-1]) * axes[:, -1]
    else:
        step = np.zeros(mixture.means_.shape[1])
        spread = np.nanvar(rows, axis=0) if len(rows) > 1 else step
        j = int(np.argmax(covariances[k] if kind == "diag" else np.nan_to_num(spread)))
        step[j] = STEP * np.sqrt(covariances[k, j] if kind == "diag" else covariances[k])
    if kind == "full":
        covariances[k] -= np.outer(step, step)
    elif kind == "diag":
        covariances[k] -= step**2
    if kind != "tied":
        covariances = np.concatenate([covariances, covariances[k : k + 1]])
    means = np.concatenate([mixture.means_, mixture.means_[k : k + 1] - step])
    means[k] += step
    weights = np.append(mixture.weights_, mixture.weights_[k] / 2).astype(np.float64)
    weights[k] /= 2
    return GaussianMixture.from_parameters(
        weights / weights.sum(), means, covariances, covariance_type=kind
    )
