"""Missing cells as a task: transformers that fill them in.

Open `inpainter.py`, for numbers, or `imputer.py`, for columns of several kinds. The mixture inside
does the work. Imports `_mixtures` and `_interface`.
"""
