"""GaussianMixture on bad input and degenerate data, and after fits that fail."""

import copy
import re
import warnings

import numpy as np
import oracles
import pytest
from mixtures import (
    COVARIANCE_TYPES,
    INIT_PARAMS,
    LEARNED,
    each_type,
    given_start,
    ill_defined,
    overlapping,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as SklearnMixture

from skmix import GaussianMixture
from skmix._engine import em
from skmix._mixtures import base
from skmix._starts import search
from skmix.exceptions import DegenerateComponentWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Bad input.


def message_of(fit):
    """Type and text of the error, with the options of a set in one order."""
    with pytest.raises(Exception) as caught:
        fit()
    text = str(caught.value)
    return type(caught.value), re.sub(
        r"\{(.*?)\}", lambda options: str(sorted(options[1].split(", "))), text
    )


bad_inputs = [
    ({"n_components": 0}, {}),
    ({"n_components": 1.5}, {}),
    ({"tol": -1.0}, {}),
    ({"reg_covar": -1e-3}, {}),
    ({"reg_covar": "none"}, {}),
    ({"max_iter": -1}, {}),
    ({"n_init": 0}, {}),
    ({"init_params": "lucky"}, {}),
    ({"random_state": "x"}, {}),
    ({"warm_start": "yes"}, {}),
    ({"verbose": -1}, {}),
    ({"verbose_interval": 0}, {}),
    ({"weights_init": 3}, {}),
    ({"n_components": 9}, {"X": np.arange(16.0).reshape(8, 2)}),
    ({}, {"X": np.arange(8.0)}),
    ({}, {"X": np.ones((1, 2))}),
    ({}, {"X": np.ones((8, 0))}),
    ({}, {"X": np.ones((2, 2, 2))}),
    ({}, {"X": [["a", "b"], ["c", "d"]]}),
    ({}, {"X": np.full((8, 2), np.inf)}),
    ({}, {"X": np.full((8, 2), 1j)}),
    ({"weights_init": [0.5, 0.5]}, {}),
    ({"weights_init": [0.5, 0.5, 0.5]}, {}),
    ({"means_init": np.ones((3, 5))}, {}),
    ({"means_init": np.ones(3)}, {}),
    ({"precisions_init": np.ones((3, 3))}, {}),
    ({"precisions_init": np.zeros((3, 4, 4))}, {}),
    ({"precisions_init": np.tile(np.triu(np.ones((4, 4))), (3, 1, 1))}, {}),
    ({"precisions_init": np.ones((3, 4)), "covariance_type": "tied"}, {}),
    ({"precisions_init": -np.eye(4), "covariance_type": "tied"}, {}),
    ({"precisions_init": np.zeros((3, 4)), "covariance_type": "diag"}, {}),
    ({"precisions_init": -np.ones(3), "covariance_type": "spherical"}, {}),
    ({"precisions_init": np.ones(2), "covariance_type": "spherical"}, {}),
]


@pytest.mark.parametrize(("parameters", "data"), bad_inputs)
def test_errors_say_what_scikit_learn_says(parameters, data):
    parameters = {"n_components": 3, **parameters}
    X = data.get("X", overlapping())
    kind, message = message_of(lambda: GaussianMixture(**parameters).fit(X))
    their_kind, their_message = message_of(lambda: SklearnMixture(**parameters).fit(X))
    assert issubclass(kind, their_kind)
    # The first line: what is wrong. Remedies differ, and one more start and one more
    # `reg_covar` are known here.
    message = message.replace("\"'auto'\", ", "").replace(" or a str among [\"'auto'\"]", "")
    assert message.startswith(their_message.split("\n")[0])


@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_ill_defined_covariance_as_scikit_learn(covariance_type):
    # Few bits (tied: a zero column), so that the variances of scikit-learn come out as zeros too.
    X = np.repeat([[0.0, 0.0], [4.0, 4.0], [8.0, 0.0]], 4, axis=0)
    X = X * [1.0, 0.0] if covariance_type == "tied" else X
    options = dict(n_components=3, covariance_type=covariance_type, reg_covar=0.0, random_state=0)
    kind, message = message_of(lambda: GaussianMixture(**options).fit(X))
    their_kind, their_message = message_of(lambda: SklearnMixture(**options).fit(X))
    assert kind is their_kind is ValueError
    # What is wrong; the remedies have grown over the versions.
    assert message.startswith(their_message.split(" Try to")[0])


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples", "score"])
def test_scoring_errors_say_what_scikit_learn_says(method):
    X = overlapping()
    bad = [X[:, :3], np.where(X > 1, np.inf, X), X[:0], X[0]]
    unfitted = [cls(2) for cls in (GaussianMixture, SklearnMixture)]
    kind, message = message_of(lambda: getattr(unfitted[0], method)(X))
    assert (kind, message) == message_of(lambda: getattr(unfitted[1], method)(X))
    assert kind is NotFittedError
    ours, theirs = (mixture.fit(X) for mixture in unfitted)
    for rows in bad:
        kind, message = message_of(lambda rows=rows: getattr(ours, method)(rows))
        their_kind, their_message = message_of(lambda rows=rows: getattr(theirs, method)(rows))
        assert kind is their_kind
        assert message.startswith(their_message.split("\n")[0])


def test_sample_errors_say_what_scikit_learn_says():
    ours, theirs = GaussianMixture(2), SklearnMixture(2)
    assert message_of(ours.sample) == message_of(theirs.sample)
    X = overlapping()
    ours.fit(X)
    theirs.fit(X)
    kind, message = message_of(lambda: ours.sample(0))
    their_kind, their_message = message_of(lambda: theirs.sample(0))
    assert kind is their_kind
    # scikit-learn shows n_components for the value.
    assert message == their_message.replace("'n_samples': 2", "'n_samples': 0")


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (np.r_[-1.0, np.ones(599)], r"`sample_weight`.*sample_weight\[0\] is -1\.0.*give 0"),
        (np.zeros(600), r"sample_weight is zero for every row.*sample_weight=None"),
        (np.r_[np.nan, np.ones(599)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(599)], "sample_weight contains infinity"),
        (np.ones(599), r"sample_weight.*\(599,\).*\(600,\)"),
        (np.ones((600, 2)), "[Ss]ample.weight.* 1D"),
        (
            np.r_[1.0, 1.0, np.zeros(598)],
            r"n_components = 3, n_samples = 2 with positive sample_weight.*at most",
        ),
    ],
)
def test_bad_sample_weights(sample_weight, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(3).fit(overlapping(), sample_weight=sample_weight)


@pytest.mark.parametrize("name", ["weights_init", "means_init", "precisions_init"])
def test_starts_that_are_not_finite_are_named(name):
    start = given_start("full")
    start[name] = np.where(
        np.arange(start[name].size).reshape(start[name].shape) == 1, np.nan, 0.1
    )
    with pytest.raises(ValueError, match=name):
        GaussianMixture(3, **start).fit(overlapping())


@pytest.mark.parametrize("shrinkage", [-1.0, "much", None])
def test_bad_shrinkage(shrinkage):
    with pytest.raises(ValueError, match="'shrinkage' parameter of GaussianMixture must be"):
        GaussianMixture(2, shrinkage=shrinkage).fit(overlapping())


def test_warm_start_with_another_shape_is_refused():
    fitted = GaussianMixture(2, warm_start=True, random_state=0).fit(overlapping())
    with pytest.raises(ValueError, match=r"warm_start=True .*n_components=3.*warm_start=False"):
        fitted.set_params(n_components=3).fit(overlapping())


def test_warm_start_with_another_covariance_type_is_refused():
    fitted = GaussianMixture(2, warm_start=True, random_state=0).fit(overlapping())
    with pytest.raises(ValueError, match=r"warm_start=True .*covariance_type.*warm_start=False"):
        fitted.set_params(covariance_type="diag").fit(overlapping())


# Degenerate data.


def degenerate_rows(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    return {
        "duplicate rows": np.repeat(X[:2], 30, axis=0),
        "all rows equal": np.ones((60, 3)),
        "constant column": np.column_stack([X, np.full(60, 7.0)]),
        "large constant column": np.column_stack([X, np.full(60, 1e8)]),
        "duplicate column": np.column_stack([X, X[:, 0]]),
        "more features than rows": rng.standard_normal((6, 20)),
        "singleton": np.concatenate([X, [[40.0, 40.0, 40.0]]]),
    }[kind]


DEGENERATE = {
    "duplicate rows": COVARIANCE_TYPES,
    "all rows equal": COVARIANCE_TYPES,
    "constant column": ("full", "tied", "diag"),
    "large constant column": ("full", "tied", "diag"),
    "duplicate column": ("full", "tied"),
    "more features than rows": ("full", "tied"),
    "singleton": ("full", "diag", "spherical"),
}
degenerate_cases = [
    pytest.param(kind, covariance_type, id=f"{kind}-{covariance_type}")
    for kind, types in DEGENERATE.items()
    for covariance_type in types
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("kind", "covariance_type"), degenerate_cases)
def test_degenerate_rows_are_repaired_with_a_warning(kind, covariance_type, dtype):
    X = degenerate_rows(kind).astype(dtype)
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    with pytest.warns(DegenerateComponentWarning, match=r"Component\(s\) \d"):
        mixture.fit(X)
    for name in LEARNED:
        assert np.all(np.isfinite(getattr(mixture, name))), name
    assert mixture.weights_.sum() == pytest.approx(1.0, abs=1e-6)
    eigenvalues = np.linalg.eigvalsh(
        oracles.dense(covariance_type, mixture.covariances_, 3, X.shape[1])
    )
    assert np.all(eigenvalues > 0)
    assert np.isfinite(mixture.score(X))
    assert np.all(np.isfinite(mixture.predict_proba(X)))
    assert np.all(np.isfinite(mixture.sample(20)[0]))


@pytest.mark.parametrize(("kind", "covariance_type"), degenerate_cases)
def test_degenerate_rows_without_reg_covar_raise(kind, covariance_type):
    X = degenerate_rows(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        with pytest.raises(ValueError, match=ill_defined):
            GaussianMixture(3, covariance_type=covariance_type, reg_covar=0.0, random_state=0).fit(
                X
            )


@each_type
def test_good_rows_warn_of_nothing(covariance_type):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(overlapping())


@each_type
def test_components_that_start_identical_are_moved_apart(covariance_type):
    X = np.concatenate([overlapping(200, 2) - 4.0, overlapping(200, 2) + 4.0])
    precisions = given_start(covariance_type, 2, 2)["precisions_init"]
    if covariance_type != "tied":
        precisions = np.repeat(precisions[:1], 2, axis=0)
    mixture = GaussianMixture(
        2,
        covariance_type=covariance_type,
        weights_init=[0.5, 0.5],
        means_init=np.zeros((2, 2)),
        precisions_init=precisions,
        random_state=0,
    )
    with pytest.warns(DegenerateComponentWarning, match=r"Component\(s\) 1 started identical"):
        mixture.fit(X)
    np.testing.assert_allclose(np.sort(mixture.means_[:, 0]), [-4.0, 4.0], atol=0.2)


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_more_components_than_distinct_rows(init_params):
    X = np.repeat(overlapping(3, 2), 10, axis=0)
    with pytest.warns(DegenerateComponentWarning):
        mixture = GaussianMixture(5, init_params=init_params, random_state=0).fit(X)
    for name in LEARNED:
        assert np.all(np.isfinite(getattr(mixture, name))), name


def test_component_that_loses_all_rows_is_left_out():
    X = overlapping(300, 2)
    means = [[0.0, 0.0], [1.0, 1.0], [1e6, 1e6]]
    mixture = GaussianMixture(3, means_init=means, precisions_init=np.tile(np.eye(2), (3, 1, 1)))
    with pytest.warns(DegenerateComponentWarning, match=r"Component\(s\) 2 lost all rows"):
        mixture.set_params(weights_init=[0.3, 0.3, 0.4]).fit(X)
    assert mixture.weights_[2] == 0
    assert mixture.weights_.sum() == pytest.approx(1.0)
    for name in LEARNED:
        assert np.all(np.isfinite(getattr(mixture, name))), name
    assert 2 not in mixture.predict(X)
    assert np.all(np.isfinite(mixture.score_samples(X)))
    assert np.all(mixture.predict_proba(X)[:, 2] == 0)
    assert 2 not in mixture.sample(100)[1]


@each_type
def test_offset_of_all_rows_changes_nothing_but_rounding(covariance_type):
    X = np.round(overlapping(), 8)
    start = given_start(covariance_type)
    options = dict(n_components=3, covariance_type=covariance_type, max_iter=10, tol=0.0)
    near = GaussianMixture(**options, **start).fit(X)
    start["means_init"] = start["means_init"] + 1e7
    far = GaussianMixture(**options, **start).fit(X + 1e7)
    # X + 1e7 is X to 1e-9 (half the spacing of numbers near 1e7); ten iterations amplify that.
    np.testing.assert_allclose(far.covariances_, near.covariances_, atol=1e-7)
    np.testing.assert_allclose(far.means_ - 1e7, near.means_, atol=1e-7)
    np.testing.assert_allclose(far.predict_proba(X + 1e7), near.predict_proba(X), atol=1e-6)


# A refit that fails.


class FailureError(Exception):
    pass


def fail_after(monkeypatch, module, name, n_calls, error):
    original, calls = getattr(module, name), []

    def failing(*args, **kwargs):
        calls.append(name)
        if len(calls) > n_calls:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, failing)


def snapshot(estimator):
    return copy.deepcopy(vars(estimator))


def assert_unchanged(estimator, before):
    after = vars(estimator)
    assert set(after) == set(before)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


def earlier_fit(**options):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(overlapping(), columns=["a", "b", "c", "d"])
    return GaussianMixture(3, random_state=0, max_iter=5, **options).fit(X)


BAD_REFITS = {
    "NaN": dict(X=np.full((50, 3), np.nan)),
    "infinite": dict(X=np.full((50, 3), np.inf)),
    "one-dimensional": dict(X=np.ones(50)),
    "too few rows": dict(X=np.ones((2, 7))),
    "negative weight": dict(X=np.ones((50, 7)), sample_weight=-np.ones(50)),
    "wrong means": dict(X=overlapping(50, 2), means_init=np.ones((3, 5))),
    "wrong precisions": dict(X=overlapping(50, 2), precisions_init=np.zeros((3, 2, 2))),
    "wrong parameter": dict(X=overlapping(50, 2), max_iter=-1),
    "tied shrinkage": dict(X=overlapping(50, 2), covariance_type="tied", shrinkage=1.0),
    "collapse": dict(X=np.ones((50, 2)), reg_covar=0.0),
}


@pytest.mark.parametrize("method", ["fit", "fit_predict"])
@pytest.mark.parametrize("kind", BAD_REFITS)
def test_bad_refit_keeps_the_earlier_fit(kind, method):
    bad = dict(BAD_REFITS[kind])
    X, sample_weight = bad.pop("X"), bad.pop("sample_weight", None)
    fitted = earlier_fit().set_params(**bad)
    before = snapshot(fitted)
    with pytest.raises(ValueError):
        getattr(fitted, method)(X, sample_weight=sample_weight)
    assert_unchanged(fitted, before)


@pytest.mark.parametrize("error", [FailureError(), KeyboardInterrupt(), MemoryError()], ids=repr)
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    ("module", "name", "n_calls"),
    [
        (search, "search", 0),
        (em, "em_step", 0),
        (em, "em_step", 2),
        (em, "expect", 1),
    ],
)
def test_interrupted_refit_keeps_the_earlier_fit(
    monkeypatch, module, name, n_calls, warm_start, error
):
    if warm_start and name == "search":
        pytest.skip("a warm start needs no start")
    fitted = earlier_fit(warm_start=warm_start, tol=0.0)
    before = snapshot(fitted)
    fail_after(monkeypatch, module, name, n_calls, error)
    other = overlapping(200, 4 if warm_start else 2, seed=3)
    with pytest.raises(type(error)):
        fitted.fit(other)
    assert_unchanged(fitted, before)
    monkeypatch.undo()
    fitted.fit(other)
    assert fitted.means_.shape == (3, other.shape[1])
    assert not hasattr(fitted, "feature_names_in_")


def test_warning_turned_error_keeps_the_earlier_fit():
    fitted = earlier_fit().set_params(max_iter=1)
    before = snapshot(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            fitted.fit(overlapping(100, 2))
    assert_unchanged(fitted, before)


def test_failed_first_fit_leaves_no_fit(monkeypatch):
    mixture = GaussianMixture(2)
    before = snapshot(mixture)
    fail_after(monkeypatch, em, "em_step", 1, FailureError())
    with pytest.raises(FailureError):
        mixture.fit(overlapping())
    assert_unchanged(mixture, before)
    with pytest.raises(NotFittedError):
        mixture.predict(overlapping())


def test_fit_leaves_rows_and_starts_as_they_are():
    X, start = overlapping(), given_start("full")
    weight = np.linspace(0, 1, len(X))
    arrays = [X, weight, *start.values()]
    before = copy.deepcopy(arrays)
    for array in arrays:
        array.flags.writeable = False
    GaussianMixture(3, **start).fit(X, sample_weight=weight)
    for array, value in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, value)


def test_base_names_the_first_components_only():
    assert base.names(np.arange(3)) == "Component(s) 0, 1, 2"
    assert base.names(np.arange(12)) == "Component(s) 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
