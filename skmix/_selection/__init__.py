"""How many components, and which kind.

`selection.py` compares candidates (open it first; `candidates.py` fits one, `neighbours.py`
starts one from the next larger or smaller), `bootstrap.py` tests one against another. Imports
`_mixtures` and `_interface`.
"""
