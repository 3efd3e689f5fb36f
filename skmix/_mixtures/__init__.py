"""The mixtures: estimators that map parameters to `weights_`, `means_` and the rest.

`base.py` has the fit that all share (open it first), `fitted.py` what a fitted mixture answers,
and `criteria.py`, `conditioning.py`, `density.py`, `modes.py`, `latent_classes.py` and
`information.py` (`gaussian_information.py`) what some answer besides; `divergence.py` compares
two. `gaussian.py`, `diagonal.py`, `categorical.py`, `mixed.py` and `mixture.py` are the
estimators: `gaussian_fit.py` tells the fit of Gaussians, `mixed_fit.py` that of several kinds of
columns (`mixed_conditioning.py` what it says of some given others), `covariance_types.py` resolves
`covariance_type`, `regularisation.py` `reg_covar`, `shrinking.py` `shrinkage`. `wrapping.py` is
for estimators that hold a mixture inside, and `known.py` what they tell it of the rows;
`report.py` prints components, `estimates.py` lists their parameters, `expected.py` is what a
mixture expects of cells. Imports everything below: `_interface`, `_starts`, `_engine`,
`_families`, `_linalg` and `_rows`.
"""
