"""How many components, and which kind.

`selection.py` compares candidates (open it first; `candidates.py` fits one, `neighbours.py` starts
one from the next larger or smaller, `ranking.py` orders them, `outcome.py` is what comes back),
`scoring.py` has the criteria as scores of a search, `bootstrap.py` tests one against another,
`intervals.py` has errors and intervals of parameters, `merging.py` merges components to clusters.
Imports `_mixtures`, `_transforms` and `_interface`.
"""
