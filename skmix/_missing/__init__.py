"""Missing cells as a task: a transformer that fills them in.

Open `inpainter.py`. The mixture inside does the work. Imports `_mixtures` and `_interface`.
"""
