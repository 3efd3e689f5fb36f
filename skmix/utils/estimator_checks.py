"""Checks that any density estimator should pass, in the style of scikit-learn's.

scikit-learn's own checks (:mod:`sklearn.utils.estimator_checks`) say whether an estimator keeps
its interface. These say whether what it fits is a property of the data: a weight is a repetition,
and neither the order of the rows, nor the chunks and threads that visit them, nor an earlier fit
shows in the density.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from ._checking import (
    ROUNDING,
    assert_same,
    fit,
    learned,
    make_rows,
    many_rows,
    needs_weights,
    quietly,
    small_chunks,
    with_holes,
)

__all__ = [
    "check_chunk_size",
    "check_failed_refit",
    "check_missing_cells",
    "check_refit",
    "check_row_order",
    "check_sample_weight_factor",
    "check_sample_weight_repetition",
    "check_sample_weight_zero",
    "check_set_output",
    "check_threads",
    "parametrize_with_checks",
    "skmix_checks",
]


SECTIONS = """
Parameters
----------
name : str
    What to call the estimator in an error.

estimator : estimator
    A density estimator: it has `fit` and `score_samples`. It is cloned.

X : array-like of shape (n_samples, n_features), default=None
    Numbers that suit the estimator, a hundred rows or so, complete ones; None makes some.

Returns
-------
None

Raises
------
AssertionError
    If the estimator fails the check; the text says what differs, and by how much.
unittest.SkipTest
    If the check does not apply.

