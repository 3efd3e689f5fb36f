"""Categorical columns, independent within a component: latent class analysis.

Log densities are linear in the one-hot coding of a row, so both steps of EM are products with a
sparse 0/1 matrix. Columns are packed first: the answers to a few columns together are one
*state*, so that a row has one entry per pack instead of one per column.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .._rows.sources import MIN_CHUNK_ROWS, Scratch
from .protocols import NO_DENSITY, Candidates
from .running import weighted_sum

# Tables of this many states per pack stay in the cache; 8 binary columns make one pack.
MAX_STATES = 256
# Probabilities below this count as this much: an impossible answer costs 690 nats, not infinity.
TINY = 1e-300
# Passes that leave rows out let no probability fall below this: it could not grow again.
GUARDED = 1e-6
# Extrapolation may shrink a probability by no more than this factor, so that none gets stuck at 0.
MIN_SHRINKAGE = 1e-3


class CategoricalParams(NamedTuple):
    """Parameters of a categorical mixture."""

    weights: np.ndarray  # (n_components,)
    probabilities: np.ndarray  # (n_components, n_levels), the categories of all columns in a row


class CategoricalStatistics(NamedTuple):
    """Sums over the rows, weighted by responsibilities."""

    counts: np.ndarray  # (n_components,)
    answers: np.ndarray  # (n_components, n_levels): how often each category was answered


class Packing:
    """Columns packed into states: which state each combination of answers is, and back.

    Parameters
    ----------
    n_categories : list of int
        Number of categories of every column.
    may_miss : ndarray of shape (n_features,), default=None
        Whether an answer may be missing, which takes a state of its own. None: all may.
    max_states : int
        Largest number of states of a pack of more than one column.
    """

    def __init__(
        self,
        n_categories: list[int],
        may_miss: np.ndarray | None = None,
        max_states: int = MAX_STATES,
    ) -> None:
        self.n_categories = n_categories
        self._may_miss = np.ones(len(n_categories), bool) if may_miss is None else may_miss
        digits = np.add(n_categories, self._may_miss)
        self.level_offsets = np.concatenate([[0], np.cumsum(n_categories)]).astype(np.int64)
        self._packs, sizes = _pack_columns(digits.tolist(), max_states)
        self._digits = digits
        self._state_offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.levels_of_state = self._membership()
        self.states_of_level = self.levels_of_state.T

    @property
    def n_packs(self) -> int:
        """Number of packs, and of states of a row."""
        return len(self._packs)

    @property
    def first_pack(self) -> int:
        """Number of states of the first pack; every row has one of them."""
        return int(self._state_offsets[1])

    @property
    def n_states(self) -> int:
        """Number of states of all packs together."""
        return int(self._state_offsets[-1])

    @property
    def n_levels(self) -> int:
        """Number of categories of all columns together."""
        return int(self.level_offsets[-1])

    def pack(self, codes: np.ndarray) -> np.ndarray:
        """Turn codes (n_samples, n_features), -1 if missing, into states (n_samples, n_packs)."""
        states = np.empty((len(codes), len(self._packs)), dtype=np.int32)
        for pack, columns in enumerate(self._packs):
            state = np.zeros(len(codes), dtype=np.int32)
            for column in columns:
                state *= int(self._digits[column])
                state += codes[:, column]
                state += int(self._may_miss[column])  # a missing answer is digit 0
            states[:, pack] = state + self._state_offsets[pack]
        return states

    def states_one_hot(self, states: np.ndarray) -> sparse.csr_array:
        """Return rows of states as (n_samples, n_states) zeros and ones."""
        starts = np.arange(0, states.size + 1, states.shape[1], dtype=states.dtype)
        entries = (np.ones(states.size), states.ravel(), starts)
        return sparse.csr_array(entries, shape=(len(states), self.n_states))

    def one_hot(self, states: np.ndarray) -> sparse.csr_array:
        """Return the categories of rows of states, (n_samples, n_levels) of zeros and ones."""
        return self.states_one_hot(states) @ self.levels_of_state

    def shares(self, counts: np.ndarray, fallback: np.ndarray | None = None) -> np.ndarray:
        """Divide (n, n_levels) by the sum of each column; columns without counts fall back.

        Without a `fallback` all categories of such a column share alike.
        """
        totals = self.per_column(counts)
        if fallback is None:
            fallback = 1.0 / np.repeat(self.n_categories, self.n_categories)
        out = np.broadcast_to(fallback, counts.shape).copy()
        return np.divide(counts, totals, out=out, where=totals > 0)

    def per_column(self, levels: np.ndarray) -> np.ndarray:
        """Sum (n, n_levels) over each column's categories, and repeat the sums."""
        totals = np.add.reduceat(levels, self.level_offsets[:-1], axis=1)
        return np.repeat(totals, self.n_categories, axis=1)

    def _membership(self) -> sparse.csr_array:
        """Which categories a state stands for, (n_states, n_levels) of zeros and ones."""
        rows, levels = [], []
        for pack, columns in enumerate(self._packs):
            start, stop = self._state_offsets[pack : pack + 2]
            digits = np.arange(stop - start)
            for column in reversed(columns):
                digits, digit = np.divmod(digits, self._digits[column])
                code = digit - self._may_miss[column]
                (observed,) = np.nonzero(code >= 0)
                rows.append(start + observed)
                levels.append(self.level_offsets[column] + code[observed])
        entries = (np.concatenate(rows), np.concatenate(levels))
        shape = (self.n_states, self.n_levels)
        return sparse.csr_array((np.ones(len(entries[0])), entries), shape=shape)


