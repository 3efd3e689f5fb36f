"""Mixtures behind, or as, transformers.

`transformed_density.py` scores rows in the units that they had before a transformer (open it
first; `jacobians.py` and `elementwise.py` know the transformers); `quantizer.py` replaces rows by
the nearest of few. Imports `_mixtures`, `_interface` and `_rows`.
"""
