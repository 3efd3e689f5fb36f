"""Mixture models that behave like scikit-learn's own."""

from ._gaussian_mixture import DiagonalGMM, GaussianMixture

__version__ = "0.1.0.dev0"

__all__ = ["DiagonalGMM", "GaussianMixture"]
