"""EM: one map and one sum, whatever the components are.

A pass maps chunks of rows to log-likelihoods and statistics and adds them up; between passes a
family turns the sum into new parameters. Open `em.py` first, then `acceleration.py` (steps that
look ahead), `truncated.py` (passes over a few of many components), `short_runs.py` (many short
runs, of which few are kept) and `posteriors.py` (what a fitted mixture knows of missing cells).
Imports `_rows`, `_linalg` and `_families`.
"""
