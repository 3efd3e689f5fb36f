"""Which components can matter to which rows, as an exact pass over the rows finds them.

Rows are grouped by their most probable component. The candidates of a group are the components
that carry all but a share of its responsibilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .._rows.sources import CHUNK_BYTES, MAX_LANES, Chunk, Scratch

# No more than this share of a component's rows may be in groups that it is no candidate of: one
# that is nowhere among the largest keeps its rows.
SHARE_OF_COMPONENT = 1e-2
# Rows of a block: what is left of a group is filled up to the smallest.
BLOCK_ROWS = (128, 32)
# Rows are gathered from so many bytes at a time, so that a file is read from first to last.
SEGMENT_BYTES = 2**27
# ... but of so many rows for every group that blocks are full.
ROWS_PER_GROUP = 256
# Lists of candidates that differ by less are filled up to one length.
FILLED_UP = 0.85
# What the features of a row cost, in products with components.
COST_OF_ROW = 20


class Groups(NamedTuple):
    """Rows by their most probable component, and the candidates of every group."""

    labels: np.ndarray  # (n_samples,)
    starts: np.ndarray  # (n_components + 1,), where the candidates of a group start
    candidates: np.ndarray

    @property
    def n_components(self) -> int:
        """Number of components, and of groups."""
        return len(self.starts) - 1

    @property
    def n_candidates(self) -> np.ndarray:
        """Number of candidates of every group."""
        return np.diff(self.starts)

    @property
    def members(self) -> np.ndarray:
        """Mask (n_groups, n_components) of the candidates."""
        members = np.zeros((self.n_components, self.n_components), dtype=bool)
        members[np.repeat(np.arange(self.n_components), self.n_candidates), self.candidates] = True
        return members

    @property
    def work(self) -> float:
        """What a truncated pass costs, as a share of an exact one."""
        sizes = np.bincount(self.labels, minlength=self.n_components)
        filled = -(-sizes // BLOCK_ROWS[-1]) * BLOCK_ROWS[-1]
        products = float(filled @ (self.n_candidates + COST_OF_ROW))
        return products / (len(self.labels) * (self.n_components + COST_OF_ROW))

    @property
    def lists(self) -> np.ndarray:
        """The candidates of every group in a row, filled up by the number of components."""
        n_candidates = self.n_candidates
        lists = np.full((self.n_components, n_candidates.max()), self.n_components)
        lists[np.arange(lists.shape[1]) < n_candidates[:, None]] = self.candidates
        return lists


class Watch:
    """What an exact pass sums to find groups and candidates: one more additive statistic.

    Parameters
    ----------
    n_samples, n_components : int

    share : float
        Responsibilities of a row that are less than this together may be overlooked.

    known : Groups, default=None
        Groups and candidates to judge by the responsibilities that they leave out.
    """

    def __init__(
        self, n_samples: int, n_components: int, share: float, known: Groups | None = None
    ) -> None:
        self.n_components = n_components
        self.labels = np.zeros(n_samples, dtype=np.int32)
        self.totals: list[np.ndarray] = []
        self._log_floor = np.log(share / n_components)
        self._known = known
        self._members = None if known is None else known.members

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for responsibilities by group, and for what known candidates leave out."""
        # They only say which are large.
        overlap = np.zeros((self.n_components, self.n_components), dtype=np.float32)
        return [overlap, np.zeros(1)]

    def add(
        self, chunk: Chunk, joint: np.ndarray, peak: np.ndarray, totals: Any, scratch: Scratch
    ) -> None:
        """Add the log terms (n_components, n_chunk) of a chunk, whose largest are `peak`."""
        n_rows = len(peak)
        above = scratch.array("above", joint.shape, bool)
        np.greater(joint, peak + peak.dtype.type(self._log_floor), out=above)
        places = np.flatnonzero(above)
        components, rows = np.divmod(places, n_rows)
        terms = joint.ravel()[places] - peak[rows]
        labels = np.zeros(n_rows, dtype=np.intp)
        top = terms == 0.0
        labels[rows[top]] = components[top]
        resp = np.exp(terms, dtype=np.float64)
        scale = 1.0 / np.maximum(np.bincount(rows, resp, minlength=n_rows), 1.0)
        if chunk.sample_weight is not None:
            scale *= chunk.sample_weight
        resp *= scale[rows]
        of_pairs = totals[0].reshape(-1)
        pairs = labels[rows] * self.n_components + components
        np.add.at(of_pairs, pairs, resp.astype(np.float32))
        if self._known is not None and self._members is not None:
            groups = self._known.labels[chunk.rows][rows]
            totals[1] += resp[~self._members[groups, components]].sum()
        self.labels[chunk.rows] = labels

    def see(self, totals: list[np.ndarray]) -> None:
        """Take the sums over all rows."""
        self.totals = totals

    @property
    def left_out(self) -> float:
        """Sum of the responsibilities that the known candidates leave out."""
        return float(self.totals[1][0])

    def groups(self, share: float) -> Groups:
        """Return candidates that leave out no more than a share of any group."""
        group, component = np.nonzero(self.totals[0])
        resp = self.totals[0][group, component].astype(np.float64)
        kept = all_but(share, resp, group) | all_but(SHARE_OF_COMPONENT, resp, component)
        starts = np.searchsorted(group[kept], np.arange(self.n_components + 1))
        return Groups(self.labels, starts, component[kept])


