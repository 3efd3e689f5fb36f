"""Starts of a Gaussian mixture's fit: from what is given, by one method, or by a competition."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np

from .._engine.em import em, predict
from .._families import GaussianFamily, GaussianParams
from .._rows.sources import Source
from . import methods, sampling, search
from .runs import weights_of

# A component with less variance than rounding has, in some direction, is on a value or two of a
# rounded column.
FINER = 1.0


class GaussianStarts(NamedTuple):
    """Where runs of EM start, when they try again, and what compares where they ended.

    Parameters that go in and come out are in the frame of the family that goes with them.
    """

    n_components: int
    init_params: str  # one of `methods.INIT_PARAMS`
    tol: float  # nats per row, of the runs that compete
    max_iter: int  # likewise
    hard: bool  # whether rows count for their most probable component alone

    def start(
        self,
        source: Source,
        family: GaussianFamily,
        given: dict[str, Any],
        random_state: np.random.RandomState,
    ) -> tuple[GaussianParams, np.ndarray]:
        """Return parameters, those `given` among them, and components that were moved.

        A component that starts identical to another is moved to a random row.
        """
        if len(given) == len(GaussianParams._fields):
            params = GaussianParams(**given)
        elif self._competes(family):
            params = self._search(source, family, given, random_state)._replace(**given)
        else:
            rows = source
            if source.incomplete:
                rows = methods.complete(source, self.n_components, random_state)
            name = "kmeans" if self.init_params == "auto" else self.init_params
            start = methods.make_start(rows, self.n_components, name, random_state)
            params = methods.start_params(start, family)._replace(**given)
        if "precisions_cholesky" in given:
            params = family.admissible(params)
        return methods.break_ties(params, family, source, random_state)

    def second_try(
        self,
        source: Source,
        family: GaussianFamily,
        given: dict[str, Any],
        params: GaussianParams,
        random_state: np.random.RandomState,
    ) -> GaussianParams | None:
        """Return parameters in which components that died or collapsed share the rows of others.

        None where a run needs no second try.
        """
        if "means" in given or not self._competes(family):
            return None
        bad = params.weights == 0
        few_enough = 3 * (1 + params.means.shape[1])
        if not bad.any() and params.weights.min() * source.n_samples > few_enough:
            return None
        few = self._few_rows(source)
        with few.filled:
            few_family = family.for_rows(few.filled)
            params = few_family.entered_from(family, params)
            if not search.too_few(few, few_family, self.n_components):
                bad |= search.verdict(few, few_family, params, self.hard)[1]
            if not bad.any() or bad.all() or few.source.n_samples <= 2 * self.n_components:
                return None
            params = search.reseed(
                few, few_family, params, np.flatnonzero(bad), random_state, hard=self.hard
            )
            return family.entered_from(few_family, params)

    def rank(
        self,
        source: Source,
        family: GaussianFamily,
        params: GaussianParams,
        lower_bound: float,
    ) -> tuple[bool, float]:
        """Return what compares fits to the same rows.

        Whether no component is a spike comes first, then the likelihood (nats per row) at the
        resolution of the rows.
        """
        if self.n_components == 1:
            return True, lower_bound
        few = self._few_rows(source)
        few_family = family.for_rows(few.filled)
        params = few_family.entered_from(family, params)
        taken, spikes = search.verdict(few, few_family, params, self.hard)
        return not spikes.any(), lower_bound + taken

    def is_flattered(self, source: Source, family: GaussianFamily, params: GaussianParams) -> bool:
        """Whether a likelihood comes from spikes, or from components finer than the rows are.

        A row that many are equal to is a cluster of its own, and may be as fine as it is.
        """
        if self.n_components == 1:
            return False
        few = self._few_rows(source)
        few_family = family.for_rows(few.filled)
        params = few_family.entered_from(family, params)
        rounding = few.rounding / few_family.frame.scale**2
        share = few_family.largest_share(params, rounding)
        finer = np.broadcast_to(share > FINER, self.n_components).copy()
        if finer.any():
            weight = weights_of(few.filled)
            heavy = weight >= weight.sum() / (2 * self.n_components)
            finer[predict(few.filled, few_family, params)[heavy]] = False
        return bool(finer.any() or search.verdict(few, few_family, params, self.hard)[1].any())

    def _competes(self, family: GaussianFamily) -> bool:
        """Whether several starts are worth their while."""
        affordable = search.searchable(family, len(family.frame.scale))
        return self.init_params == "auto" and self.n_components > 1 and affordable

    def _few_rows(self, source: Source) -> sampling.FewRows:
        return sampling.few_rows(source, self.n_components, np.random.RandomState(0))

    def _search(
        self,
        source: Source,
        family: GaussianFamily,
        given: dict[str, Any],
        random_state: np.random.RandomState,
    ) -> GaussianParams:
        """Return where runs on a few rows, and for many rows a run on more of them, led."""
        peer_state = copy.deepcopy(random_state)  # draws what scikit-learn draws
        options: dict[str, Any] = {"tol": self.tol, "max_iter": self.max_iter, "hard": self.hard}
        source.release()
        few = sampling.few_rows(source, self.n_components, random_state)
        with few.source:
            if "means" in given:
                few_family = family.for_rows(few.filled)
                means = given["means"] * family.frame.scale + family.frame.reference
                means = (means - few_family.frame.reference) / few_family.frame.scale
                params = search.start_near(few, few_family, means)
                return family.entered_from(few_family, params)
            peer = sampling.peer_centres(few, self.n_components, peer_state)
            params = search.search(
                few, family.for_rows, peer, self.n_components, random_state, **options
            )
        more = sampling.more_rows(source, few.source.n_samples, random_state)
        if more is not None and self.max_iter > 0:
            with more:
                more_family = search.forgiving(family.for_rows(more))
                result = em(more, more_family, more_family.to_frame(params), **options)
                params = more_family.from_frame(result.params)
        return family.to_frame(params)
