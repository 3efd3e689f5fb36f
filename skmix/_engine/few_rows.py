"""Scores of a few rows, without the chunks, threads and frames that pay for many.

A row is scored from the log weights and log densities of all components at once, each about its
own mean. What follows from these, shape (n_components, n_rows), is here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# So many coordinates of deviations from means are few.
FEW = 2**14


def predict(log_prob: np.ndarray, dtype: Any) -> np.ndarray:
    """Index of the most probable component of every row."""
    return log_prob.argmax(axis=0)


def predict_proba(log_prob: np.ndarray, dtype: Any) -> np.ndarray:
    """Responsibilities of the components for every row, shape (n_rows, n_components)."""
    terms, norm, _ = _exp_terms(log_prob)
    proba = np.empty(terms.shape[::-1], dtype)
    np.divide(terms.T, norm[:, None], out=proba, casting="same_kind")
    return proba


def score_samples(log_prob: np.ndarray, dtype: Any) -> np.ndarray:
    """Log density of every row, in nats."""
    _, norm, peak = _exp_terms(log_prob)
    with np.errstate(over="ignore"):  # a density may be too small for float32
        return (np.log(norm) + peak).astype(dtype, copy=False)


def _exp_terms(log_prob: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    peak = log_prob.max(axis=0)
    with np.errstate(under="ignore"):
        terms = np.exp(log_prob - peak)
    return terms, terms.sum(axis=0), peak
