"""Rows with noise, restored under a density of clean rows.

`base.py` says what a denoiser is (open it first). `gaussian.py` has what densities that are
Gaussian mixtures share, with the filters of `wiener.py`; `mvn.py` and `gmm.py` learn them.
`gsm.py` and `ica.py` have mixtures of scales, which share `scales.py`. Imports `_mixtures`,
`_interface`, `_engine`, `_families`, `_linalg` and `_rows`.
"""
