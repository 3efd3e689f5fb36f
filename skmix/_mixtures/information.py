"""The observed information of a mixture, and the standard errors that follow.

`observed_information` is that of any components which are exponential families in their natural
parameters; here are those of categories, and in `gaussian_information.py` Gaussian ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from .._families import CategoricalParams, Packing

# A category of which fewer answers than this are expected in a class may be on the boundary.
FEW_ANSWERS = 1.0
# Directions whose information is below this share of the largest are not identified.
SINGULAR = 1e-9
NO_INFORMATION = 1e-200  # whose roots are divided by
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
        [not_first(params.weights), _not_largest(params, packing) & inner.ravel()], axis=None
    )
    jacobian = _jacobian(params, packing)[:, free]
    among_free = np.ix_(free, free)
    weighed = counts if squares is None else squares
    information, scatter = of_answers(one_hot, counts, resp, params, packing, weighed)
    spread = None if squares is None else scatter[among_free]
    errors = np.sqrt(variances_of(information[among_free], jacobian, spread))
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
    boundary = (answers < np.finfo(float).tiny) | (params.probabilities == 0.0)
    for k, level in np.argwhere(~boundary & (answers < FEW_ANSWERS)):
        rows = one_hot[:, [level]].nonzero()[0]
        others = 1.0 - resp[rows, k]
        if np.all(others > 0):
            slope = np.sum(shares[rows, k] / others) / params.probabilities[k, level]
            boundary[k, level] = slope <= shares[:, k].sum() - answers[k, level]
    return boundary


class Piece(Protocol):
    """Some of the rows, and what every component says of them as if they were its own."""

    counts: np.ndarray  # (n,), weights
    squares: np.ndarray  # (n,), sums of squared weights
    resp: np.ndarray  # (n, n_components)

    def deviations(self, k: int) -> np.ndarray:
        """Return sufficient statistics less their expectation (n, n_statistics)."""

    def complete(self, k: int, shares: np.ndarray) -> np.ndarray:
        """Return the information of rows of such weights, less what is missing of their cells."""


def observed_information(
    weights: np.ndarray, blocks: list[Any], size: int, pieces: Iterable[Piece]
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return minus the Hessian in natural parameters, and the scatter of the scores of all rows.

    The first parameters are the log-odds of the weights, those of component k are at `blocks[k]`;
    components may share some. By Louis (1982), a row with responsibilities r_k and complete-data
    scores s_k contributes :math:`\bar s \bar s^T - \sum_k r_k s_k s_k^T + \sum_k r_k F_k`, where
    :math:`\bar s` is the mean of the scores and F_k the information of the complete row. In
    natural parameters scores are statistics less their expectation, and F_k is their covariance,
    less what it is given the observed cells.
    """
    n_components = len(weights)
    information, scatter = np.zeros((2, size, size))
    centred = np.eye(n_components) - weights
    for piece in pieces:
        shares = piece.resp * piece.counts[:, None]  # of every row, in every component
        scores = np.zeros((len(piece.counts), size))
        scores[:, :n_components] = piece.resp - weights
        for k, block in enumerate(blocks):
            own = np.ix_(block, block)
            deviations = piece.deviations(k)
            scores[:, block] += piece.resp[:, k, None] * deviations
            weighted = shares[:, k, None] * deviations
            information[own] += piece.complete(k, shares[:, k]) - weighted.T @ deviations
            to_weights = np.outer(centred[k], weighted.sum(axis=0))
            information[:n_components, block] -= to_weights
            information[block, :n_components] -= to_weights.T
        # The weights' own complete-data terms, sum_k r_k (F - s_k s_k^T).
        totals = shares.sum(axis=0)
        information[:n_components, :n_components] += (
            piece.counts.sum() * (np.diag(weights) - np.outer(weights, weights))
            - (centred.T * totals) @ centred
        )
        information += (scores * piece.counts[:, None]).T @ scores
        scatter += (scores * piece.squares[:, None]).T @ scores
    return information, scatter


class Answers:
    """A piece of the distinct rows of categories."""

    def __init__(self, answers, counts, squares, resp, params, packing):
        self.answers, self.counts, self.squares, self.resp = answers, counts, squares, resp
        self.probabilities, self.packing = params.probabilities, packing
        self.answered = packing.per_column(answers)

    def deviations(self, k):
        return self.answers - self.answered * self.probabilities[k]

    def complete(self, k, shares):
        return _of_complete_rows(shares @ self.answered, self.probabilities[k], self.packing)


def of_answers(one_hot, counts, resp, params, packing, squares):
    """Return the observed information in log-odds, and the scatter of the scores of all rows."""
    n_components, n_levels = params.probabilities.shape
    size = n_components * (1 + n_levels)
    pieces = (
        Answers(one_hot[rows].toarray(), counts[rows], squares[rows], resp[rows], params, packing)
        for rows in pieces_of(len(counts), size)
    )
    blocks = [n_components + k * n_levels + np.arange(n_levels) for k in range(n_components)]
    return observed_information(params.weights, blocks, size, pieces)


def pieces_of(n_rows: int, size: int) -> Iterator[slice]:
    """Yield slices of rows whose scores fit into the working memory."""
    step = max(1, PIECE_BYTES // (8 * size))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)


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


def not_first(weights):
    """One weight follows from the others, and a component of weight 0 has none to estimate."""
    return (np.arange(len(weights)) != np.argmax(weights)) & (weights > 0)


def _not_largest(params, packing):
    """One probability of every column follows from the others."""
    free = np.ones(params.probabilities.shape, dtype=bool)
    for start, stop in pairwise(packing.level_offsets):
        largest = start + np.argmax(params.probabilities[:, start:stop], axis=1)
        free[np.arange(len(free)), largest] = False
    return free.ravel()


def variances_of(information, jacobian, scatter=None):
    """Diagonal of J C Jᵀ, infinite where it rests on a direction without information.

    C is the inverse information I⁻¹; with the `scatter` S of the scores the sandwich I⁻¹ S I⁻¹.
    """
    if len(information) == 0:
        return np.zeros(len(jacobian))
    # A parameter with no curvature of its own, or a wrong one, is one of which nothing is known.
    unknown = np.diagonal(information) <= NO_INFORMATION
    information = np.where(unknown | unknown[:, None], 0.0, information)
    scale = np.sqrt(np.maximum(np.diagonal(information), NO_INFORMATION))
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