Examples
--------
>>> from skmix import GMMDenoiser
>>> from skmix.utils.estimator_checks import {check}
>>> {check}("GMMDenoiser", GMMDenoiser(2, random_state=0))
"""


def _documented(check: Callable[..., None]) -> Callable[..., None]:
    """Add the sections that are the same for all checks."""
    sections = SECTIONS.format(check=check.__name__)
    check.__doc__ = f"{inspect.cleandoc(check.__doc__ or '')}\n{sections}"
    return check


@_documented
def check_missing_cells(name, estimator, X=None):
    """Check that missing cells (NaN) are left out of the density, in `fit` and afterwards.

    Rows with missing cells have finite log densities, which do not depend on the rows that are
    scored with them. A row without any observed cell scores 0, and changes nothing in a fit.
    Skipped for estimators whose tag `allow_nan` is False.
    """
    if not get_tags(estimator).input_tags.allow_nan:
        raise SkipTest(f"{name} takes no missing cells")
    X = make_rows(estimator, X)
    holed = with_holes(X)
    fitted = fit(estimator, holed)
    scores = fitted.score_samples(holed)
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise AssertionError(
            f"{name}: the log density of row {bad[0]}, which has missing cells, is "
            f"{scores[bad[0]]}. It has to be that of the observed cells."
        )
    complete = fitted.score_samples(X)
    together = fitted.score_samples(np.concatenate([X, holed]))
    assert_same(name, together, np.concatenate([complete, scores]), "scored beside other rows")
    nothing = np.full((1, X.shape[1]), np.nan)
    (score,) = fitted.score_samples(nothing)
    if not abs(score) <= ROUNDING:
        raise AssertionError(
            f"{name}: a row without observed cells has log density {score:.6g} instead of 0, the "
            "logarithm of a density that is integrated over everything."
        )
    again = fit(estimator, np.concatenate([nothing, holed]))
    assert_same(name, again.score_samples(holed), scores, "after a fit with an empty row more")


@_documented
def check_sample_weight_repetition(name, estimator, X=None):
    """Check that a row of weight w counts as w rows.

    Skipped for estimators whose `fit` takes no `sample_weight`.
    """
    needs_weights(name, estimator)
    X = make_rows(estimator, X)
    weight = np.random.RandomState(1).randint(1, 4, size=len(X))
    expected = fit(estimator, np.repeat(X, weight, axis=0)).score_samples(X)
    actual = fit(estimator, X, weight).score_samples(X)
    assert_same(name, actual, expected, "with integer weights instead of repeated rows")


@_documented
def check_sample_weight_zero(name, estimator, X=None):
    """Check that rows of weight 0 are left out, whatever they are.

    Skipped for estimators whose `fit` takes no `sample_weight`.
    """
    needs_weights(name, estimator)
    X = make_rows(estimator, X)
    # The largest rows are the ones that would show.
    left_out = np.argsort(X.sum(axis=1), kind="stable")[-len(X) // 5 :]
    weight = np.ones(len(X))
    weight[left_out] = 0.0
    expected = fit(estimator, X[weight > 0], weight[weight > 0]).score_samples(X[weight > 0])
    actual = fit(estimator, X, weight).score_samples(X[weight > 0])
    assert_same(name, actual, expected, "with rows of weight 0 instead of without them")


@_documented
def check_sample_weight_factor(name, estimator, X=None):
    """Check that a factor common to all weights changes nothing.

    Skipped for estimators whose `fit` takes no `sample_weight`. Estimators with pseudo-counts,
    which weigh against the rows, are expected to fail.
    """
    needs_weights(name, estimator)
    X = make_rows(estimator, X)
    weight = np.random.RandomState(2).uniform(0.5, 2.0, size=len(X))
    expected = fit(estimator, X, weight).score_samples(X)
    for factor in (1e-3, 7.0):
        actual = fit(estimator, X, factor * weight).score_samples(X)
        assert_same(name, actual, expected, f"with all weights multiplied by {factor}")


@_documented
def check_row_order(name, estimator, X=None):
    """Check that the density does not depend on the order of the rows of a fit.

    Estimators that start at random from single rows are expected to fail.
    """
    X = make_rows(estimator, X)
    order = np.random.RandomState(3).permutation(len(X))
    expected = fit(estimator, X).score_samples(X)
    actual = fit(estimator, X[order]).score_samples(X)
    assert_same(name, actual, expected, "after a fit to the same rows in another order")


@_documented
def check_chunk_size(name, estimator, X=None):
    """Check that the pieces in which rows are visited add up.

    The log densities of some rows are the same whether or not others are scored with them, and a
    fit with the smallest chunks that the engine of skmix can be made to use gives the same
    density to rounding.
    """
    X = many_rows(estimator, X)
    fitted = fit(estimator, X)
    expected = fitted.score_samples(X)
    parts = [fitted.score_samples(part) for part in np.array_split(X, [1, 10, len(X) // 3])]
    assert_same(name, np.concatenate(parts), expected, "scored in parts")
    with small_chunks():
        actual = fit(estimator, X).score_samples(X)
    assert_same(name, actual, expected, "fitted in small chunks")


@_documented
def check_threads(name, estimator, X=None):
    """Check that fits and scores are the same to the bit on one thread and on two."""
    X = many_rows(estimator, X)
    scores = []
    with small_chunks():  # several lanes, so that there is something to share
        for n_threads in (1, 2):
            with threadpool_limits(n_threads):
                scores.append(fit(estimator, X).score_samples(X))
    assert_same(name, scores[1], scores[0], "on two threads instead of one", exact=True)


@_documented
def check_set_output(name, estimator, X=None):
    """Check that `set_output` chooses what `transform` returns, and changes no value.

    Skipped for estimators without `transform` and `set_output`, and where pandas is missing.
    """
    if not (hasattr(estimator, "transform") and hasattr(estimator, "set_output")):
        raise SkipTest(f"{name} has no output to set")
    try:
        import pandas
    except ImportError as error:
        raise SkipTest("pandas is not installed") from error
    X = make_rows(estimator, X)
    index = [f"row {i}" for i in range(len(X))]
    frame = pandas.DataFrame(X, index, [f"column {j}" for j in range(X.shape[1])])
    fitted = fit(estimator, frame)
    expected = np.asarray(fitted.set_output(transform="default").transform(frame))
    named = fitted.set_output(transform="pandas").transform(frame)
    if not isinstance(named, pandas.DataFrame):
        raise AssertionError(
            f"{name}: after set_output(transform='pandas'), transform returns "
            f"{type(named).__name__} instead of a DataFrame."
        )
    assert_same(name, named.to_numpy(), expected, "as a DataFrame", what="output", exact=True)
    for what, actual, wanted in (
        ("index", list(named.index), index),
        ("columns", list(named.columns), list(fitted.get_feature_names_out())),
    ):
        if actual != wanted:
            raise AssertionError(
                f"{name}: the {what} of the DataFrame that transform returns are {actual[:3]}..., "
                f"not {wanted[:3]}..."
            )
    plain = fitted.set_output(transform="default").transform(frame)
    if isinstance(plain, pandas.DataFrame):
        raise AssertionError(
            f"{name}: after set_output(transform='default'), transform returns a DataFrame."
        )


@_documented
def check_refit(name, estimator, X=None):
    """Check that a second fit is a fresh one: nothing of the first is left.

    Estimators that continue from the last fit by their parameters (`warm_start`) are set not to.
    """
    X = make_rows(estimator, X)
    fewer = X[: len(X) // 2, 1:]
    fresh = fit(estimator, X)
    refitted = fit(estimator, fewer)
    quietly(refitted.fit, X)
    expected = fresh.score_samples(X)
    assert_same(name, refitted.score_samples(X), expected, "after an earlier fit", exact=True)
    left = sorted(learned(refitted) ^ learned(fresh))
    if left:
        raise AssertionError(
            f"{name}: a fit after an earlier one and a fresh one differ in the attribute(s) "
            f"{', '.join(left)}."
        )


@_documented
def check_failed_refit(name, estimator, X=None):
    """Check that a fit that fails leaves the earlier fit as it was."""
    X = make_rows(estimator, X)
    fitted = fit(estimator, X)
    expected, before = fitted.score_samples(X), learned(fitted)
    infinite = np.concatenate([X, X], axis=1)
    infinite[len(X) // 2] = np.inf
    for bad, what in (
        (infinite, "rows that are infinite"),
        (infinite[:0], "no rows"),
        (X[:, 0], "a vector"),
    ):
        try:
            quietly(fitted.fit, bad)
        except Exception:
            pass
        else:
            raise AssertionError(f"{name}: a fit to {what} raises no error.")
        when = f"after a fit to {what} that failed"
        changed = sorted(learned(fitted) ^ before)
        if changed:
            raise AssertionError(f"{name}: {', '.join(changed)} came or went {when}.")
        try:
            actual = fitted.score_samples(X)
        except Exception as error:
            raise AssertionError(f"{name}: no row can be scored {when}: {error}") from error
        assert_same(name, actual, expected, when, exact=True)


CHECKS: tuple[Callable[..., None], ...] = (
    check_missing_cells,
    check_sample_weight_repetition,
    check_sample_weight_zero,
    check_sample_weight_factor,
    check_row_order,
    check_chunk_size,
    check_threads,
    check_set_output,
    check_refit,
    check_failed_refit,
)


def skmix_checks(estimator, *, X=None):
    """Yield an estimator with every check of this module.

    Parameters
    ----------
    estimator : estimator
        A density estimator: it has `fit` and `score_samples`.

    X : array-like of shape (n_samples, n_features), default=None
        Numbers that suit the estimator, where those that the checks make would not. They make
        real ones, whole ones where the tags ask for categories, positive ones where they ask so.

    Returns
    -------
    pairs : iterator of (estimator, callable)
        ``check(estimator)`` raises an `AssertionError` if the check fails, and
        `unittest.SkipTest` if it does not apply.

    Examples
    --------
    >>> from unittest import SkipTest
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmix.utils.estimator_checks import skmix_checks
    >>> for estimator, check in skmix_checks(GaussianMixture()):
    ...     try:
    ...         check(estimator)
    ...     except SkipTest as reason:
    ...         print(reason)
    GaussianMixture takes no missing cells
    GaussianMixture takes no sample_weight
    GaussianMixture takes no sample_weight
    GaussianMixture takes no sample_weight
    GaussianMixture has no output to set
    """
    name = type(estimator).__name__
    for check in CHECKS:
        yield estimator, partial(check, name, X=X)


def parametrize_with_checks(estimators, *, expected_failed_checks=None, rows=None):
    """Parametrise a test of pytest over estimators and the checks of this module.

    Parameters
    ----------
    estimators : list of estimator
        Density estimators: they have `fit` and `score_samples`.

    expected_failed_checks : callable, default=None
        From an estimator to a dict of the reasons by the names of the checks that it is expected
        to fail. None expects all to pass.

    rows : callable, default=None
        From an estimator to the rows that suit it, or to None; see `skmix_checks`.

    Returns
    -------
    decorator : pytest.MarkDecorator
        Of a test with the arguments `estimator` and `check`.

    See Also
    --------
    sklearn.utils.estimator_checks.parametrize_with_checks : The same for scikit-learn's checks.

    Examples
    --------
    >>> from skmix import GaussianMixture
    >>> from skmix.utils.estimator_checks import parametrize_with_checks
    >>> @parametrize_with_checks([GaussianMixture(2, random_state=0)])
    ... def test_density_estimator(estimator, check):
    ...     check(estimator)
    """
    import pytest

    def parameters() -> Iterator[Any]:
        for estimator in estimators:
            failing = expected_failed_checks(estimator) if expected_failed_checks else {}
            X = None if rows is None else rows(estimator)
            for _, check in skmix_checks(estimator, X=X):
                name = check.func.__name__
                reason = failing.get(name)
                marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
                yield pytest.param(estimator, check, marks=marks, id=f"{estimator!r}-{name}")

    return pytest.mark.parametrize(("estimator", "check"), list(parameters()))
