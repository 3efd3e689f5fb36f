"""Scores for model selection, to be passed as `scoring` to scikit-learn's searches."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from . import _validation

__all__ = ["psnr_scorer"]


def psnr_scorer(noise_std=0.1, *, data_range=1.0, random_state=0):
    r"""Make a scorer of how well a denoiser restores clean rows from noisy ones.

    The scorer adds noise to the rows that it is given, has them denoised, and returns the peak
    signal-to-noise ratio :math:`10 \log_{10}(r^2 / \mathrm{MSE})` in decibels, r being
    `data_range` and MSE the mean squared error over all cells.

    Parameters
    ----------
    noise_std : float, default=0.1
        Standard deviation of the noise, in units of the rows.

    data_range : float, default=1.0
        The span of the values, such as 255.0 for bytes, in units of the rows. It moves all scores
        alike.

    random_state : int, default=0
        Seed of the noise: the same for every call, so that all candidates of a search see the
        same noisy rows.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X)``, greater is better. It takes y and ignores it.

    Raises
    ------
    ValueError
        If `noise_std` is negative or not finite, or `data_range` not positive.

    See Also
    --------
    skmix.GMMDenoiser : A denoiser; its own `score` is the likelihood of clean rows.
    sklearn.metrics.make_scorer : scikit-learn's scorers of predictions.
    skimage.metrics.peak_signal_noise_ratio : The ratio of two images.

    Notes
    -----
    A denoiser is told `noise_std`, whatever its own parameter is. A pipeline is not, since the
    noise changes its size on the way: its denoiser's own `noise_std` counts, and what its
    `transform` returns is taken back to the units of the rows by its `inverse_transform`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmix import GMMDenoiser
    >>> from skmix.metrics import psnr_scorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.choice([0.0, 0.5, 1.0], size=(300, 1)) + 0.05 * rng.normal(size=(300, 4))
    >>> search = GridSearchCV(
    ...     GMMDenoiser(random_state=0), {"n_components": [1, 3]}, scoring=psnr_scorer(0.2)
    ... )
    >>> search.fit(X).best_params_
    {'n_components': 3}
    """
    noise_std = float(_validation.check_noise_std(noise_std, 1, "noise_std")[0])
    if not 0.0 < data_range < np.inf:
        raise ValueError(
            f"data_range must be positive and finite, but is {data_range}: it is the span of the "
            "values, in units of the rows."
        )
    return _PSNRScorer(noise_std, float(data_range), random_state)


@dataclass(frozen=True)
class _PSNRScorer:
    """A class and no closure: searches with several processes pickle it."""

    noise_std: float
    data_range: float
    random_state: Any

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        clean = check_array(X, dtype=[np.float64, np.float32])
        noise = check_random_state(self.random_state).standard_normal(clean.shape)
        noisy = clean + (self.noise_std * noise).astype(clean.dtype)
        if hasattr(X, "columns"):  # fitted with names
            noisy = type(X)(noisy, columns=X.columns, index=X.index)
        options = {}
        if "noise_std" in inspect.signature(estimator.transform).parameters:
            options["noise_std"] = self.noise_std
        restored = estimator.transform(noisy, **options)
        if hasattr(estimator, "steps"):
            restored = estimator.inverse_transform(restored)
        error = np.mean((np.asarray(restored) - clean) ** 2, dtype=np.float64)
        return float(10.0 * np.log10(self.data_range**2 / error)) if error > 0.0 else np.inf
