"""What a density behind a fitted transformer answers, in the units of the rows that go in."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._interface import validation
from .._interface.versions import VersionedMixin
from .._interface.wording import check_random_state
from .._mixtures.gaussian import GaussianMixture
from .._rows.threads import one_blas_thread
from . import jacobians

MAX_DRAWS_PER_ROW = 1000


def _density_has(name):
    """Return a check that the density has a method."""

    def check(self):
        return hasattr(self.density_ if hasattr(self, "density_") else self._get_density(), name)

    return check


class FittedTransformedDensity(DensityMixin, VersionedMixin, BaseEstimator):
    """Scores, labels and rows of :class:`TransformedDensity`."""

    transformer: Any
    density: Any
    random_state: Any
    transformer_: Any
    density_: Any

    def _fitted_steps(self):
        check_is_fitted(self)
        return jacobians.steps_of(self.transformer_)

    @one_blas_thread()
    def score_samples(self, X):
        """Return the log density of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
            Natural logarithms of the density in the units of `X` (nats); -inf outside of the
            domain of the transformer.

        Examples
        --------
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skmix import TransformedDensity
        >>> X = [[0.0], [2.0]]
        >>> metres = TransformedDensity(StandardScaler()).fit(X).score_samples(X)
        >>> X = [[0.0], [2000.0]]
        >>> millimetres = TransformedDensity(StandardScaler()).fit(X).score_samples(X)
        >>> metres - millimetres  # log(1000)
        array([6.90775528, 6.90775528])
        """
        Z, log_prob = jacobians.push(self._fitted_steps(), self._validate(X, reset=False))
        inside = log_prob > -np.inf
        if inside.any():
            log_prob[inside] += self.density_.score_samples(Z)
        return log_prob

    def score(self, X, y=None):
        """Return the mean log density of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        log_likelihood : float
            Mean log-likelihood per row in the units of `X` (nats).

        Examples
        --------
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skmix import TransformedDensity
        >>> X = [[0.0], [2.0]]
        >>> round(TransformedDensity(StandardScaler()).fit(X).score(X), 4)
        -1.4189
        """
        return float(np.mean(self.score_samples(X)))

    @available_if(_density_has("predict"))
    @one_blas_thread()
    def predict(self, X):
        """Return what the density predicts for the transformed rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The most probable component of every row, where the density is a mixture.

        Raises
        ------
        ValueError
            If a row lies outside of the domain of the transformer.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.preprocessing import FunctionTransformer
        >>> from skmix import GaussianMixture, TransformedDensity
        >>> X = [[0.01], [0.02], [100.0], [200.0]]
        >>> model = TransformedDensity(
        ...     FunctionTransformer(np.log), GaussianMixture(2, random_state=0)
        ... )
        >>> model.fit(X).predict([[0.1], [10.0]]) == model.predict([[0.01], [100.0]])
        array([ True,  True])
        """
        Z = self._check_domain(self._fitted_steps(), self._validate(X, reset=False))
        return self.density_.predict(Z)

    @available_if(_density_has("predict_proba"))
    @one_blas_thread()
    def predict_proba(self, X):
        """Return the probabilities that the density gives for the transformed rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_components)
            The responsibilities of the components, where the density is a mixture; the map
            changes the densities of all components by the same factor.

        Raises
        ------
        ValueError
            If a row lies outside of the domain of the transformer.

        Examples
        --------
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from skmix import TransformedDensity
        >>> TransformedDensity(MinMaxScaler()).fit([[0.0], [2.0]]).predict_proba([[1.0]])
        array([[1.]])
        """
        Z = self._check_domain(self._fitted_steps(), self._validate(X, reset=False))
        return self.density_.predict_proba(Z)

    @available_if(_density_has("sample"))
    @one_blas_thread()
    def sample(self, n_samples=1):
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The rows, in the order in which the density drew them.

        y : ndarray of shape (n_samples,)
            The component of every row; left out where `sample` of the density returns rows
            only, as that of :class:`~sklearn.neighbors.KernelDensity`.

        Raises
        ------
        ValueError
            If hardly any draw of the density lies in the image of the transformer.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.preprocessing import FunctionTransformer
        >>> from skmix import GaussianMixture, TransformedDensity
        >>> log = FunctionTransformer(np.log)
        >>> model = TransformedDensity(log, GaussianMixture(random_state=0))
        >>> X, y = model.fit(np.exp([[0.0], [1.0], [2.0]])).sample(100)
        >>> X.shape, bool(X.min() > 0)
        ((100, 1), True)
        """
        check_is_fitted(self)
        n_samples = validation.check_n_samples(n_samples)
        random_state = check_random_state(self.random_state)
        # Another kind of generator than the density's: equal seeds must not correlate them.
        rng = np.random.default_rng(random_state.randint(np.iinfo(np.int32).max))
        n_draws = n_samples
        while True:
            X, y = self._draw(n_draws, random_state, rng)
            if len(X) >= n_samples:
                break
            if n_draws >= MAX_DRAWS_PER_ROW * n_samples:
                raise ValueError(
                    f"Only {len(X)} of {n_draws} draws of {self.density_!r} lie in the image of "
                    f"{self.transformer_!r}. Use another transformer, or a density that fits."
                )
            # All over again, so that which draws are kept depends on nothing but the image.
            n_draws *= 1 + -(-n_samples // max(len(X), 1))
        chosen = np.sort(rng.choice(len(X), n_samples, replace=False))
        return X[chosen] if y is None else (X[chosen], y[chosen])

    def _draw(self, n_draws, random_state, rng):
        """Draw from the density; return the rows of the draws that have one, and labels."""
        options = {}
        # A density with a random_state of its own keeps to it, unless this one has been given one.
        own = self.random_state is None and hasattr(self.density_, "random_state")
        if "random_state" in signature(self.density_.sample).parameters and not own:
            options["random_state"] = random_state
        drawn = self.density_.sample(n_draws, **options)
        Z, y = drawn if isinstance(drawn, tuple) else (drawn, None)
        X, inside = jacobians.pull(self._fitted_steps(), np.asarray(Z), rng)
        return X, None if y is None else y[inside]

    def _validate(self, X, **options):
        finite = "allow-nan" if get_tags(self).input_tags.allow_nan else True
        return validation.validate_rows(
            self, X, any_size=True, ensure_all_finite=finite, **options
        )

    def _get_density(self):
        return GaussianMixture() if self.density is None else self.density

    def _check_domain(self, steps, X):
        """Return the images of rows, all of which have to lie in the domain of the map."""
        Z, log_det = jacobians.push(steps, X)
        if np.any(log_det == -np.inf):
            raise ValueError(
                f"{jacobians.describe_outside(steps, X, log_det)} Their density is 0. Leave "
                "them out, or use another transformer; score_samples gives such rows -inf."
            )
        return Z

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        density = self._get_density()
        tags.input_tags.allow_nan = (
            all(map(jacobians.takes_missing, jacobians.steps_of(self.transformer)))
            and hasattr(density, "__sklearn_tags__")
            and get_tags(density).input_tags.allow_nan
        )
        return tags
