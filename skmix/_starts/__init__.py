"""Where EM starts.

`gaussian.py` is what the fit of a Gaussian mixture asks (open it first): it takes what is given,
one of the starts that a user can name (`methods.py`), or lets starts from several spaces compete
(`search.py`; `sampling.py` chooses the rows that it looks at, `clusters.py` finds the starts,
`runs.py` carries many a little way side by side, `spikes.py` says which rest on rounding).
Categories have theirs in `categorical.py`, tables of several kinds of columns in `mixed.py`.
Imports `_rows`, `_linalg`, `_families` and `_engine`; never an estimator.
"""
