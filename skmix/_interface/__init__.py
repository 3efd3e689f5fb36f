"""What every estimator needs to behave like scikit-learn's.

Validation of rows, weights and parameters (`validation.py`; open it first), encoding of
categories (`encoding.py`), tables of several kinds of columns (`columns.py`) in data frames
(`frames.py`), rows in chunks (`chunks.py`, then `survey.py`; of
Dask `dask_chunks.py`, then `cluster.py`), callbacks and progress
(`callbacks.py`), facts in notebooks (`html.py`) and versions in pickles (`versions.py`). Imports
`exceptions`, sources of rows, and families' names.
"""
