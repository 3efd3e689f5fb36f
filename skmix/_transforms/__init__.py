"""Mixtures behind, or as, transformers.

`transformed_density.py` fits a density behind a transformer (open it first), `fitted_density.py`
scores rows in the units that they had before it; `jacobians.py` and `elementwise.py` know the
transformers. `quantizer.py` replaces rows by the nearest of few. Imports `_mixtures`,
`_interface` and `_rows`.
"""
