"""The protocols between the engine and a family of densities.

A *family* maps parameters to a form and statistics to parameters. A *form* is what one pass over
the rows needs, made once per pass: it turns a chunk into features, features into log densities,
and features with responsibilities into statistics, which add up over rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from .._rows.sources import Scratch

NO_DENSITY = -1e30  # log density of what fills a list of candidates up


class Form(Protocol):
    """One pass over the rows at fixed parameters.

    Examples
    --------
    What a class has to answer, beside the attributes:

    >>> from skmix.families import Form
    >>> print(*sorted(name for name in vars(Form) if not name.startswith("_")))
    add features finer log_density row_term statistics zeros
    """

    n_components: int
    dtype: np.dtype  # of features, log densities and responsibilities
    bytes_per_row: int  # working memory per row of a chunk
    min_chunk_rows: int  # shorter chunks would not pay
    parts_per_row: int  # independent parts of a row, each with a component of its own; often 1
    row_term_total: float  # sum over all rows of `row_term`, in a fit

    def features(self, X: np.ndarray, scratch: Scratch) -> Any:
        """Return what both steps share, as a rule features (n_features_out, n_chunk)."""

    def log_density(self, features: Any, out: np.ndarray, scratch: Scratch) -> None:
        """Write log weight + log density, less the row term.

        `out` has shape (n_components, n_chunk); with several parts per row these come one after
        the other, (n_components, parts_per_row n_chunk).
        """

    def finer(self, peak: np.ndarray) -> Form | None:
        """Return a form that takes over rows whose largest log terms are too inexact, if any."""

    def row_term(self, features: Any, scratch: Scratch) -> np.ndarray | float:
        """Return the part of the log density that all components share, (n_chunk,)."""

    def zeros(self) -> list[np.ndarray]:
        """Return float64 zeros to add statistics to."""

    def add(
        self, totals: list[np.ndarray], features: Any, resp: np.ndarray, scratch: Scratch
    ) -> None:
        """Add a chunk's statistics to `totals`; `resp` may be overwritten."""

    def statistics(self, totals: list[np.ndarray]) -> Any:
        """Name the summed arrays."""


class Candidates(Protocol):
    """Blocks of rows, and the components that each block visits."""

    candidates: np.ndarray  # (n_blocks, n_candidates), filled up by the number of components

    def add_to(self, totals: np.ndarray, own: np.ndarray) -> None:
        """Add what candidates have (n_blocks, n_candidates, ...) to totals (n_components, ...)."""


class BlockForm(Form, Protocol):
    """A form that can also visit blocks of rows, each with some of the components only.

    Statistics add to the same `totals`. See `_engine/truncated.py`.
    """

    visits_blocks: bool  # whether it can at these parameters
    bytes_of_features: int  # per row

    def block_features(self, X: np.ndarray, n_blocks: int, scratch: Scratch) -> Any:
        """Return features of blocks of equally many rows, one after the other in `X`."""

    def block_log_density(
        self, features: Any, blocks: Candidates, out: np.ndarray, scratch: Scratch
    ) -> None:
        """Write log weight + log density, less the row term, (n_blocks, n_candidates, n_rows).

        What fills lists of candidates up gets `NO_DENSITY` or less.
        """

    def block_add(
        self,
        totals: list[np.ndarray],
        features: Any,
        blocks: Candidates,
        resp: np.ndarray,
        scratch: Scratch,
    ) -> None:
        """Add the statistics of blocks; `resp` may not be overwritten."""


def visits_blocks(form: Any) -> bool:
    """Whether a form can visit blocks of rows."""
    return getattr(form, "visits_blocks", False)


class Family(Protocol):
    """One kind of component, with what a fit fixes about it.

    Examples
    --------
    :class:`LinearFamily` answers it for every subclass:

    >>> from skmix.families import Family, LinearFamily
    >>> asked = [name for name in vars(Family) if not name.startswith("_")]
    >>> all(hasattr(LinearFamily, name) for name in asked)
    True
    """

    def prepare(self, params: Any, dtype: np.dtype) -> Form:
        """Compute once what a pass needs (Cholesky factors, natural parameters)."""

    def maximize(self, params: Any, statistics: Any) -> Any:
        """Return the parameters that the statistics make most likely.

        Raises `ValueError` where there are none.
        """

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> Form | None:
        """Return a form that repeats the sums more accurately, if `new_params` need it.

        `new_params` is None where `maximize` raised an error, which rounding may have caused.
        """

    def forms_for_scoring(self, params: Any, dtype: np.dtype) -> Callable[[np.ndarray], Form]:
        """Return a function from a chunk of any rows to a form that is accurate for it."""

    def n_components(self, params: Any) -> int:
        """Return the number of components."""

    def n_parameters(self, params: Any) -> int:
        """Return the number of free parameters."""

    def sample(
        self, params: Any, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Draw rows of one component."""


class Extrapolating(Family, Protocol):
    """A family whose parameters can be extrapolated along the path of EM.

    Examples
    --------
    What it has beyond a :class:`Family`:

    >>> from skmix.families import Extrapolating
    >>> print(*sorted(name for name in vars(Extrapolating) if not name.startswith("_")))
    coordinates from_coordinates log_prior
    """

    def coordinates(self, params: Any) -> np.ndarray:
        """Return the parameters as one vector."""

    def from_coordinates(self, coordinates: np.ndarray, fallback: Any) -> Any:
        """Return valid parameters at or near a point; `fallback` are valid ones on the way."""

    def log_prior(self, params: Any) -> float:
        """Return what `maximize` adds to the log-likelihood of all rows (nats)."""


class Streaming(Family, Protocol):
    """A family whose statistics can run along a stream; see `_engine/online.py`.

    Statistics are per unit of weight.
    """

    def for_batch(self, source: Any, weight: float) -> Any:
        """Return the family for the rows of a batch, whose updates are by rows of a weight."""

    def combined(
        self, statistics: Any, share: float, others: Any = None, other_share: float = 0.0
    ) -> Any:
        """Return the sum of statistics, each times its share."""

    def implied(self, params: Any) -> Any:
        """Return statistics that parameters are the most likely for."""

    def divided(
        self,
        statistics: Any,
        params: Any,
        dead: int,
        donor: int,
        random_state: np.random.RandomState,
    ) -> Any:
        """Return statistics in which a dead component has half of the rows of another."""


def concession_of(family: Any, params: Any, update: Any, total_weight: float) -> float:
    """Return by how much `maximize` may let the likelihood fall (nats per unit of weight)."""
    if hasattr(family, "concession"):
        return family.concession(params, update, total_weight)
    if hasattr(family, "log_prior"):
        return (family.log_prior(update) - family.log_prior(params)) / total_weight
    return 0.0


def guarded(family: Any, params: Any, statistics: Any) -> Any:
    """Return statistics of a pass that left rows out, with what those might want to find again.

    A probability that rows outside could make grow must not become 0. Where a family says how
    by `guarded`, `maximize` of what it returns never lowers the bound of the pass either.
    """
    return family.guarded(params, statistics) if hasattr(family, "guarded") else statistics


def magnitude_of(family: Any, params: Any, source: Any) -> float:
    """Return the mean size of the terms of a log density (nats), 1 where it is not known."""
    return family.magnitude(params, source) if hasattr(family, "magnitude") else 1.0
