"""Where EM starts.

`methods.py` makes the starts that a user can name, `search.py` lets starts from several spaces
compete (open it first): `clusters.py` finds them, `runs.py` carries many a little way side by
side, `spikes.py` says which of them rest on rounding. Categories have theirs in `categorical.py`.
Imports `_rows`, `_linalg`, `_families` and `_engine`; never an estimator.
"""
