"""Neural networks that learn to make new rows, beside the mixtures.

:class:`VariationalAutoencoder` and :class:`GenerativeAdversarialNetwork` are trained by PyTorch,
the extra ``torch``, which `fit` imports. What a fit leaves behind are plain numpy arrays: fitted
estimators are pickled, loaded and used without PyTorch.
"""

from ._gan import GenerativeAdversarialNetwork
from ._vae import VariationalAutoencoder

__all__ = ["GenerativeAdversarialNetwork", "VariationalAutoencoder"]
