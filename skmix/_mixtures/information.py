"""The observed information of a categorical mixture, and the standard errors that follow."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .._families import CategoricalParams, Packing

# A category of which fewer answers than this are expected in a class may be on the boundary.
FEW_ANSWERS = 1.0
# Directions whose information is below this share of the largest are not identified.
SINGULAR = 1e-9
# Working memory for the scores of a piece of the rows.
PIECE_BYTES = 32 * 2**20


def standard_errors(
    one_hot: Any,
    counts: np.ndarray,
    resp: np.ndarray,
    params: CategoricalParams,
    packing: Packing,
    squares: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors of weights (K,) and probabilities (K, n_levels).

    `counts` are the weights of the distinct rows, `squares` the sums of the squared weights of
    the rows that are each of them, for errors that hold whatever the weights mean.
    """
    n_components = len(params.weights)
    inner = ~_on_boundary(one_hot, counts, resp, params)
    free = np.concatenate(
        [_not_first(params.weights), _not_largest(params, packing) & inner.ravel()], axis=None
    )
    jacobian = _jacobian(params, packing)[:, free]
    among_free = np.ix_(free, free)
    information, scatter = _observed_information(one_hot, counts, resp, params, packing, squares)
    spread = None if squares is None else scatter[among_free]
    errors = np.sqrt(_variances(information[among_free], jacobian, spread))
    weights, probabilities = np.split(errors, [n_components])
    probabilities = np.where(inner, probabilities.reshape(inner.shape), np.nan)
    alone = np.repeat(packing.n_categories, packing.n_categories) == 1
    return weights, np.where(alone, 0.0, probabilities)


def _on_boundary(one_hot, counts, resp, params):
    """Mask of probabilities (K, n_levels) whose most likely value is 0, all others as they are.

    EM approaches 0 but never gets there, and how near depends on where it started. What decides
    is the slope of the likelihood at 0: there a row with the answer has the density that the
    other classes leave it.
    """
    shares = resp * counts[:, None]
    answers = shares.T @ one_hot
    boundary = answers < np.finfo(float).tiny
    for k, level in np.argwhere(~boundary & (answers < FEW_ANSWERS)):
        rows = one_hot[:, [level]].nonzero()[0]
        others = 1.0 - resp[rows, k]
        if np.all(others > 0):
            slope = np.sum(shares[rows, k] / others) / params.probabilities[k, level]
            boundary[k, level] = slope <= shares[:, k].sum() - answers[k, level]
    return boundary


def _observed_information(one_hot, counts, resp, params, packing, squares):
    r"""Return minus the Hessian in log-odds, and the scatter of the scores of all rows.

    By Louis (1982), a row with responsibilities r_k and complete-data scores s_k contributes
    :math:`\bar s \bar s^T - \sum_k r_k s_k s_k^T + \sum_k r_k F_k`, where :math:`\bar s` is the
    mean of the scores and F_k the information of the complete row.
    """
    weights, probabilities = params
    n_components, n_levels = probabilities.shape
    size = n_components * (1 + n_levels)
    information, scatter = np.zeros((2, size, size))
    squares = counts if squares is None else squares
    blocks = [
        slice(n_components + k * n_levels, n_components + (k + 1) * n_levels)
        for k in range(n_components)
    ]
    piece = max(1, PIECE_BYTES // (8 * size))
    for start in range(0, len(counts), piece):
        rows = slice(start, start + piece)
        answers = one_hot[rows].toarray()
        answered = packing.per_column(answers)
        shares = resp[rows] * counts[rows, None]  # of every row, in every component
        scores = np.empty((len(answers), size))
        scores[:, :n_components] = resp[rows] - weights
        for k, block in enumerate(blocks):
            deviations = answers - answered * probabilities[k]
            scores[:, block] = resp[rows, k, None] * deviations
            weighted = shares[:, k, None] * deviations
            information[block, block] -= weighted.T @ deviations
            to_weights = np.outer((np.arange(n_components) == k) - weights, weighted.sum(axis=0))
            information[:n_components, block] -= to_weights
            information[block, :n_components] -= to_weights.T
            information[block, block] += _of_complete_rows(
                shares[:, k] @ answered, probabilities[k], packing
            )
        # The weights' own complete-data terms, sum_k r_k (F - s_k s_k^T).
        totals = shares.sum(axis=0)
        centred = np.eye(n_components) - weights
        information[:n_components, :n_components] += (
            counts[rows].sum() * (np.diag(weights) - np.outer(weights, weights))
            - (centred.T * totals) @ centred
        )
        information += (scores * counts[rows, None]).T @ scores
        scatter += (scores * squares[rows, None]).T @ scores
    return information, scatter


def _of_complete_rows(answered, probabilities, packing):
    """Sum over the columns of (number of answers) x (diag θ - θ θᵀ)."""
    information = np.diag(answered * probabilities)
    for start, stop in pairwise(packing.level_offsets):
        own = probabilities[start:stop]
        information[start:stop, start:stop] -= answered[start] * np.outer(own, own)
    return information


def _jacobian(params, packing):
    """Derivatives of all weights and probabilities by their log-odds."""
    weights, probabilities = params
    n_components, n_levels = probabilities.shape
    jacobian = np.zeros((n_components * (1 + n_levels),) * 2)
    jacobian[:n_components, :n_components] = np.diag(weights) - np.outer(weights, weights)
    for k in range(n_components):
        block = slice(n_components + k * n_levels, n_components + (k + 1) * n_levels)
        jacobian[block, block] = _of_complete_rows(np.ones(n_levels), probabilities[k], packing)
    return jacobian


def _not_first(weights):
    """One weight follows from the others, and a component of weight 0 has none to estimate."""
    return (np.arange(len(weights)) != np.argmax(weights)) & (weights > 0)


def _not_largest(params, packing):
    """One probability of every column follows from the others."""
    free = np.ones(params.probabilities.shape, dtype=bool)
    for start, stop in pairwise(packing.level_offsets):
        largest = start + np.argmax(params.probabilities[:, start:stop], axis=1)
        free[np.arange(len(free)), largest] = False
    return free.ravel()


def _variances(information, jacobian, scatter=None):
    """Diagonal of J C Jᵀ, infinite where it rests on a direction without information.

    C is the inverse information I⁻¹; with the `scatter` S of the scores the sandwich I⁻¹ S I⁻¹.
    """
    if len(information) == 0:
        return np.zeros(len(jacobian))
    scale = np.sqrt(np.maximum(np.diagonal(information), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information / scale / scale[:, None])
    loadings = (jacobian / scale) @ vectors
    known = values > SINGULAR * max(1.0, values[-1])
    solved = loadings[:, known] / values[known]
    if scatter is None:
        variances = np.sum(solved * loadings[:, known], axis=1)
    else:
        within = vectors[:, known].T @ (scatter / scale / scale[:, None]) @ vectors[:, known]
        variances = np.einsum("ij,jk,ik->i", solved, within, solved)
    lost = np.sum(loadings[:, ~known] ** 2, axis=1)
    return np.where(lost > 1e-8 * np.sum(loadings**2, axis=1), np.inf, variances)
