"""What denoisers with scale mixtures share: moments, and EM for the scales."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval

from .._engine import em
from .._families import Frame, ScaleFamily, ScaleParams, TiedGaussian
from .._interface import validation
from .._interface.callbacks import FitProgress
from .._interface.convergence import warn_of_fall
from .._interface.validation import NON_NEGATIVE
from .._mixtures import regularisation
from .._rows.sources import ArraySource
from ..exceptions import user_level
from .base import Denoiser
from .gaussian import less_noise

# So many scales need no rows of their own: most of them end up alike, or with weight 0.
FEW_SCALES = 100


class Moments(NamedTuple):
    """Location and second moments about it."""

    location: np.ndarray  # (n_features,)
    covariance: np.ndarray  # (n_features, n_features)
    reg_covar: np.ndarray  # (n_features,), added to the diagonal of the covariance


def singular() -> ValueError:
    return ValueError(
        "The covariance of the training rows is singular: some features are constant or "
        "combinations of others. Set reg_covar above zero."
    )


class ScaleMixtureDenoiser(Denoiser):
    """What denoisers with scale mixtures share: moments, and EM for the scales."""

    _parameter_constraints: dict = {
        **Denoiser._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "assume_centered": ["boolean"],
        "tol": [NON_NEGATIVE],
        "reg_covar": regularisation.CONSTRAINT,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
    }

    def _validate(self, X, **options):
        X = validation.validate_rows(self, X, **options)
        if validation.has_missing(X):
            raise ValueError(
                f"X contains NaN, but {type(self).__name__} takes no missing cells. Use a "
                "GMMDenoiser or an MVNDenoiser, or fill X by a ConditionalGMMInpainter first."
            )
        if options.get("reset", True) and self.n_components > max(len(X), FEW_SCALES):
            raise ValueError(
                f"n_components={self.n_components} are more scales than X has rows, {len(X)}. Use "
                "fewer."
            )
        return X

    def _moments(
        self, source: ArraySource, noise_variance: np.ndarray | None, *, alike: bool
    ) -> Moments:
        """Location and covariance of the clean rows; `alike` adds the same to all variances."""
        frame = Frame.of_source(source)
        regularisation.warn_if_large(self, frame)
        reg_covar = regularisation.resolve(self.reg_covar, source, frame, 1, alike=alike)
        family = TiedGaussian(frame).bound_to(source)
        location = frame.reference
        covariance = family.total_scatter / family.total_weight
        covariance *= np.outer(frame.scale, frame.scale)
        if self.assume_centered:
            covariance += np.outer(location, location)
            location = np.zeros_like(location)
        if noise_variance is not None:
            covariance = less_noise(covariance, noise_variance)
        return Moments(location, covariance + np.diag(reg_covar), reg_covar)

    def _fit_scales(self, source, family: ScaleFamily, start: ScaleParams, task, max_iter: int):
        """Run EM; return where it ended."""
        progress = FitProgress(
            task,
            verbose=int(self.verbose),
            verbose_interval=self.verbose_interval,
            attributes_of=lambda params, n_iter, lower_bound: {},
        )
        progress.run_begins(0)
        result = em.em(source, family, start, tol=self.tol, max_iter=max_iter, monitor=progress)
        progress.run_ends(result.lower_bound, result.converged)
        return result

    def _warn(self, result: em.EMResult) -> None:
        if result.fall > 0:
            warn_of_fall(result.fall, "Pass float64 rows, or raise reg_covar.")
        elif not (result.converged or result.stopped):
            warnings.warn(
                f"EM did not converge in max_iter={self.max_iter} iterations. Increase max_iter "
                "or tol.",
                ConvergenceWarning,
                stacklevel=user_level(),
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = False
        return tags
