"""Components whose columns are of several kinds: a product of families over blocks of columns.

Within a component the blocks are independent, so that log densities add, statistics stand side by
side, and each part maximises its own. What a part can do the product can: missing cells, weights,
float32, any covariance structure. The engine does not know the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._rows.sources import Scratch
from .gaussian import DEAD_SHARE
from .gaussian_form import log_of_weights
from .protocols import (
    Candidates,
    Family,
    Form,
    concession_of,
    guarded,
    magnitude_of,
    visits_blocks,
)


class Part(NamedTuple):
    """A family, and the columns of the rows that it describes."""

    name: str
    family: Any
    columns: slice


class ProductParams(NamedTuple):
    """Parameters of all parts; the weights within them are copies."""

    weights: np.ndarray  # (n_components,)
    parts: tuple[Any, ...]


class ProductStatistics(NamedTuple):
    """Sums over the rows, of every part."""

    counts: np.ndarray  # (n_components,)
    parts: tuple[Any, ...]


class ProductForm:
    """One pass over the rows at fixed parameters; see :class:`~skmix._families.Form`.

    Parameters
    ----------
    parts : tuple of Part

    forms : list of Form
        One for each part. Each counts the log weights, the product only once.

    weights : ndarray of shape (n_components,)
    """

    parts_per_row = 1

    def __init__(self, parts: tuple[Part, ...], forms: list[Form], weights: np.ndarray) -> None:
        self.parts, self.forms = parts, forms
        self._weights = weights
        self.n_components = len(weights)
        self.dtype = np.result_type(*(form.dtype for form in forms))
        self.bytes_per_row = sum(form.bytes_per_row for form in forms)
        if len(forms) > 1:  # terms and responsibilities of one part
            self.bytes_per_row += 2 * self.dtype.itemsize * self.n_components
        self.min_chunk_rows = max(form.min_chunk_rows for form in forms)
        self.row_term_total: Any = sum(form.row_term_total for form in forms)
        self._lengths = [len(form.zeros()) for form in forms]
        self._dead = np.flatnonzero(weights <= 0)
        log_weights = log_of_weights(weights, self.dtype)
        self._surplus = ((len(forms) - 1) * log_weights)[:, None].astype(self.dtype)
        self._surplus[self._dead] = 0.0
        self._of_dead = log_weights[self._dead, None]
        self.visits_blocks = all(visits_blocks(form) for form in forms)

    @property
    def bytes_of_features(self) -> int:
        """Bytes of the features of a row."""
        forms: Any = self.forms
        return sum(form.bytes_of_features for form in forms)

    def features(self, X: np.ndarray, scratch: Scratch) -> list[Any]:
        """Return the features of every part."""
        made_of = (X, self.parts)
        blocks = scratch.value("blocks", made_of)
        if blocks is None:
            blocks = [X[:, part.columns] for part in self.parts]
            scratch.remember("blocks", made_of, blocks)  # the same objects in every pass
        return [
            form.features(block, scratch.of_part(i))
            for i, (form, block) in enumerate(zip(self.forms, blocks, strict=True))
        ]

    def log_density(self, features: list[Any], out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + the sum of the log densities of all parts."""
        for i, (form, own) in enumerate(zip(self.forms, features, strict=True)):
            if i == 0:
                form.log_density(own, out, scratch.of_part(i))
                continue
            terms = scratch.array("terms", out.shape, out.dtype)
            form.log_density(own, terms, scratch.of_part(i))
            np.add(out, terms, out=out)
        if len(self.forms) > 1:
            np.subtract(out, self._surplus, out=out)
            out[self._dead] = self._of_dead

    def finer(self, peak: np.ndarray) -> ProductForm | None:
        """Return a form with finer parts where these say so."""
        finer = [form.finer(peak) for form in self.forms]
        if all(form is None for form in finer):
            return None
        forms = [new or form for new, form in zip(finer, self.forms, strict=True)]
        return ProductForm(self.parts, forms, self._weights)

    def row_term(self, features: list[Any], scratch: Scratch) -> Any:
        """Return the part of the log density that all components share."""
        terms = (
            form.row_term(own, scratch.of_part(i))
            for i, (form, own) in enumerate(zip(self.forms, features, strict=True))
        )
        return sum(terms)

    def zeros(self) -> list[np.ndarray]:
        """Return zeros for the statistics of all parts, one after the other."""
        return [array for form in self.forms for array in form.zeros()]

    def add(
        self, totals: list[np.ndarray], features: list[Any], resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add a chunk's statistics of every part."""
        last, start = len(self.forms) - 1, 0
        for i, (form, own) in enumerate(zip(self.forms, features, strict=True)):
            stop = start + self._lengths[i]
            given = resp
            if i < last:  # which a part may overwrite
                given = scratch.array("part resp", resp.shape, resp.dtype)
                np.copyto(given, resp)
            form.add(totals[start:stop], own, given, scratch.of_part(i))
            start = stop

    def statistics(self, totals: list[np.ndarray]) -> ProductStatistics:
        """Name the summed arrays."""
        edges = np.cumsum([0, *self._lengths])
        parts = tuple(
            form.statistics(totals[edges[i] : edges[i + 1]]) for i, form in enumerate(self.forms)
        )
        return ProductStatistics(parts[0].counts, parts)

    def block_features(self, X: np.ndarray, n_blocks: int, scratch: Scratch) -> list[Any]:
        """Return the features of blocks of every part."""
        forms: Any = self.forms
        return [
            form.block_features(X[:, part.columns], n_blocks, scratch.of_part(i))
            for i, (part, form) in enumerate(zip(self.parts, forms, strict=True))
        ]

    def block_log_density(
        self, features: list[Any], blocks: Candidates, out: np.ndarray, scratch: Scratch
    ) -> None:
        """Write log weight + the sum of the log densities of all parts, for candidates."""
        forms: Any = self.forms
        forms[0].block_log_density(features[0], blocks, out, scratch.of_part(0))
        for i, form in enumerate(forms[1:], start=1):
            terms = scratch.array("terms", out.shape, out.dtype)
            form.block_log_density(features[i], blocks, terms, scratch.of_part(i))
            np.add(out, terms, out=out)
        if len(forms) > 1:
            # What fills lists up keeps next to no density, whichever component stands for it.
            np.subtract(out, self._surplus.take(blocks.candidates, 0, mode="clip"), out=out)
        if len(self._dead):
            out[np.isin(blocks.candidates, self._dead)] = self._of_dead[0]

    def block_add(
        self,
        totals: list[np.ndarray],
        features: list[Any],
        blocks: Candidates,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add the statistics of every part."""
        forms: Any = self.forms
        edges = np.cumsum([0, *self._lengths])
        for i, (form, own) in enumerate(zip(forms, features, strict=True)):
            sums = totals[edges[i] : edges[i + 1]]
            form.block_add(sums, own, blocks, resp, scratch.of_part(i))


class Product:
    """Components that are products of other families; see :class:`~skmix._families.Family`.

    Parameters
    ----------
    parts : iterable of Part
        Their statistics have `counts` and their parameters `weights`. Columns are those of the
        rows of a source; `sample` puts what the parts draw side by side.
    """

    def __init__(self, parts: Any) -> None:
        self.parts = tuple(parts)

    # What the engine asks of a family ---------------------------------------------------------

    def prepare(self, params: ProductParams, dtype: Any) -> ProductForm:
        """Prepare every part."""
        forms = [
            part.family.prepare(own, dtype)
            for part, own in zip(self.parts, self._own(params), strict=True)
        ]
        return ProductForm(self.parts, forms, params.weights)

    def maximize(self, params: ProductParams, statistics: ProductStatistics) -> ProductParams:
        """Let every part maximise; a component without rows has weight 0 in all of them."""
        own = [
            part.family.maximize(before, sums)
            for part, before, sums in zip(
                self.parts, self._own(params), statistics.parts, strict=True
            )
        ]
        counts = statistics.counts
        counts = np.where(counts <= DEAD_SHARE * counts.sum(), 0.0, counts)
        return self.params(counts / counts.sum(), own)

    def guarded(self, params: ProductParams, statistics: ProductStatistics) -> ProductStatistics:
        """Return statistics that every part has guarded."""
        own = zip(self.parts, self._own(params), statistics.parts, strict=True)
        parts = tuple(guarded(part.family, before, sums) for part, before, sums in own)
        return statistics._replace(parts=parts)

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> Any:
        """Return a form in which the parts that ask for it repeat their sums more accurately."""
        news = [None] * len(self.parts) if new_params is None else new_params.parts
        finer = [
            part.family.refine(own, own_form, sums, new)
            for part, own, own_form, sums, new in zip(
                self.parts, self._own(params), form.forms, statistics.parts, news, strict=True
            )
        ]
        if all(own is None for own in finer):
            return None
        forms = [new or own for new, own in zip(finer, form.forms, strict=True)]
        return ProductForm(self.parts, forms, params.weights)

    def forms_for_scoring(
        self, params: ProductParams, dtype: Any
    ) -> Callable[[np.ndarray], ProductForm]:
        """Return a function from a chunk to forms of all parts that are accurate for it."""
        forms_of = [
            part.family.forms_for_scoring(own, dtype)
            for part, own in zip(self.parts, self._own(params), strict=True)
        ]

        def form_for(X: np.ndarray) -> ProductForm:
            blocks = (X[:, part.columns] for part in self.parts)
            forms = [of(block) for of, block in zip(forms_of, blocks, strict=True)]
            return ProductForm(self.parts, forms, params.weights)

        return form_for

    def concession(self, params: Any, update: Any, total_weight: float) -> float:
        """Return by how much priors and regularisation let the likelihood fall."""
        return sum(
            concession_of(part.family, before, after, total_weight)
            for part, before, after in zip(
                self.parts, self._own(params), self._own(update), strict=True
            )
        )

    def magnitude(self, params: ProductParams, source: Any) -> float:
        """Return the mean size of the terms of a log density (nats)."""
        return sum(
            magnitude_of(part.family, own, source.block(part.columns))
            for part, own in zip(self.parts, self._own(params), strict=True)
        )

    def n_components(self, params: ProductParams) -> int:
        """Return the number of components."""
        return len(params.weights)

    def n_parameters(self, params: ProductParams) -> int:
        """Return the number of free parameters, weights counted once."""
        own = (
            part.family.n_parameters(own) - (len(params.weights) - 1)
            for part, own in zip(self.parts, self._own(params), strict=True)
        )
        return sum(own) + len(params.weights) - 1

    def sample(
        self, params: ProductParams, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Draw what every part draws, side by side."""
        drawn = [
            part.family.sample(own, component, n_samples, rng)
            for part, own in zip(self.parts, params.parts, strict=True)
        ]
        return np.hstack(drawn)

    # What a stream asks, where all parts have it; see `Streaming`. -----------------------------

    def for_batch(self, source: Any, weight: float) -> Product:
        """Return the product for the rows of a batch."""
        return self.changed(lambda part: part.family.for_batch(source.block(part.columns), weight))

    def combined(
        self, statistics: Any, share: float, others: Any = None, other_share: float = 0.0
    ) -> ProductStatistics:
        """Return sums of so many times both statistics."""
        more = [None] * len(self.parts) if others is None else others.parts
        own = [
            part.family.combined(sums, share, other, other_share)
            for part, sums, other in zip(self.parts, statistics.parts, more, strict=True)
        ]
        return ProductStatistics(own[0].counts, tuple(own))

    def implied(self, params: ProductParams) -> ProductStatistics:
        """Return statistics that the parameters of all parts are the most likely for."""
        own = [
            part.family.implied(own)
            for part, own in zip(self.parts, self._own(params), strict=True)
        ]
        return ProductStatistics(own[0].counts, tuple(own))

    def divided(
        self,
        statistics: ProductStatistics,
        params: ProductParams,
        dead: int,
        donor: int,
        random_state: np.random.RandomState,
    ) -> ProductStatistics:
        """Divide a component in all parts."""
        own = [
            part.family.divided(sums, own, dead, donor, random_state)
            for part, sums, own in zip(
                self.parts, statistics.parts, self._own(params), strict=True
            )
        ]
        return ProductStatistics(own[0].counts, tuple(own))

    # What acceleration needs, where all parts have it; see `Extrapolating`. ---------------------

    def coordinates(self, params: ProductParams) -> np.ndarray:
        """Return the coordinates of all parts as one vector."""
        return np.concatenate(self._coordinates(params))

    def from_coordinates(self, coordinates: np.ndarray, fallback: ProductParams) -> ProductParams:
        """Return valid parameters at or near a point."""
        sizes = [len(own) for own in self._coordinates(fallback)]
        blocks = np.split(coordinates, np.cumsum(sizes)[:-1])
        own = [
            part.family.from_coordinates(block, before)
            for part, block, before in zip(self.parts, blocks, self._own(fallback), strict=True)
        ]
        return self.params(own[0].weights, own)

    def log_prior(self, params: ProductParams) -> float:
        """Return what `maximize` adds to the log-likelihood of all rows (nats)."""
        own = zip(self.parts, self._own(params), strict=True)
        return sum(part.family.log_prior(params) for part, params in own)

    def _coordinates(self, params: ProductParams) -> list[np.ndarray]:
        own = zip(self.parts, self._own(params), strict=True)
        return [part.family.coordinates(params) for part, params in own]

    # What estimators and starts ask -------------------------------------------------------------

    def params(self, weights: np.ndarray, parts: Any) -> ProductParams:
        """Return parameters of the parts with common weights."""
        return ProductParams(weights, tuple(own._replace(weights=weights) for own in parts))

    def take(self, params: ProductParams, components: np.ndarray) -> ProductParams:
        """Return some of the components as a mixture; one may come more than once."""
        own = [
            part.family.take(own, components)
            for part, own in zip(self.parts, self._own(params), strict=True)
        ]
        return self.params(own[0].weights, own)

    def part(self, name: str) -> Part | None:
        """Return the part of this name, None if there is none."""
        return next((part for part in self.parts if part.name == name), None)

    def of_part(self, params: ProductParams, name: str) -> Any:
        """Return the parameters of the part of this name, with the common weights."""
        (own,) = (
            own
            for part, own in zip(self.parts, self._own(params), strict=True)
            if part.name == name
        )
        return own

    def changed(self, change: Callable[[Part], Family]) -> Product:
        """Return a product in which each part has another family."""
        return Product([part._replace(family=change(part)) for part in self.parts])

    def for_rows(self, source: Any) -> Product:
        """Return the product bound to some of the rows that it was made for."""

        def bound(part: Part) -> Any:
            if not hasattr(part.family, "for_rows"):
                return part.family
            return part.family.for_rows(source.block(part.columns))

        return self.changed(bound)

    def forgiving(self, least_variance: float) -> Product:
        """Return a product in which a part that collapses is no error; see `GaussianFamily`."""

        def forgiving(part: Part) -> Any:
            if not hasattr(part.family, "forgiving"):
                return part.family
            return part.family.forgiving(least_variance)

        return self.changed(forgiving)

    def to_frame(self, params: ProductParams) -> ProductParams:
        """Go from the units of the rows to the frames of the parts that have one."""
        return self._converted(params, "to_frame")

    def from_frame(self, params: ProductParams) -> ProductParams:
        """Go from the frames of the parts that have one to the units of the rows."""
        return self._converted(params, "from_frame")

    def _converted(self, params: ProductParams, method: str) -> ProductParams:
        own = [
            getattr(part.family, method)(own) if hasattr(part.family, method) else own
            for part, own in zip(self.parts, params.parts, strict=True)
        ]
        return ProductParams(params.weights, tuple(own))

    def _own(self, params: ProductParams) -> list[Any]:
        return [own._replace(weights=params.weights) for own in params.parts]
