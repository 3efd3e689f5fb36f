"""Mixtures that are told an answer: classifiers and a regressor.

`bayes.py` has the rule that all classifiers share (open it first): one mixture for each class.
Imports `_mixtures`, `_interface`, `_engine` and the encoding of categories.
"""
