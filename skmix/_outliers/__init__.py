"""Rows that a mixture finds unlikely, as a task.

Open `detector.py`. The mixture inside does the work. Imports `_mixtures` and `_interface`.
"""
