"""Estimators that fit one Gaussian mixture inside, and what they share."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from .._interface import validation
from .._interface.callbacks import CallbackSupportMixin, Task
from .._interface.chunks import Chunks
from .._interface.versions import VersionedMixin
from .gaussian import GaussianMixture
from .known import KnowsRows

EM_PARAMETERS = (
    "n_components",
    "covariance_type",
    "random_state",
    "tol",
    "reg_covar",
    "max_iter",
    "n_init",
    "init_params",
    "verbose",
    "verbose_interval",
    "shrinkage",
    "prior",
)


class MixtureBased(KnowsRows, CallbackSupportMixin, VersionedMixin, BaseEstimator):
    """Base of estimators with the parameters of EM that learn `mixture_` and `n_iter_`."""

    _parameter_constraints: dict = {
        name: GaussianMixture._parameter_constraints[name] for name in EM_PARAMETERS
    }

    # Whether rows may well vary in fewer directions than they have features.
    _flat_directions_expected = False

    def _fit_mixture(self, X: Any, sample_weight: Any, **facts: Any) -> None:
        """Fit a mixture to validated rows, of which more facts are `Known`, and keep it.

        Rows in chunks have their own weights, and empty ones are left out as they are read.
        """
        weight, rows = sample_weight, X
        if not isinstance(X, Chunks):
            sample_weight = validation.check_sample_weight(sample_weight, X)
            weight, rows = validation.drop_unweighted(sample_weight, X)
            if validation.has_missing(rows):  # here columns have names
                weight, rows = validation.drop_empty_rows(self, weight, rows)
        mixture = GaussianMixture(**{name: getattr(self, name) for name in EM_PARAMETERS})
        task = Task.root(self, 1, X, None, sample_weight)
        facts["flat_directions_expected"] = self._flat_directions_expected
        known = self._known._replace(**facts)
        with task.subtask("mixture").fitting(mixture), mixture._knowing(known):
            mixture.fit(rows, sample_weight=weight)
        self.mixture_, self.n_iter_ = mixture, mixture.n_iter_
        self.reg_covar_, self.shrinkage_ = mixture.reg_covar_, mixture.shrinkage_
        task.end(dict)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
