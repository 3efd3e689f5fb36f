"""Passes in which a row visits only the components that can matter to it.

With many components a row belongs to a few. Exact passes now and then find which
(`candidates.py`); the passes between them evaluate these alone, for blocks of rows that share
them, in stacked matrix products. While groups and candidates stay as they are, that is EM on a
lower bound of the likelihood, in which the responsibilities of a row are 0 outside its candidates:
the bound never falls. An exact pass says how much they leave out by now, and how long the next
ones may do.

The idea of truncated expectations for clusters that share few candidates is that of D. Forster,
J. Lücke, "Can clustering scale sublinearly with its clusters? A variational EM acceleration of
GMMs and k-means", AISTATS 2018, PMLR 84:124-132.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._families import Family, guarded, visits_blocks
from .._rows.sources import Scratch, Source
from .candidates import Blocks, Groups, Watch, blocks_of
from .terms import exp_terms, one_hot

# With fewer components, or pairs of them with rows, exact passes are as fast. More components have
# too many pairs of their own.
MIN_COMPONENTS, MAX_COMPONENTS = 64, 4096
MIN_PAIRS = 2**23
# A run of fewer passes would be exact ones.
MIN_PASSES = 6
# A truncated pass that costs a larger share of an exact one is not worth it.
MOST_WORK = 0.5
# Share of a group's responsibilities that its candidates leave out. With ten times as much, fits
# fall behind: components gain rows through the responsibilities that they have outside of theirs.
SHARE = 1e-5
# Share of all responsibilities that may be outside when an exact pass looks again.
ALLOWED = 1e-3
# Truncated passes before the first look, and by how much their number changes from look to look.
FIRST_STRETCH, MOST_CHANGE = 4.0, 4.0
# Probabilities grow from next to nothing within a few passes, where densities of numbers do not:
# less is left out, and looks are no more passes apart. With 1e-5 and long stretches a fit of 300
# components to 48 842 rows of mixed columns was 0.007 nats per row behind after 100 passes.
SHARE_OF_GROWING, MOST_STRETCH = 1e-7, 12.0
# Exact passes that decide on convergence, and those after which truncated ones are tried again.
CONFIRMING, PAUSE = 3, 8


class Truncation:
    """Which passes of a run of EM are exact; makes all of them.

    Parameters
    ----------
    source : Source
    family : Family
    expect : callable
        Makes an exact pass, given the source, a form, `hard` and `watch`.
    hard : bool
        Whether a row belongs to its most probable component alone.

    Attributes
    ----------
    exact : bool
        Whether the last pass was exact.
    comparable : bool
        Whether the bound of the last pass may not be below that of the pass before.
    may_change : bool
        Whether the next pass need not be like the last one, unless it is made so.
    """

    def __init__(
        self, source: Source, family: Family, expect: Callable[..., Any], *, hard: bool
    ) -> None:
        self._source, self._family = source, family
        self._expect, self._hard = expect, hard
        self.exact = self.comparable = self.may_change = True
        growing = hasattr(family, "guarded")
        self._share = SHARE_OF_GROWING if growing else SHARE
        self._stretch, self._most = FIRST_STRETCH, MOST_STRETCH if growing else np.inf
        self._params: Any = None
        self._groups: Groups | None = None
        self._blocks: list[Blocks] = []
        self._n_truncated = 0  # passes before the next exact one
        self._n_exact = 0  # passes before the next truncated one
        self._watched = False

    @staticmethod
    def pays(source: Source, n_components: int, max_iter: int) -> bool:
        """Whether a run may gain by it."""
        return (
            MIN_COMPONENTS <= n_components <= MAX_COMPONENTS
            and source.n_samples * n_components >= MIN_PAIRS
            and max_iter >= MIN_PASSES
            and source.random_access
        )

    def make_exact(self) -> None:
        """Make the next pass an exact one."""
        self._n_truncated = 0

    def hear_of_rounding(self) -> None:
        """Make exact passes for a while if a truncated pass had to be repeated."""
        if not self.exact:
            self._pause()

    def _pause(self) -> None:
        self._n_truncated, self._n_exact = 0, PAUSE

    def confirm(self, converged: bool) -> bool:
        """Whether the run has converged, given whether the last pass gained little.

        Exact passes decide. The likelihood of one that follows a truncated pass gains at least
        what an exact pass before it would have made it gain.
        """
        if not converged or not self.comparable:
            return False
        if not self.exact:
            self._n_truncated, self._n_exact = 0, CONFIRMING
            self._share /= 10.0  # should they gain more
        return self.exact

    def prepare(self, params: Any) -> Any:
        """Return the form of the next pass, and decide whether that is exact."""
        source, self._params = self._source, params
        was_exact = self.exact
        self.exact = self._n_truncated == 0 and (self.may_change or was_exact)
        form = truncated = self._family.prepare(params, source.dtype)
        if not visits_blocks(form) and source.dtype != np.float64:
            truncated = self._family.prepare(params, np.dtype(np.float64))
        self._watched = visits_blocks(truncated)
        if not self._watched:
            self.exact, self._n_truncated = True, 0
        self.comparable = self.exact or not was_exact
        return form if self.exact else truncated

    def expect(self, form: Any) -> tuple[float, Any]:
        """Make a pass: the log-likelihood or a lower bound of it, and statistics."""
        if not self.exact:
            self._n_truncated = max(0, self._n_truncated - 1)
            return self._expect_truncated(form)
        self._n_exact = max(0, self._n_exact - 1)
        if self._n_exact or not (self._watched and self.may_change):
            return self._expect(self._source, form, hard=self._hard)
        watch = Watch(self._source.n_samples, form.n_components, self._share, self._groups)
        made = self._expect(self._source, form, hard=self._hard, watch=watch)
        self._plan(watch)
        return made

    def _plan(self, watch: Watch) -> None:
        """Choose groups, candidates and the number of passes by what an exact pass has seen."""
        if self._groups is not None:
            left_out = watch.left_out / self._source.total_weight
            if left_out > ALLOWED:
                self._share /= 10.0
            # What is outside grows about evenly.
            change = ALLOWED / max(2.0 * left_out, ALLOWED / MOST_CHANGE)
            self._stretch *= max(change, 1.0 / MOST_CHANGE)
            self._stretch = min(max(1.0, self._stretch), self._most)
        self._groups, self._blocks = watch.groups(self._share), []
        if self._groups.work > MOST_WORK:
            self._groups = None
            self._pause()
        else:
            self._n_truncated = int(self._stretch)

    def _expect_truncated(self, form: Any) -> tuple[float, Any]:
        """Sum over the candidates of every row."""
        assert self._groups is not None
        source = self._source
        if not self._blocks:
            bytes_per_row = source.dtype.itemsize * source.n_features
            self._blocks = blocks_of(self._groups, bytes_per_row, form.bytes_of_features)

        def zeros() -> list[np.ndarray]:
            return [np.zeros(1), *form.zeros()]

        def add(blocks: Blocks, totals: list[np.ndarray], scratch: Scratch) -> None:
            with np.errstate(over="ignore", invalid="ignore"):  # a finer form takes over
                self._add_blocks(form, blocks, totals, scratch)

        (bound, *_), *totals = source.reduce_batches(add, zeros, self._blocks)
        statistics = guarded(self._family, self._params, form.statistics(totals))
        return float(bound) + form.row_term_total, statistics

    def _add_blocks(self, form: Any, blocks: Blocks, totals: Any, scratch: Scratch) -> None:
        """Add the log-likelihood and the statistics of blocks of rows."""
        n_blocks, n_rows = blocks.rows.shape
        chunk = self._source.take(blocks.rows.ravel())
        features = form.block_features(chunk.X, n_blocks, scratch)
        terms = scratch.array("resp", (*blocks.candidates.shape, n_rows), form.dtype)
        form.block_log_density(features, blocks, terms, scratch)
        peak = terms.max(axis=1)
        finer = form.finer(peak)
        if finer is not None:
            self._add_blocks(finer, blocks, totals, scratch)
            return
        weight: Any = np.arange(n_rows) < blocks.n_own[:, None]
        if chunk.sample_weight is not None:
            weight = weight * chunk.sample_weight.reshape(weight.shape)
        norm = (one_hot if self._hard else exp_terms)(terms, peak, scratch)
        totals[0] += np.vdot(np.add(np.log(norm), peak, dtype=np.float64), weight)
        np.multiply(terms, (weight / norm)[:, None], out=terms, casting="same_kind")
        form.block_add(totals[1:], features, blocks, terms, scratch)
