"""Truncated passes of families of every kind, against loops and exact passes."""

import numpy as np
import pytest
from families import MEMBERS
from scipy.special import logsumexp

from skmix import CategoricalMixture, MixedMixture
from skmix._engine import candidates, em, truncated
from skmix._engine.candidates import Groups
from skmix._engine.truncated import Truncation
from skmix._families import visits_blocks
from skmix._families.categorical import GUARDED
from skmix._families.product import ProductStatistics

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
VISITING = ["full", "tied", "diag", "spherical", "categorical", "Poisson", "counts", "product"]
visiting = pytest.mark.parametrize(
    "case", [case for case in MEMBERS if case.name in VISITING], ids=lambda case: case.name
)
# What is guarded may differ by so much per row.
ATOL = 2 * GUARDED
# Of three components; the lists of the second and third group are filled up.
OWN = [[0, 1, 2], [1], [0, 2]]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Truncate passes over a few rows and components."""
    monkeypatch.setattr(truncated, "MIN_COMPONENTS", 2)
    monkeypatch.setattr(truncated, "MIN_PAIRS", 1)
    monkeypatch.setattr(truncated, "MOST_WORK", 2.0)
    monkeypatch.setattr(candidates, "BLOCK_ROWS", (16, 4))
    monkeypatch.setattr(candidates, "FILLED_UP", 0.0)


def in_frame(family, params):
    return family.to_frame(params) if hasattr(family, "to_frame") else params


def leaves(statistics):
    """All arrays of statistics, of all parts."""
    if isinstance(statistics, ProductStatistics):
        return [array for part in statistics.parts for array in leaves(part)]
    return list(statistics)


def truncated_pass(source, family, params, labels, hard):
    truncation = Truncation(source, family, em.expect, hard=hard)
    starts = np.cumsum([0, *map(len, OWN)])
    truncation._groups = Groups(labels.astype(np.int32), starts, np.concatenate(OWN))
    truncation._n_truncated = 1
    form = truncation.prepare(params)
    assert not truncation.exact
    return truncation.expect(form)


def test_which_forms_visit_blocks():
    found = []
    for case in MEMBERS:
        params, X = case.problem(0)
        with case.bound(X) as (source, family):
            framed = in_frame(family, params)
            if visits_blocks(family.prepare(framed, source.dtype)):
                found.append(case.name)
    assert found == VISITING


@visiting
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_over_candidates_are_those_of_responsibilities(case, hard, weighted):
    params, X = case.problem(0)
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=len(X))
    weight = rng.gamma(2.0, size=len(X)) if weighted else np.ones(len(X))
    terms = case.log_joint(params, X)[:, 0]
    outside = np.array([np.isin(range(3), own, invert=True) for own in OWN])[labels].T
    terms = np.where(outside, -np.inf, terms)
    total = terms.max(axis=0) if hard else logsumexp(terms, axis=0)
    resp = terms == total if hard else np.exp(terms - total)
    with case.bound(X, weight if weighted else None) as (source, family):
        framed = in_frame(family, params)
        bound, sums = truncated_pass(source, family, framed, labels, hard)
        form = family.prepare(framed, source.dtype)

        def resp_of(rows, out):
            out[:] = resp[:, rows]

        expected = em.statistics_of(source, form, resp_of)
    assert bound == pytest.approx(weight @ total, rel=1e-9)
    for own, other in zip(leaves(sums), leaves(expected), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-9, atol=ATOL * weight.sum())


def table(n_samples=1000, n_components=10, seed=0):
    """Numbers and answers of many well-separated kinds, with holes."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(n_components, size=n_samples)
    numbers = rng.normal(scale=6.0, size=(n_components, 2))[kinds]
    numbers += rng.standard_normal((n_samples, 2))
    counts = rng.poisson(rng.gamma(2.0, 5.0, size=n_components)[kinds]).astype(float)
    chances = rng.dirichlet(np.full(4, 0.4), size=(n_components, 3))[kinds]
    drawn = chances.cumsum(axis=2) > rng.random((n_samples, 3, 1))
    X = np.column_stack([numbers, counts, drawn.argmax(axis=2)])
    X[rng.random(X.shape) < 0.03] = np.nan
    return X


def mixed(**options):
    return MixedMixture(
        6,
        families={2: "poisson"},
        categorical_features=[3, 4, 5],
        random_state=0,
        covariance_type="diag",
        init_params="random",
        **options,
    )


@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"assignment": "hard"}])
def test_a_mixture_of_kinds_is_that_of_exact_passes(options, monkeypatch):
    X = table()
    weight = np.random.default_rng(0).integers(1, 3, size=len(X))
    exact_passes, make = [], Truncation.expect

    def noted(truncation, form):
        exact_passes.append(truncation.exact)
        return make(truncation, form)

    monkeypatch.setattr(Truncation, "expect", noted)
    mixture = mixed(tol=1e-6, max_iter=300, **options).fit(X, sample_weight=weight)
    assert mixture.converged_ and exact_passes[-1] and exact_passes.count(False) > 5
    monkeypatch.setattr(truncated, "MIN_COMPONENTS", 1000)
    exact = mixed(tol=1e-6, max_iter=300, **options).fit(X, sample_weight=weight)
    assert mixture.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-3)
    bounds = np.array(mixture.lower_bounds_)
    was_exact = np.array(exact_passes[-len(bounds) :])
    falls = (bounds[:-1] - bounds[1:])[was_exact[1:] | ~was_exact[:-1]]
    # With alpha it is the posterior that never falls.
    assert falls.max() < (1e-6 if "alpha" in options else 1e-9)


def test_answers_of_a_class_are_truncated_as_well(monkeypatch):
    X = np.nan_to_num(table()[:, 3:], nan=1.0).astype(int)
    options = {"init_params": "random", "random_state": 1, "tol": 1e-7, "max_iter": 400}
    mixture = CategoricalMixture(4, **options).fit(X)
    monkeypatch.setattr(truncated, "MIN_COMPONENTS", 1000)
    exact = CategoricalMixture(4, **options).fit(X)
    assert mixture.lower_bound_ == pytest.approx(exact.lower_bound_, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "field"), [("categorical", "probabilities"), ("counts", "rates")]
)
def test_what_is_guarded_stays_above_zero_and_lowers_no_bound(name, field):
    """Few rows make most probabilities and rates 0; their likelihood still never falls."""
    case = next(case for case in MEMBERS if case.name == name)
    params, X = case.problem(0)
    counts = [[0.0, 4.0], [0.0, 6.0], [20.0, 5.0]]
    few = np.repeat(counts if name == "counts" else X[:3], 20, axis=0)
    bounds, before = [], getattr(params, field)
    with case.bound(few) as (source, family):
        for _ in range(6):
            total, sums = em.expect(source, family.prepare(params, source.dtype))
            bounds.append(total)
            params = family.maximize(params, family.guarded(params, sums))
        alone = family.maximize(params, sums)
    assert np.min(getattr(alone, field)) < 1e-50
    least = np.minimum(before, GUARDED * (1.0 if name == "categorical" else before.max(axis=0)))
    assert np.all(getattr(params, field) >= 0.99 * least)
    assert np.min(np.diff(bounds)) > -1e-9 * abs(total)