def all_but(share: float, values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Mask of the largest values `of` every owner that leave out at most a share of their sum."""
    order = np.lexsort((values, of))
    values, of = values[order], of[order]
    first = np.flatnonzero(np.diff(of, prepend=-1))
    sizes = np.diff(first, append=len(of))
    until = np.cumsum(values)
    before = np.repeat(until[first] - values[first], sizes)
    totals = np.repeat(np.add.reduceat(values, first), sizes)
    largest = np.zeros(len(values), dtype=bool)
    largest[first + sizes - 1] = True  # whatever rounding says
    kept = np.empty(len(values), dtype=bool)
    kept[order] = largest | (until - before > share * totals)
    return kept


class Blocks(NamedTuple):
    """Blocks of rows, each of one group, that are visited together."""

    rows: np.ndarray  # (n_blocks, n_rows); the last one is repeated where a group has fewer
    n_own: np.ndarray  # (n_blocks,), the number of rows without those repeated
    candidates: np.ndarray  # (n_blocks, n_candidates), filled up by the number of components
    components: np.ndarray  # those among the candidates, each once
    sums: sparse.csr_array  # (n_components here, n_blocks n_candidates), ones where they are

    def add_to(self, totals: np.ndarray, own: np.ndarray) -> None:
        """Add what candidates have (n_blocks, n_candidates, ...) to totals (n_components, ...)."""
        totals[self.components] += self.sums @ own.reshape(-1, *own.shape[2:])


def blocks_of(groups: Groups, bytes_per_row: int, bytes_per_features: int) -> list[Blocks]:
    """Cut the rows to blocks, segment by segment.

    The bytes are those of a row in the source, and of its features.
    """
    n_samples = len(groups.labels)
    segment = max(SEGMENT_BYTES // bytes_per_row, ROWS_PER_GROUP * groups.n_components)
    edges = np.linspace(0, n_samples, -(-n_samples // segment) + 1).astype(int)
    blocks: list[Blocks] = []
    for start, stop in pairwise(edges.tolist()):
        own = list(_blocks_of_segment(groups, start, stop, bytes_per_features))
        # Large ones come first: every lane gets some of them.
        blocks += [own[i] for lane in range(MAX_LANES) for i in range(lane, len(own), MAX_LANES)]
    return blocks


def _blocks_of_segment(groups: Groups, start: int, stop: int, n_bytes: int) -> Iterator[Blocks]:
    labels = groups.labels[start:stop]
    order = start + np.argsort(labels, kind="stable").astype(np.int32 if stop < 2**31 else int)
    left = np.bincount(labels, minlength=groups.n_components)
    first = np.cumsum(left) - left
    n_candidates, lists = groups.n_candidates, groups.lists
    for height, smaller in pairwise((*BLOCK_ROWS, 0)):
        # What is left fills a block where it would fill as many smaller ones.
        n_blocks = (left + smaller - 1) // height if smaller else -(-left // height)
        taken = np.minimum(n_blocks * height, left)
        for group, place in _stacks(n_blocks, n_candidates, height * n_bytes):
            n_own = np.minimum(height, taken[group] - height * place)
            within = np.minimum(np.arange(height), n_own[:, None] - 1)
            rows = order[(first[group] + height * place)[:, None] + within]
            candidates = lists[group, : n_candidates[group].max()]
            yield Blocks(rows, n_own, candidates, *_sums_of(candidates, groups.n_components))
        first, left = first + taken, left - taken


def _stacks(
    n_blocks: np.ndarray, n_candidates: np.ndarray, bytes_per_block: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the groups of blocks that are visited together, and their places in the groups."""
    by_size = np.argsort(-n_candidates, kind="stable")
    n_blocks = n_blocks[by_size]
    group = np.repeat(by_size, n_blocks)
    place = np.arange(len(group)) - np.repeat(np.cumsum(n_blocks) - n_blocks, n_blocks)
    together = max(1, min(CHUNK_BYTES // bytes_per_block, -(-len(group) // MAX_LANES)))
    sizes = -n_candidates[group]
    start = 0
    while start < len(group):
        similar = int(np.searchsorted(sizes, FILLED_UP * sizes[start], side="right"))
        stop = min(start + together, similar)
        yield group[start:stop], place[start:stop]
        start = stop


def _sums_of(candidates: np.ndarray, n_components: int) -> tuple[np.ndarray, sparse.csr_array]:
    """Return the components in lists of candidates, and the matrix that adds up theirs."""
    components, place = np.unique(candidates, return_inverse=True)
    ones, columns = np.ones(candidates.size), np.arange(candidates.size)
    shape = len(components), candidates.size
    sums = sparse.csr_array((ones, (place.ravel(), columns)), shape=shape)
    if components[-1] == n_components:
        components, sums = components[:-1], sums[:-1]
    return components, sums
