"""Starts of mixtures of categorical columns: answers of rows far apart, or at random."""

from __future__ import annotations

import numpy as np

from .._families import CategoricalParams, Packing

# A seed row is mixed with as much of the shares of all rows.
SEED_SHARE = 0.5


def categorical_starts(
    states: np.ndarray,
    sample_weight: np.ndarray,
    packing: Packing,
    n_components: int,
    n_starts: int,
    random_state: np.random.RandomState,
) -> list[CategoricalParams]:
    """Return starting parameters: half from rows far apart, half at random.

    The rows must be distinct; components beyond their number start with weight 0. Seeding alone
    misses optima of small tables, and random probabilities alone those of large ones.
    """
    answers = packing.one_hot(states)
    shares = packing.shares(np.asarray(answers.T @ sample_weight)[None])
    n_seeds = min(n_components, len(states))
    seeds = _far_rows(states, sample_weight, packing, n_seeds, -(-n_starts // 2), random_state)
    starts = []
    for rows in seeds:
        probabilities = np.repeat(shares, n_components, axis=0)
        seeded = packing.shares(answers[rows].toarray(), fallback=shares)
        probabilities[:n_seeds] = SEED_SHARE * seeded + (1 - SEED_SHARE) * shares
        starts.append(CategoricalParams(_first(n_seeds, n_components), probabilities))
    while len(starts) < n_starts:
        starts.append(random_probabilities(packing, n_components, n_seeds, random_state))
    return starts


def _far_rows(
    states: np.ndarray,
    sample_weight: np.ndarray,
    packing: Packing,
    n_seeds: int,
    n_starts: int,
    random_state: np.random.RandomState,
) -> np.ndarray:
    """Draw rows by weight times squared distance to those drawn before, for all starts at once.

    The distance is the number of answers that differ. As in k-means++, with the square of a
    distance that is itself a squared Euclidean one: outlying groups of rows are small here.
    """
    members = packing.states_one_hot(states)
    answered = np.asarray(packing.levels_of_state.sum(axis=1))
    n_answers = (members @ answered)[:, None]
    seeds = np.empty((n_starts, n_seeds), dtype=np.int64)
    distance = np.ones((len(states), n_starts))
    for seed in range(n_seeds):
        edges = np.cumsum(distance**2 * sample_weight[:, None], axis=0)
        spent = edges[-1] == 0  # only rows with missing answers are left, none of them different
        edges[:, spent] = np.cumsum(sample_weight)[:, None]
        below = edges <= random_state.random_sample(n_starts) * edges[-1]
        seeds[:, seed] = np.minimum(below.sum(axis=0), len(states) - 1)
        rows = packing.one_hot(states[seeds[:, seed]]).toarray()
        matches = members @ (packing.levels_of_state @ np.ascontiguousarray(rows.T))
        np.minimum(distance if seed else np.inf, n_answers - matches, out=distance)
    return seeds


def random_probabilities(
    packing: Packing, n_components: int, n_alive: int, random_state: np.random.RandomState
) -> CategoricalParams:
    """Draw the probabilities of every column uniformly from those that sum to 1."""
    draws = random_state.standard_exponential((n_components, packing.n_levels))
    return CategoricalParams(_first(n_alive, n_components), packing.shares(draws))


def _first(n_alive: int, n_components: int) -> np.ndarray:
    """Equal weights of the first components, 0 for the others."""
    return (np.arange(n_components) < n_alive) / n_alive
