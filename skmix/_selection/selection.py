"""The choice of a mixture from a grid by one criterion."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils.parallel import Parallel, delayed

from .._interface import validation
from .._interface.chunks import as_chunks
from .._interface.wording import naming
from .._mixtures.criteria import evaluate, last_step, rows_of_last_step
from .._mixtures.regularisation import described
from ..exceptions import DegenerateComponentWarning, user_level
from . import neighbours
from .candidates import Fit, fit_and_score, fit_rows, give_back, share_rows, split
from .outcome import MixtureSelection
from .ranking import is_flattered, rank, warn_of_flattered

INFORMATION = ("n_parameters", "log_likelihood", "aic", "bic", "icl")


@validate_params(
    {
        "estimator": [HasMethods(["fit", "score"])],
        "X": "no_validation",
        "param_grid": [dict, list],
        "criterion": [StrOptions({"aic", "bic", "icl", "cv"})],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"]), Iterable, None],
        "sample_weight": ["array-like", None],
        "n_jobs": [Integral, None],
        "one_standard_error": ["boolean"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def select_mixture(
    estimator,
    X,
    param_grid,
    *,
    criterion="bic",
    cv=None,
    sample_weight=None,
    n_jobs=None,
    one_standard_error=False,
    verbose=0,
):
    """Fit a mixture for every point of a grid and choose the best by one criterion.

    Parameters
    ----------
    estimator : estimator
        A mixture, or a Pipeline that ends in one. It is cloned, not fitted. With
        ``criterion="cv"``, any estimator whose `score` is a mean log-likelihood per row.

    X : array-like of shape (n_samples, n_features), or Chunks
        The rows; :class:`Chunks` not with 'cv'.

    param_grid : dict or list of dict
        Lists of values by names of parameters, as in
        :class:`sklearn.model_selection.ParameterGrid`, such as
        ``{"n_components": range(1, 11), "covariance_type": ["full", "diag"]}``.

    criterion : {'bic', 'aic', 'icl', 'cv'}, default='bic'
        What the choice is made by: an information criterion on the rows of the fit, or 'cv', the
        log-likelihood of held-out rows.

    cv : int, splitter or iterable, default=None
        How 'cv' splits the rows. A number of folds means that many folds of shuffled rows, the
        same at every call; None means 5. Splitters and iterables of pairs of indices are those
        of scikit-learn.

    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights: a row of weight w counts as w rows, in the fits and in the criteria.

    n_jobs : int, default=None
        Number of candidates that are fitted at the same time, in processes of their own, each
        with its share of the cores. None means 1 unless in a :obj:`joblib.parallel_backend`
        context, -1 all cores. It never changes the result.

    one_standard_error : bool, default=False
        With ``criterion="cv"``, choose the candidate of fewest parameters among those whose mean
        is within one standard error of the best one.

    verbose : int, default=0
        Above 0, how far it is is printed from time to time, the oftener the larger the number.

    Returns
    -------
    selection : MixtureSelection
        The best mixture, fitted to all rows, as `best_estimator_`, with `best_params_`,
        `best_index_`, `best_score_`, `criterion`, and the table of all candidates as
        `cv_results_`, or as a DataFrame by ``to_frame()``. The columns of the table are

        - `params`, a dict, and `param_<name>`, masked where the name is not in that grid,
        - `n_parameters`, `log_likelihood` (nats, summed over the rows), `aic`, `bic` and `icl` of
          the fit to all rows, NaN where an estimator has none of them,
        - `converged` and `n_iter` of that fit, and `mean_fit_time` (seconds),
        - with 'cv', the held-out log-likelihood per row (nats) of each fold as
          `split<i>_test_score`, and `mean_test_score`, `std_test_score` and `standard_error`,
        - `degenerate`: whether the criteria say more of a spike, a component on few rows or on
          single values of a rounded column, than of the rows,
        - `rank`, 1 for the best by the criterion; degenerate candidates come after all others.

    Raises
    ------
    ValueError
        If the grid is empty or has unknown parameters, `cv` or `one_standard_error` is given for
        another criterion than 'cv', or no candidate could be fitted.

    TypeError
        If the estimator has no information criteria.

    Warns
    -----
    FitFailedWarning
        If some candidates could not be fitted, such as those with more components than rows. They
        rank last.

    ConvergenceWarning, DegenerateComponentWarning
        If the chosen mixture did not converge, or has a component with next to no variance in
        some direction, and if degenerate candidates have the best criterion. The same warnings of
        all other fits are silent.

    See Also
    --------
    skmix.metrics.neg_bic_score : The criterion as `scoring` of a search.
    SelectionDisplay : The criterion against the number of components.
    bootstrap_lrt : A test of one number of components against a larger one.
    sklearn.model_selection.GridSearchCV : Searches by `score` or any scorer.

    Notes
    -----
    The cost is that of one fit per candidate, and with 'cv' of one more per fold. Gaussian
    mixtures are fitted to all rows a second time, from their neighbour in the grid with fewer
    components, of which those are split whose own rows gain most; the better of both fits is
    kept. (Within a Pipeline, with `shrinkage` or with given starts there is one fit only.)

    Rows are validated and, for a categorical mixture, encoded once for all candidates. Categories
    are learned from all rows, so that folds may lack some.

    Without an adjustment the standard error is that of the mean over folds, which is optimistic:
    folds share training rows [3]_.

    References
    ----------
    .. [1] G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6(2), 1978.
       :doi:`10.1214/aos/1176344136`

    .. [2] C. Biernacki, G. Celeux, G. Govaert, "Assessing a mixture model for clustering with the
       integrated completed likelihood", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 22(7), 2000. :doi:`10.1109/34.865189`

    .. [3] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", Springer,
       2009, section 7.10. :doi:`10.1007/978-0-387-84858-7`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmix import GaussianMixture, select_mixture
    >>> grid = {"n_components": [1, 2, 3, 4], "covariance_type": ["full", "tied"]}
    >>> selection = select_mixture(GaussianMixture(random_state=0), load_iris().data, grid)
    >>> selection.best_params_
    {'covariance_type': 'full', 'n_components': 2}
    >>> selection.best_estimator_.means_.shape
    (2, 4)
    >>> table = selection.to_frame()  # needs pandas
    >>> table.loc[table["rank"] == 1, ["n_parameters", "bic"]].round(1)
       n_parameters    bic
    1            29  574.0
    """
    candidates = _candidates(estimator, param_grid)
    points = [params for params, _ in candidates]
    _check_options(estimator, points, criterion, cv, one_standard_error)
    _check_chunks(X, criterion)
    sample_weight = validation.check_sample_weight(sample_weight, X)
    shared = share_rows(estimator, points, X, sample_weight)
    rows = shared.rows
    models = [model.set_params(**shared.settings) for _, model in candidates]
    # What a candidate would warn of is of interest for the chosen one only.
    with Parallel(n_jobs=n_jobs, verbose=verbose) as parallel, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        fits = list(parallel(delayed(fit_rows)(model, rows, sample_weight) for model in models))
        _raise_if_all_failed(fits)
        _improve(parallel, points, fits, rows, sample_weight)
        folds: list[list[Fit]] = []
        if criterion == "cv":
            splits = split(cv, rows)
            tasks = (
                delayed(fit_and_score)(model, rows, sample_weight, *parts)
                for model in models
                for parts in splits
            )
            flat = list(parallel(tasks))
            folds = [flat[i : i + len(splits)] for i in range(0, len(flat), len(splits))]
    results = _table(points, fits, folds, rows, sample_weight)
    _warn_of_failures(points, fits, folds)
    best = rank(results, criterion, one_standard_error)
    warn_of_flattered(results, criterion, best)
    give_back(fits[best].estimator, shared)
    warn_of_choice(last_step(fits[best].estimator))
    score = results["mean_test_score" if criterion == "cv" else criterion][best]
    return MixtureSelection(
        fits[best].estimator, points[best], best, float(score), criterion, results
    )


def _check_options(
    estimator: Any, points: list[dict], criterion: str, cv: Any, one_standard_error: bool
) -> None:
    _check_units(estimator, points)
    if criterion != "cv":
        given = {"cv": cv} if cv is not None else {}
        given |= {"one_standard_error": True} if one_standard_error else {}
        for name, value in given.items():
            raise ValueError(
                f"{name}={value!r} has no effect with criterion={criterion!r}, which is computed "
                f"on the rows of the fit. Use criterion='cv', or leave {name} out."
            )
        if not hasattr(last_step(estimator), criterion):
            raise TypeError(
                f"criterion={criterion!r} needs a mixture with the method {criterion!r}, but "
                f"{last_step(estimator)!r} has none. Use criterion='cv', which needs `score` "
                "only, or another estimator."
            )


def _check_chunks(X: Any, criterion: str) -> None:
    """Refuse to hold out rows of chunks."""
    if criterion == "cv" and as_chunks(X) is not None:
        raise ValueError(
            "criterion='cv' holds rows out by their index, which rows in chunks have not. Use "
            "criterion='bic', 'icl' or 'aic', or fit to some chunks and score others."
        )


def _check_units(estimator: Any, points: list[dict]) -> None:
    """Refuse a grid whose candidates transform rows differently before the mixture."""
    if not isinstance(estimator, Pipeline):
        return
    last = estimator.steps[-1][0]
    steps = {name for name, _ in estimator.steps[:-1]}
    for name in sorted({name for point in points for name in point}):
        if name.split("__")[0] in steps:
            raise ValueError(
                f"param_grid has {name!r}, a parameter of a step before {last!r}: likelihoods of "
                "rows that were transformed differently do not compare. Make the other steps the "
                "transformer of a TransformedDensity, whose score is in the units of X, and use "
                "criterion='cv'."
            )


def _candidates(estimator: Any, param_grid: Any) -> list[tuple[dict[str, Any], Any]]:
    """Return the points of the grid with a clone of the estimator for each."""
    with naming("param_grid", "lists of values by names of parameters"):
        points = list(ParameterGrid(param_grid))
    if not any(points):
        raise ValueError(
            f"param_grid={param_grid!r} has nothing to choose from. Give it lists of values by "
            "names of parameters, such as {'n_components': [1, 2, 3]}."
        )
    return [(point, clone(estimator).set_params(**clone(point, safe=False))) for point in points]


def _improve(parallel: Any, points: list, fits: list[Fit], X: Any, sample_weight: Any) -> None:
    """Fit again from neighbours with fewer components; keep in `fits` what is better."""
    chains = neighbours.chains(points)
    tasks = (
        delayed(neighbours.improve)([fits[i] for i in chain], X, sample_weight) for chain in chains
    )
    for chain, improved in zip(chains, list(parallel(tasks)), strict=True):
        for i, fit in zip(chain, improved, strict=True):
            fits[i] = fit


def _table(
    points: list[dict[str, Any]],
    fits: list[Fit],
    folds: list[list[Fit]],
    X: Any,
    sample_weight: Any,
) -> dict[str, Any]:
    """Return the columns of `cv_results_` but the rank."""
    table: dict[str, Any] = {}
    times = [[fit.seconds, *(f.seconds for f in row)] for fit, row in _zip_folds(fits, folds)]
    table["mean_fit_time"] = np.array([np.mean(row) for row in times])
    for name in sorted({name for point in points for name in point}):
        column = np.ma.MaskedArray(np.empty(len(points), dtype=object), mask=True)
        for i, point in enumerate(points):
            if name in point:
                column[i] = point[name]
        table[f"param_{name}"] = column
    table["params"] = points
    judged = [_judge(fit, X, sample_weight) for fit in fits]
    criteria, degenerate = zip(*judged, strict=True)
    for name, values in zip(INFORMATION, zip(*criteria, strict=True), strict=True):
        table[name] = np.array(values)
    if not np.isnan(table["n_parameters"]).any():
        table["n_parameters"] = table["n_parameters"].astype(int)
    finals = [last_step(fit.estimator) for fit in fits]
    table["degenerate"] = np.array(degenerate)
    table["converged"] = np.array([bool(getattr(m, "converged_", False)) for m in finals])
    table["n_iter"] = np.array([int(getattr(m, "n_iter_", 0)) for m in finals])
    if folds:
        scores = np.array([[fold.held_out for fold in row] for row in folds])
        for i, column in enumerate(scores.T):
            table[f"split{i}_test_score"] = column
        table["mean_test_score"] = scores.mean(axis=1)
        table["std_test_score"] = scores.std(axis=1)
        n_splits = scores.shape[1]
        spread = scores.std(axis=1, ddof=1) if n_splits > 1 else np.full(len(scores), np.nan)
        table["standard_error"] = spread / np.sqrt(n_splits)
    return table


def _zip_folds(fits: list[Fit], folds: list[list[Fit]]) -> Iterator[tuple[Fit, list[Fit]]]:
    return zip(fits, folds or [[]] * len(fits), strict=True)


def _judge(fit: Fit, X: Any, sample_weight: Any) -> tuple[tuple[float, ...], bool]:
    """Return the criteria of a fit, and whether they say more of a spike than of the rows."""
    model = last_step(fit.estimator)
    if not all(hasattr(model, name) for name in ("_n_parameters", "predict_proba")):
        return (np.nan,) * len(INFORMATION), False
    rows = rows_of_last_step(fit.estimator, X)
    return evaluate(model, rows, sample_weight), is_flattered(model, rows, sample_weight)


def _raise_if_all_failed(fits: list[Fit]) -> None:
    if all(fit.estimator is None for fit in fits):
        raise ValueError(
            f"All {len(fits)} candidates of param_grid failed to fit. The first error was "
            f"{fits[0].error}"
        )


def _warn_of_failures(points: list, fits: list[Fit], folds: list[list[Fit]]) -> None:
    reasons = []
    for params, (fit, row) in zip(points, _zip_folds(fits, folds), strict=True):
        errors = [f.error for f in (fit, *row) if f.error]
        if errors:
            reasons.append(f"{params}: {errors[0]}")
    if reasons:
        shown = "\n".join(reasons[:10]) + (f"\nand {len(reasons) - 10} more" * (len(reasons) > 10))
        warnings.warn(
            f"{len(reasons)} of {len(fits)} candidates failed and rank last:\n{shown}",
            FitFailedWarning,
            stacklevel=user_level(),
        )


def warn_of_choice(mixture: Any) -> None:
    """Warn of what is wrong with the chosen mixture."""
    if not getattr(mixture, "converged_", True):
        warnings.warn(
            f"The chosen mixture did not converge in {mixture.n_iter_} iterations. Increase "
            "max_iter or tol.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    if hasattr(mixture, "covariances_") and neighbours.collapsed(mixture):
        stands_in = described(mixture.reg_covar, neighbours.added(mixture))
        warnings.warn(
            "The chosen mixture has a component that collapsed: in some direction its rows have "
            f"next to no spread of their own, and {stands_in} stands in for it. "
            "Use a larger reg_covar, shrinkage, or fewer components.",
            DegenerateComponentWarning,
            stacklevel=user_level(),
        )
