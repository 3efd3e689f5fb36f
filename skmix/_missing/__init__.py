"""Missing cells as a task: transformers that fill them in.

Open `inpainter.py`, for numbers, or `imputer.py`, for columns of several kinds. The mixture inside
does the work; `refits.py` makes others that say how uncertain it is, `pooling.py` has Rubin's
rules. Imports `_mixtures` and `_interface`.
"""