def _pack_columns(digits: list[int], max_states: int) -> tuple[list[list[int]], list[int]]:
    """Put each column, the largest first, into the first pack that it fits; also return sizes."""
    packs: list[list[int]] = []
    sizes: list[int] = []
    for column in sorted(range(len(digits)), key=lambda column: -digits[column]):
        fitting = (p for p, size in enumerate(sizes) if size * digits[column] <= max_states)
        pack = next(fitting, len(packs))
        if pack == len(packs):
            packs.append([])
            sizes.append(1)
        packs[pack].append(column)
        sizes[pack] *= digits[column]
    return packs, sizes


class OneHot(NamedTuple):
    """Zeros and ones of a chunk's states, each way that products need them, of the same memory."""

    by_row: sparse.csr_array  # (n_chunk, n_states)
    by_state: sparse.csc_array  # (n_states, n_chunk)


class BlockStates(NamedTuple):
    """Zeros and ones of the states of blocks of rows, for those that a block has."""

    by_row: sparse.csr_array  # (n_blocks n_rows, n_used)
    by_state: sparse.csc_array  # (n_used, n_blocks n_rows)
    block: np.ndarray  # (n_used,), the block that has a state
    state: np.ndarray  # (n_used,)


class CategoricalForm:
    """One pass over states at fixed parameters; see :class:`~skmix._families.Form`."""

    row_term_total = 0.0
    min_chunk_rows = MIN_CHUNK_ROWS
    parts_per_row = 1
    visits_blocks = True

    def __init__(self, packing: Packing, params: CategoricalParams, dtype: np.dtype) -> None:
        self._packing = packing
        self.n_components = len(params.weights)
        self.dtype = np.dtype(dtype)
        n_packs = packing.n_packs
        self.bytes_of_features = 32 * n_packs
        self.bytes_per_row = 12 * n_packs + 24 * self.n_components + 16
        log_probabilities = np.log(np.maximum(params.probabilities, TINY))
        self._table = packing.levels_of_state @ np.ascontiguousarray(log_probabilities.T)
        with np.errstate(divide="ignore"):  # a component of weight 0 is impossible
            self._table[: packing.first_pack] += np.log(params.weights)

    def features(self, X: np.ndarray, scratch: Scratch) -> OneHot:
        """Return the one-hot coding of the states."""
        made_of = (X, self._packing, self.dtype)
        kept = scratch.value("ones", made_of)
        if kept is not None:  # all rows are one chunk, which the last pass has seen
            return kept
        n_rows, n_packs = X.shape
        X = X.astype(np.int32) if X.dtype.kind == "f" else X  # beside columns of numbers
        ones = scratch.array("ones", (X.size,), self.dtype)
        ones.fill(1.0)
        starts = np.arange(0, X.size + 1, n_packs, dtype=X.dtype)
        shape = (n_rows, self._packing.n_states)
        by_row = sparse.csr_array((ones, X.ravel(), starts), shape=shape)
        features = OneHot(by_row, by_row.T)
        scratch.remember("ones", made_of, features)
        return features

    def log_density(self, features: OneHot, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log probability of the observed answers."""
        np.copyto(out, (features.by_row @ self._table).T)

    def finer(self, peak: np.ndarray) -> None:
        """No row is far from all components."""
        return None

    def row_term(self, features: OneHot, scratch: Scratch) -> float:
        """Return 0: nothing is left out of the log density."""
        return 0.0

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for the states of each component."""
        return [np.zeros((self._packing.n_states, self.n_components))]

    def add(
        self,
        totals: list[np.ndarray],
        features: OneHot,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add the states that the components are responsible for."""
        by_row = scratch.array("by_row", resp.shape[::-1], self.dtype)
        np.copyto(by_row, resp.T)
        totals[0] += features.by_state @ by_row

    def statistics(self, totals: list[np.ndarray]) -> CategoricalStatistics:
        """Count rows, each of which has one state of the first pack, and answers from states."""
        (states,) = totals
        counts = states[: self._packing.first_pack].sum(axis=0)
        return CategoricalStatistics(counts, (self._packing.states_of_level @ states).T)

    def block_features(self, X: np.ndarray, n_blocks: int, scratch: Scratch) -> BlockStates:
        """Return the one-hot coding of the states that occur in every block."""
        n_states, n_packs = self._packing.n_states, X.shape[1]
        own = X.reshape(n_blocks, -1).astype(np.intp) + n_states * np.arange(n_blocks)[:, None]
        present = np.zeros(n_blocks * n_states, dtype=bool)
        present[own] = True
        used = np.flatnonzero(present)
        place = scratch.array("place", present.shape, np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        starts = np.arange(0, X.size + 1, n_packs, dtype=np.int32)
        entries = (np.ones(X.size, dtype=self.dtype), place[own.ravel()], starts)
        by_row = sparse.csr_array(entries, shape=(len(X), len(used)))
        return BlockStates(by_row, by_row.T, *np.divmod(used, n_states))

    def block_log_density(
        self, features: BlockStates, blocks: Candidates, out: np.ndarray, scratch: Scratch
    ) -> None:
        """Write log weight + log probability for every block's candidates."""
        n_blocks, n_candidates, n_rows = out.shape
        places, filled = self._places(features, blocks)
        table = self._table.ravel()[places]
        table[filled] = NO_DENSITY
        terms = features.by_row @ table
        np.copyto(out, terms.reshape(n_blocks, n_rows, n_candidates).swapaxes(1, 2))

    def block_add(
        self,
        totals: list[np.ndarray],
        features: BlockStates,
        blocks: Candidates,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add the states that every block's candidates are responsible for."""
        n_blocks, n_candidates, n_rows = resp.shape
        by_row = scratch.array("by_row", (n_blocks, n_rows, n_candidates), self.dtype)
        np.copyto(by_row, resp.swapaxes(1, 2))
        places, _ = self._places(features, blocks)
        sums = features.by_state @ by_row.reshape(-1, n_candidates)
        np.add.at(totals[0].reshape(-1), places.ravel(), sums.ravel())

    def _places(self, features: BlockStates, blocks: Candidates) -> tuple[np.ndarray, np.ndarray]:
        """Return where tables have the candidates of used states, and what only fills up."""
        candidates = blocks.candidates[features.block]
        filled = candidates == self.n_components
        candidates[filled] = 0  # with responsibility 0
        return features.state[:, None] * self.n_components + candidates, filled


class Categorical:
    r"""Independent categorical columns; see :class:`~skmix._families.Family`.

    Rows are states, as :meth:`Packing.pack` makes them. The M-step sets the probability of
    category c of column j to :math:`(n_{kjc} + \alpha) / (n_{kj} + \alpha C_j)`, where n counts
    the observed answers by responsibility.

    Parameters
    ----------
    packing : Packing
        The columns.
    alpha : float
        Pseudo-observations of every category, in every component.
    """

    def __init__(self, packing: Packing, alpha: float = 0.0) -> None:
        self.packing = packing
        self.alpha = alpha

    def prepare(self, params: CategoricalParams, dtype: np.dtype) -> CategoricalForm:
        """Sum log probabilities over the columns of a pack, for each of its states."""
        return CategoricalForm(self.packing, params, dtype)

    def maximize(
        self, params: CategoricalParams, statistics: CategoricalStatistics
    ) -> CategoricalParams:
        """Return shares of the rows and of the answers; without answers, keep what was."""
        answers = statistics.answers + self.alpha
        probabilities = self.packing.shares(answers, fallback=params.probabilities)
        return CategoricalParams(statistics.counts / statistics.counts.sum(), probabilities)

    def guarded(
        self, params: CategoricalParams, statistics: CategoricalStatistics
    ) -> CategoricalStatistics:
        """Return answers that keep small probabilities, within a little, as large as they are.

        `maximize` then finds the best probabilities that are at least these.
        """
        answers = statistics.answers + self.alpha
        kept = np.minimum(params.probabilities, GUARDED) * self.packing.per_column(answers)
        return statistics._replace(answers=np.maximum(answers, kept) - self.alpha)

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> None:
        """Return None: sums of responsibilities lose no digits."""
        return None

    def forms_for_scoring(
        self, params: CategoricalParams, dtype: np.dtype
    ) -> Callable[[np.ndarray], CategoricalForm]:
        """Return one form that serves all rows."""
        form = self.prepare(params, dtype)
        return lambda X: form

    def n_components(self, params: CategoricalParams) -> int:
        """Return the number of components."""
        return len(params.weights)

    def n_parameters(self, params: CategoricalParams) -> int:
        """Return the number of free weights and probabilities."""
        n_free = self.packing.n_levels - len(self.packing.n_categories)
        return len(params.weights) * (1 + n_free) - 1

    def take(self, params: CategoricalParams, components: np.ndarray) -> CategoricalParams:
        """Return some of the components as a mixture; one may come more than once."""
        weights = params.weights[components]
        return CategoricalParams(weights / weights.sum(), params.probabilities[components])

    def sample(
        self,
        params: CategoricalParams,
        component: int,
        n_samples: int,
        rng: np.random.RandomState,
    ) -> np.ndarray:
        """Draw codes (not states) of one component, (n_samples, n_features)."""
        offsets = self.packing.level_offsets
        codes = np.empty((n_samples, len(offsets) - 1), dtype=np.int64)
        for column, (start, stop) in enumerate(pairwise(offsets)):
            cumulative = np.cumsum(params.probabilities[component, start:stop])
            draws = rng.uniform(size=n_samples) * cumulative[-1]
            codes[:, column] = np.searchsorted(cumulative, draws, side="right")
        return codes

    # What a stream asks; see :class:`~skmix._families.Streaming`. --------------------------------

    def for_batch(self, source: Any, weight: float) -> Categorical:
        """Return the family of the packs of a batch, where it has its own."""
        return Categorical(getattr(source, "packing", None) or self.packing, self.alpha)

    def combined(
        self,
        statistics: CategoricalStatistics,
        share: float,
        others: CategoricalStatistics | None = None,
        other_share: float = 0.0,
    ) -> CategoricalStatistics:
        """Return sums of so many times both statistics."""
        summed: CategoricalStatistics = weighted_sum(statistics, share, others, other_share)
        return summed

    def implied(self, params: CategoricalParams) -> CategoricalStatistics:
        """Return statistics of rows with all answers, less pseudo-observations."""
        weights = params.weights
        return CategoricalStatistics(weights.copy(), weights[:, None] * params.probabilities)

    def divided(
        self,
        statistics: CategoricalStatistics,
        params: CategoricalParams,
        dead: int,
        donor: int,
        random_state: np.random.RandomState,
    ) -> CategoricalStatistics:
        """Give a dead class half of the answers of another, chosen at random."""
        counts, answers = (field.copy() for field in statistics)
        counts[[dead, donor]] = counts[donor] / 2
        share = random_state.uniform(0.25, 0.75, size=answers.shape[1])
        answers[dead], answers[donor] = share * answers[donor], (1.0 - share) * answers[donor]
        return CategoricalStatistics(counts, answers)

    # What acceleration needs; see :class:`~skmix._families.Extrapolating`. ----------------------

    def coordinates(self, params: CategoricalParams) -> np.ndarray:
        """Return weights and probabilities as one vector."""
        return np.concatenate([params.weights, params.probabilities.ravel()])

    def from_coordinates(
        self, coordinates: np.ndarray, fallback: CategoricalParams
    ) -> CategoricalParams:
        """Return valid parameters at or near a point; `fallback` bounds them away from 0."""
        nearest = np.maximum(coordinates, MIN_SHRINKAGE * self.coordinates(fallback))
        weights, probabilities = np.split(nearest, [len(fallback.weights)])
        probabilities = probabilities.reshape(fallback.probabilities.shape)
        return CategoricalParams(weights / weights.sum(), self.packing.shares(probabilities))

    def log_prior(self, params: CategoricalParams) -> float:
        """Return the log of the Dirichlet prior that `alpha` stands for, up to a constant."""
        if self.alpha == 0:
            return 0.0
        return self.alpha * float(np.log(np.maximum(params.probabilities, TINY)).sum())
