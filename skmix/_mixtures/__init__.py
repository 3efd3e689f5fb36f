"""The mixtures: estimators that map parameters to `weights_`, `means_` and the rest.

`base.py` has the fit that all share (open it first); `gaussian.py`, `diagonal.py`,
`categorical.py` and `mixture.py` are the estimators; `criteria.py`, `conditioning.py`,
`latent_classes.py` and `information.py` are what fitted ones answer; `wrapping.py` is for
estimators that hold a mixture inside. Imports everything below: `_interface`, `_starts`,
`_engine`, `_families`, `_linalg` and `_rows`.
"""
