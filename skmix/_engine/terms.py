"""From log terms to responsibilities, for arrays of shape (n_runs, n_components, n_rows).

A term is the log weight and log density of a component; its peak is the largest of a row.
"""

from __future__ import annotations

import numpy as np

from .._rows.sources import Scratch

# Rows whose normalisers are multiplied before the logarithm; 1e300 bounds the product.
LOG_GROUP = 16


def exp_terms(terms: np.ndarray, peak: np.ndarray, scratch: Scratch) -> np.ndarray:
    """Exponentiate log terms less their peak in place; return their sums (n_runs, n_rows)."""
    norm = scratch.array("norm", peak.shape, peak.dtype)
    np.subtract(terms, peak[:, None], out=terms)
    _exp(terms)
    return terms.sum(axis=1, out=norm)


def one_hot(terms: np.ndarray, peak: np.ndarray, scratch: Scratch) -> np.ndarray:
    """Replace the largest term of each row by 1, the first of equal ones, and others by 0."""
    norm = scratch.array("norm", peak.shape, peak.dtype)
    np.equal(terms, peak[:, None], out=terms, casting="unsafe")
    np.sum(terms, axis=1, out=norm)
    runs, rows = np.nonzero(norm > 1.0)
    if len(rows):
        first = np.argmax(terms[runs, :, rows], axis=1)
        terms[runs, :, rows] = np.arange(terms.shape[1]) == first[:, None]
        norm[runs, rows] = 1.0
    return norm


def _exp(x: np.ndarray) -> None:
    """Exponentiate in place; what would underflow becomes 0 without the slow path of np.exp."""
    floor = x.dtype.type(-87.0 if x.dtype == np.float32 else -700.0)
    if not x.size or x.min() >= floor:
        np.exp(x, out=x)
        return
    np.maximum(x, floor, out=x)
    np.exp(x, out=x)
    np.subtract(x, np.exp(floor), out=x)


def total_log_likelihood(
    norm: np.ndarray, peak: np.ndarray, sample_weight: np.ndarray | None
) -> np.ndarray:
    """Sum over the rows of every run, given arrays of shape (n_runs, n_rows)."""
    if sample_weight is None:
        # Every norm is between 1 and n_components: a product of a few needs one logarithm.
        groups = np.arange(0, norm.shape[1], LOG_GROUP)
        products = np.multiply.reduceat(norm, groups, axis=1, dtype=np.float64)
        return peak.sum(axis=1, dtype=np.float64) + np.log(products).sum(axis=1)
    log_norm = np.log(norm)
    return np.add(peak, log_norm, dtype=np.float64) @ sample_weight
