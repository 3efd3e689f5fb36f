"""Families whose log density is linear in features of a row: the base of a user's components."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from .._rows.sources import Chunk, Scratch, Source
from .gaussian import DEAD_SHARE
from .linear_form import LinearForm, LinearStatistics

# Random starts, and how much of each component comes from rows of its own, the rest from all rows.
N_STARTS = 32
OWN_ROWS = (1, 2, 4, 8)
OWN_SHARES = (0.8, 0.5)


class LinearFamily(ABC):
    r"""Base of a family whose log density is linear in features of a row.

    The log density of component k has to be

    .. math:: \log p(x \mid k) = c_k + \sum_j b_{kj} f_j(x) + h(x),

    as it is in every exponential family. A subclass says what the features :math:`f` are, what
    :math:`b`, :math:`c` and :math:`h` are, and which parameters are the most likely ones for
    given means of the features. All else is done here: both steps of EM in chunks, on threads,
    with sample weights, in float32 where that is safe, components that lose all rows, and starts.

    A subclass defines `features`, `coefficients`, `estimate`, `sample` and `n_parameters`; where
    they are not zero also `constants` and `row_term`; where rows may have missing cells,
    `allow_nan`. It passes as `family_factory` to :class:`~skmix.Mixture` as it is.

    Parameters
    ----------
    n_features : int
        Number of columns of the rows.

    Attributes
    ----------
    allow_nan : bool
        Whether `features` and `row_term` take rows with missing cells (NaN). False, unless a
        subclass says otherwise.

    See Also
    --------
    skmix.Mixture : The estimator over any family.
    Family : What the engine asks of a family; this class answers it.

    Notes
    -----
    Parameters are a `NamedTuple` of arrays that has a field `weights` of shape (n_components,).

    One EM iteration costs 4 n K p floating-point operations (n rows, K components, p features)
    beyond the call of `features`, and reads `X` once.

    Variances that are differences of means of squares lose digits where the data are far from
    zero. Centre such data, or use :class:`~skmix.GaussianMixture`, which does.

    A missing cell is left out of the density by a feature of 0, with one more feature that is 1
    where the cell is observed and takes what would be a constant as its coefficient.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977, section 2.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    Examples
    --------
    Counts, independent within a component, with the rate of each column:

    >>> from typing import NamedTuple
    >>> import numpy as np
    >>> from scipy.special import gammaln
    >>> from skmix import Mixture
    >>> from skmix.families import LinearFamily
    >>> class PoissonParams(NamedTuple):
    ...     weights: np.ndarray  # (n_components,)
    ...     rates: np.ndarray  # (n_components, n_features)
    >>> class Poisson(LinearFamily):
    ...     def features(self, X):
    ...         return X
    ...     def coefficients(self, params):
    ...         return np.log(params.rates)
    ...     def constants(self, params):
    ...         return -params.rates.sum(axis=1)
    ...     def row_term(self, X):
    ...         return -gammaln(X + 1).sum(axis=1)
    ...     def estimate(self, weights, means, counts):
    ...         return PoissonParams(weights, np.maximum(means, 1e-9))
    ...     def sample(self, params, component, n_samples, rng):
    ...         return rng.poisson(params.rates[component], (n_samples, self.n_features))
    ...     def n_parameters(self, params):
    ...         return params.rates.size + len(params.weights) - 1
    >>> X = [[0, 9], [1, 7], [0, 8], [6, 1], [8, 0]]
    >>> mixture = Mixture(2, family_factory=Poisson, random_state=0).fit(X)
    >>> print(np.sort(mixture.params_.rates, axis=0).round(1))
    [[0.3 0.5]
     [7.  8. ]]
    """

    allow_nan = False

    # What is known of the rows of a fit; see `for_rows`.
    _row_term_total = 0.0
    _largest: np.ndarray | None = None

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features

    # What a subclass defines ------------------------------------------------------------------

    @abstractmethod
    def features(self, X: np.ndarray) -> np.ndarray:
        """Return the features of rows.

        Parameters
        ----------
        X : ndarray of shape (n_chunk, n_features)
            Rows, in float64 or float32. They must not be written to, but may be returned.

        Returns
        -------
        features : ndarray of shape (n_chunk, n_features_out)
            Finite numbers.

        Raises
        ------
        ValueError
            If rows are outside of what the density is defined for.
        """

    @abstractmethod
    def coefficients(self, params: Any) -> np.ndarray:
        """Return what the features are multiplied by, (n_components, n_features_out).

        They must be finite, so `estimate` has to keep parameters off the boundary.
        """

    def constants(self, params: Any) -> np.ndarray | float:
        """Return the part of the log density that depends on the component only.

        Shape (n_components,), in nats; 0 unless a subclass says otherwise.
        """
        return 0.0

    def row_term(self, X: np.ndarray) -> np.ndarray | None:
        """Return the part of the log density that depends on the row only.

        Shape (n_chunk,), in nats; None, unless a subclass says otherwise, stands for zeros. It is
        evaluated once per fit and when rows are scored, not in every iteration.
        """
        return None

    @abstractmethod
    def estimate(self, weights: np.ndarray, means: np.ndarray, counts: np.ndarray) -> Any:
        """Return the most likely parameters.

        Parameters
        ----------
        weights : ndarray of shape (n_components,)
            The weights of the components, a field of the parameters as they are.

        means : ndarray of shape (n_components, n_features_out)
            Means of the features over the rows of each component, weighted by responsibilities.
            Those of a component without rows are the means over all rows.

        counts : ndarray of shape (n_components,)
            The sums of the responsibilities, 0 for a component without rows.

        Returns
        -------
        params : NamedTuple of ndarray
            Parameters with a field `weights`.

        Raises
        ------
        ValueError
            If there are none.
        """

    @abstractmethod
    def sample(
        self, params: Any, component: int, n_samples: int, rng: np.random.RandomState
    ) -> np.ndarray:
        """Draw rows of one component, (n_samples, n_features)."""

    @abstractmethod
    def n_parameters(self, params: Any) -> int:
        """Return the number of free parameters, the weights' K - 1 included."""

    # What the engine asks of a family ---------------------------------------------------------

    def for_rows(self, source: Source) -> Self:
        """Return a copy that knows what a fit to these rows needs.

        That is the sum of the row terms, which belongs to the likelihood, and the largest
        features, which say whether float32 is safe.
        """
        single = source.dtype == np.float32
        first = source.take(slice(1)).X.astype(np.float64)
        if not single and self.row_term(first) is None:
            return self

        def say(chunk: Chunk, scratch: Scratch) -> tuple[float, Any]:
            X = chunk.X.astype(np.float64, copy=False)
            largest = np.abs(self.features(X)).max(axis=0) if single else 0.0
            term, weight = self.row_term(X), chunk.sample_weight
            if term is None:
                return 0.0, largest
            return float(term.sum() if weight is None else term @ weight), largest

        found = source.gather(say, 8 * (3 * self.n_features + 4))
        sums, largest = zip(*found, strict=True)
        informed = copy.copy(self)
        informed._row_term_total = math.fsum(sums)  # the same bits in any order
        if single:
            informed._largest = np.max(largest, axis=0)
        return informed

    def starts(
        self,
        X: np.ndarray,
        sample_weight: np.ndarray,
        n_components: int,
        random_state: np.random.RandomState,
    ) -> Iterator[Any]:
        """Yield parameters that EM may start from; the best of short runs goes on.

        Half or more of a component are random rows of its own, between one and eight; the rest
        is a share of all rows, which keeps its parameters off the boundary. Responsibilities that
        are random for every row would average out, and start all components at the same place.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Distinct rows, a sample of them where there are many.

        sample_weight : ndarray of shape (n_samples,)
            Their weights, positive.

        n_components : int

        random_state : RandomState

        Yields
        ------
        params : NamedTuple of ndarray
        """
        features = np.asarray(self.features(X.astype(np.float64, copy=False)), dtype=np.float64)
        total = sample_weight.sum()
        chances = sample_weight / total
        everyone = chances @ features
        counts = np.full(n_components, total / n_components)
        for start in range(N_STARTS if n_components > 1 else 1):
            most = max(1, len(X) // n_components)
            n_own = min(OWN_ROWS[start % len(OWN_ROWS)], most)
            share = OWN_SHARES[start // len(OWN_ROWS) % len(OWN_SHARES)]
            if n_components == 1:
                share = 0.0
            own = random_state.choice(
                len(X),
                (n_components, n_own),
                replace=len(X) < n_components * n_own,
                p=chances,
            )
            means = share * features[own].mean(axis=1) + (1.0 - share) * everyone
            sums = counts[:, None] * means
            yield self.maximize(None, LinearStatistics(counts, sums))

    def prepare(self, params: Any, dtype: np.dtype) -> LinearForm:
        """Compute the coefficients once per pass; raise float32 to float64 where it shows."""
        return LinearForm(self, params, np.dtype(dtype))

    def maximize(self, params: Any, statistics: LinearStatistics) -> Any:
        """Return the most likely parameters; a component without rows gets those of all rows."""
        counts, sums = statistics
        total = counts.sum()
        dead = counts <= DEAD_SHARE * total
        means = sums / np.where(dead, 1.0, counts)[:, None]
        if dead.any():
            means[dead] = sums.sum(axis=0) / total
            counts = np.where(dead, 0.0, counts)
        return self.estimate(counts / total, means, counts)

    def magnitude(self, params: Any, source: Source) -> float:
        """Return the mean size, over the rows, of the terms of a log density (nats)."""
        form = LinearForm(self, params, np.dtype(np.float64))

        def say(chunk: Chunk, scratch: Scratch) -> float:
            terms, weight = form.magnitudes(chunk.X, scratch), chunk.sample_weight
            return float(terms.sum() if weight is None else terms @ weight)

        total = math.fsum(source.gather(say, 2 * form.bytes_per_row))
        return (total + abs(self._row_term_total)) / source.total_weight

    def refine(self, params: Any, form: Any, statistics: Any, new_params: Any) -> None:
        """Return None: sums of features are taken once."""
        return None

    def forms_for_scoring(
        self, params: Any, dtype: np.dtype
    ) -> Callable[[np.ndarray], LinearForm]:
        """Return one form, in float64, that serves all rows."""
        form = self.prepare(params, np.dtype(np.float64))
        return lambda X: form

    def n_components(self, params: Any) -> int:
        """Return the number of components."""
        return len(params.weights)
