"""GaussianMixture and DiagonalGMM: as scikit-learn's, and where they go further."""

import inspect
import re
import warnings

import numpy as np
import oracles
import pytest
from mixtures import (
    INIT_PARAMS,
    LEARNED,
    each_type,
    given_start,
    ill_defined,
    overlapping,
)
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

from skmix import DiagonalGMM, GaussianMixture

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def assert_same_fit(ours, theirs, atol=1e-9):
    """Compare all that a fit learns; the rows are standardised, so `atol` counts in sd."""
    for name in LEARNED:
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=atol, atol=atol, err_msg=name
        )
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.converged_ == theirs.converged_
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=atol)


def assert_same_outputs(ours, theirs, X):
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-8)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), atol=1e-8)
    assert ours.score(X) == pytest.approx(theirs.score(X), abs=1e-9)
    assert ours.aic(X) == pytest.approx(theirs.aic(X), rel=1e-9)
    assert ours.bic(X) == pytest.approx(theirs.bic(X), rel=1e-9)


# The same as scikit-learn.


@each_type
@pytest.mark.parametrize("given", ["all", "means_init", "weights_init", "precisions_init"])
def test_equals_scikit_learn_from_given_starts(covariance_type, given):
    X = overlapping()
    start = given_start(covariance_type)
    start = start if given == "all" else {given: start[given]}
    options = dict(n_components=3, covariance_type=covariance_type, random_state=0, max_iter=20)
    options |= dict(init_params="kmeans", reg_covar=1e-6)
    ours = GaussianMixture(**options, tol=0.0, **start).fit(X)
    theirs = SklearnMixture(**options, tol=0.0, **start).fit(X)
    assert ours.n_iter_ == 20
    assert_same_fit(ours, theirs)
    if hasattr(theirs, "lower_bounds_"):  # from scikit-learn 1.7 on
        np.testing.assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, atol=1e-9)
    assert_same_outputs(ours, theirs, X)
    np.testing.assert_array_equal(clone(ours).fit_predict(X), theirs.predict(X))


@pytest.mark.parametrize("init_params", INIT_PARAMS)
@each_type
def test_equals_scikit_learn_from_its_own_starts(covariance_type, init_params):
    if covariance_type == "tied" and init_params in ("k-means++", "random_from_data"):
        pytest.skip("scikit-learn divides the scatter of all rows by the number of seeds")
    X = overlapping()
    options = dict(n_components=3, covariance_type=covariance_type, init_params=init_params)
    options |= dict(random_state=3, max_iter=20, reg_covar=1e-3)
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    assert_same_fit(ours, theirs)
    assert_same_outputs(ours, theirs, X)


@pytest.mark.parametrize("init_params", INIT_PARAMS)
def test_equals_scikit_learn_on_as_many_rows_as_a_start_takes_whole(init_params):
    X = overlapping(20_000, 3)
    options = dict(n_components=4, covariance_type="diag", init_params=init_params)
    options |= dict(random_state=0, max_iter=10, tol=0.0, reg_covar=1e-3)
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    assert_same_fit(ours, theirs)


def test_start_on_a_subsample_finds_the_same_clusters():
    X = overlapping(60_000, 2) + np.repeat([[0.0], [6.0], [12.0]], 20_000, axis=0)
    options = dict(n_components=3, random_state=0, tol=1e-6, max_iter=200, reg_covar=1e-6)
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    # Both stop within about tol of the same maximum.
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-4)
    order, their_order = np.argsort(ours.means_[:, 0]), np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(ours.means_[order], theirs.means_[their_order], atol=0.02)


def test_tied_seeds_start_from_the_scatter_of_all_rows():
    X = overlapping(400, 2)
    options = dict(covariance_type="tied", max_iter=0, init_params="random_from_data")
    start = GaussianMixture(3, **options, random_state=0).fit(X)
    total = np.cov(X.T, bias=True) + 1e-6 * np.eye(2)
    np.testing.assert_allclose(start.covariances_, total, atol=1e-12)


@each_type
def test_best_of_several_runs(covariance_type):
    X = overlapping()
    options = dict(n_components=4, covariance_type=covariance_type, init_params="random")
    options |= dict(n_init=4, max_iter=15, random_state=5, reg_covar=1e-6)
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    assert_same_fit(ours, theirs)
    single = GaussianMixture(**{**options, "n_init": 1}).fit(X)
    assert ours.lower_bound_ >= single.lower_bound_


@each_type
def test_warm_start_as_scikit_learn(covariance_type):
    X = overlapping()
    options = dict(n_components=3, covariance_type=covariance_type, random_state=0)
    options |= dict(warm_start=True, max_iter=2, tol=1e-3, n_init=2, init_params="random")
    options |= dict(reg_covar=1e-6)
    ours, theirs = GaussianMixture(**options), SklearnMixture(**options)
    for _ in range(8):
        assert_same_fit(ours.fit(X), theirs.fit(X))
    more = overlapping(seed=7)
    assert_same_fit(ours.fit(more), theirs.fit(more))


def test_warm_start_goes_on_where_it_stopped():
    X = overlapping()
    options = dict(n_components=3, random_state=0, tol=0.0, init_params="kmeans")
    steps = GaussianMixture(**options, warm_start=True, max_iter=3)
    steps.fit(X).fit(X)
    whole = GaussianMixture(**options, max_iter=6).fit(X)
    np.testing.assert_allclose(steps.means_, whole.means_, atol=1e-10)


def test_no_iteration_returns_the_start():
    X = overlapping()
    for cls in (GaussianMixture, SklearnMixture):
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            fitted = cls(3, max_iter=0, init_params="kmeans", random_state=0).fit(X)
        assert fitted.n_iter_ == 0
        assert not fitted.converged_
    ours = GaussianMixture(3, max_iter=0, init_params="kmeans", random_state=0).fit(X)
    np.testing.assert_allclose(ours.means_, fitted.means_, atol=1e-12)
    assert ours.lower_bound_ == fitted.lower_bound_ == -np.inf
    assert ours.lower_bounds_ == []


@each_type
def test_shapes_and_types_of_learned_attributes(covariance_type):
    X = overlapping()
    ours = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    theirs = SklearnMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    for name in LEARNED:
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        assert getattr(ours, name).dtype == np.float64
    assert isinstance(ours.converged_, bool)
    assert isinstance(ours.n_iter_, int)
    assert isinstance(ours.lower_bound_, float)
    assert isinstance(ours.lower_bounds_, list)
    assert len(ours.lower_bounds_) == ours.n_iter_
    assert ours.lower_bounds_[-1] == ours.lower_bound_
    assert ours.predict(X).dtype == np.int64
    assert ours.predict_proba(X).shape == (len(X), 3)
    assert isinstance(ours.score(X), float)


@pytest.mark.parametrize("verbose", [0, 1, 2])
@pytest.mark.parametrize("interval", [1, 3])
def test_prints_what_scikit_learn_prints(verbose, interval, capsys):
    X = overlapping()
    options = dict(n_components=3, random_state=0, max_iter=7, n_init=3, init_params="random")
    printed = []
    for cls in (GaussianMixture, SklearnMixture):
        cls(**options, verbose=verbose, verbose_interval=interval).fit(X)
        printed.append(re.sub(r"time lapse [\d.]+s", "time lapse", capsys.readouterr().out))
    assert printed[0] == printed[1]
    assert bool(printed[0]) == bool(verbose)


def test_convergence_warning():
    messages = []
    for cls in (GaussianMixture, SklearnMixture):
        with pytest.warns(ConvergenceWarning) as caught:
            cls(3, max_iter=2, init_params="kmeans", random_state=0).fit(overlapping())
        messages.append([str(w.message) for w in caught])
    assert messages[0] == messages[1]


def test_warnings_point_at_the_caller():
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(3, max_iter=1, random_state=0).fit(overlapping())
    assert [w.filename for w in caught] == [__file__]
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(3, max_iter=1, random_state=0).fit_predict(overlapping())
    assert [w.filename for w in caught] == [__file__]


def test_signature_is_that_of_scikit_learn_but_for_two_defaults_and_more_at_the_end():
    theirs = dict(inspect.signature(SklearnMixture).parameters)
    for name in ("init_params", "reg_covar"):
        theirs[name] = theirs[name].replace(default="auto")
    ours = dict(inspect.signature(GaussianMixture).parameters)
    more = {"shrinkage": 0.0, "assignment": "soft", "prior": None}
    more |= {"noise": False, "fixed": None, "forgetting": None}
    added = {name: ours.pop(name) for name in more}
    assert {name: parameter.default for name, parameter in added.items()} == more
    assert list(ours.items()) == list(theirs.items())
    diagonal = dict(inspect.signature(DiagonalGMM).parameters)
    del theirs["covariance_type"]
    assert list(diagonal.items()) == [*theirs.items(), *added.items()]


def test_public_methods_are_those_of_scikit_learn():
    public = {name for name in dir(SklearnMixture) if not name.startswith("_")}
    assert public <= set(dir(GaussianMixture))


@pytest.mark.parametrize("shrinkage", [0.0, 10.0])
def test_diagonal_is_the_mixture_of_that_type(shrinkage):
    X = overlapping()
    options = dict(n_components=3, shrinkage=shrinkage, random_state=0)
    general = GaussianMixture(covariance_type="diag", **options).fit(X)
    diagonal = DiagonalGMM(**options).fit(X)
    for name in (*LEARNED, "lower_bounds_"):
        np.testing.assert_array_equal(getattr(diagonal, name), getattr(general, name))
    np.testing.assert_array_equal(diagonal.predict_proba(X), general.predict_proba(X))
    assert diagonal.bic(X) == general.bic(X)
    assert diagonal.sample(5)[0].tolist() == general.sample(5)[0].tolist()


@each_type
def test_attributes_set_by_hand(covariance_type):
    X = overlapping()
    fitted = SklearnMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
    theirs = SklearnMixture(3, covariance_type=covariance_type)
    ours = GaussianMixture(3, covariance_type=covariance_type)
    for mixture in (ours, theirs):
        for name in LEARNED:
            setattr(mixture, name, getattr(fitted, name))
        mixture.weights_ = np.array([0.2, 0.3, 0.5])
        mixture.means_ = fitted.means_ + 0.25
    assert_same_outputs(ours, theirs, X)
    ours.random_state = theirs.random_state = 0
    rows, labels = ours.sample(50)
    np.testing.assert_array_equal(labels, theirs.sample(50)[1])
    assert rows.shape == (50, 4)


# float32.


@each_type
def test_float32_in_float32_out(covariance_type):
    X = overlapping()
    start = given_start(covariance_type)
    options = dict(n_components=3, covariance_type=covariance_type, max_iter=10, tol=0.0)
    single = GaussianMixture(**options, **start).fit(X.astype(np.float32))
    double = GaussianMixture(**options, **start).fit(X)
    for name in LEARNED:
        learned = getattr(single, name)
        assert learned.dtype == np.float32, name
        # Ten iterations of rounding to 6e-8, amplified where clusters overlap.
        np.testing.assert_allclose(learned, getattr(double, name), rtol=1e-3, atol=1e-3)
    assert single.lower_bound_ == pytest.approx(double.lower_bound_, abs=1e-5)
    for method in ("predict_proba", "score_samples"):
        value = getattr(single, method)(X.astype(np.float32))
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, getattr(double, method)(X), atol=1e-2)
        assert getattr(single, method)(X).dtype == np.float64


# Sampling.


@each_type
def test_sample_has_the_mixture_s_moments(covariance_type):
    X = overlapping()
    options = dict(n_components=3, covariance_type=covariance_type, random_state=0)
    options |= dict(init_params="kmeans", reg_covar=1e-6)
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    rows, labels = ours.sample(30_000)
    np.testing.assert_array_equal(labels, theirs.sample(30_000)[1])
    assert rows.shape == (30_000, 4)
    assert rows.dtype == np.float64
    covariances = oracles.dense(covariance_type, ours.covariances_, 3, 4)
    for k in range(3):
        mine = rows[labels == k]
        # Five standard errors of a mean and of a covariance.
        sd = np.sqrt(np.diag(covariances[k]))
        error = 5 / np.sqrt(len(mine))
        assert np.all(np.abs(mine.mean(axis=0) - ours.means_[k]) < error * sd)
        difference = np.cov(mine.T) - covariances[k]
        assert np.all(np.abs(difference) < error * np.sqrt(2) * np.outer(sd, sd))


def test_sample_is_reproducible():
    fitted = GaussianMixture(2, random_state=0).fit(overlapping())
    np.testing.assert_array_equal(fitted.sample(7)[0], fitted.sample(7)[0])
    assert fitted.sample()[0].shape == (1, 4)
    rows = fitted.sample(7)[0]
    assert not np.array_equal(fitted.set_params(random_state=1).sample(7)[0], rows)


# Mixtures of given parameters.


@each_type
def test_from_parameters_scores_and_samples(covariance_type):
    X = overlapping()
    start = given_start(covariance_type)
    weights, means, covariances = start.values()
    mixture = GaussianMixture.from_parameters(
        weights, means, covariances, covariance_type=covariance_type
    )
    matrices = oracles.dense(covariance_type, covariances, 3, 4)
    log_prob = np.stack(
        [
            np.log(w) + multivariate_normal(m, c).logpdf(X)
            for w, m, c in zip(weights, means, matrices, strict=True)
        ],
        axis=1,
    )
    np.testing.assert_allclose(mixture.score_samples(X), logsumexp(log_prob, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(mixture.predict(X), log_prob.argmax(axis=1))
    np.testing.assert_allclose(mixture.covariances_, covariances, rtol=1e-12)
    precisions = oracles.dense(covariance_type, mixture.precisions_, 3, 4)
    np.testing.assert_allclose(precisions @ matrices, np.tile(np.eye(4), (3, 1, 1)), atol=1e-10)
    assert mixture.n_features_in_ == 4
    assert mixture.n_components == 3
    assert mixture.sample(10)[0].shape == (10, 4)
    with pytest.raises(ValueError, match="X has 3 features"):
        mixture.predict(X[:, :3])


def test_from_parameters_is_a_warm_start():
    X = overlapping()
    start = given_start("full")
    covariances = np.linalg.inv(start["precisions_init"])
    mixture = GaussianMixture.from_parameters(
        start["weights_init"], start["means_init"], covariances
    )
    mixture.set_params(warm_start=True, max_iter=5, tol=0.0).fit(X)
    expected = GaussianMixture(3, max_iter=5, tol=0.0, **start).fit(X)
    np.testing.assert_allclose(mixture.means_, expected.means_, atol=1e-9)


def test_diagonal_from_parameters():
    means = [[0.0, 1.0], [3.0, -1.0]]
    diagonal = DiagonalGMM.from_parameters([0.4, 0.6], means, np.ones((2, 2)))
    general = GaussianMixture.from_parameters(
        [0.4, 0.6], means, np.ones((2, 2)), covariance_type="diag"
    )
    X = overlapping(50, 2)
    assert isinstance(diagonal, DiagonalGMM)
    np.testing.assert_array_equal(diagonal.score_samples(X), general.score_samples(X))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": [0.5, 0.4]}, "'weights' should be normalized"),
        ({"weights": [1.5, -0.5]}, "'weights' should be in the range"),
        ({"means": [[0.0, 0.0]]}, "'means' should have the shape of (2, 2), but got (1, 2)"),
        ({"means": [0.0, 0.0]}, "'means' should have the shape of (2, 1), but got (2,)"),
        ({"covariances": np.eye(2)}, "should have the shape of (2, 2, 2), but got (2, 2)"),
        ({"covariances": np.zeros((2, 2, 2))}, "should be symmetric, positive-definite"),
        ({"covariance_type": "round"}, "'covariance_type' parameter of GaussianMixture must be"),
    ],
)
def test_from_parameters_refuses(changes, message):
    good = {
        "weights": [0.5, 0.5],
        "means": [[0.0, 0.0], [1.0, 1.0]],
        "covariances": [np.eye(2), np.eye(2)],
    }
    with pytest.raises(ValueError, match=re.escape(message)):
        GaussianMixture.from_parameters(**{**good, **changes})


# Shrinkage.


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_shrinkage_adds_pseudo_observations_of_the_pooled_covariance(covariance_type, weighted):
    X, start, nu, reg_covar = overlapping(), given_start(covariance_type), 40.0, 1e-2
    row_weight = (
        np.random.default_rng(0).uniform(0.1, 2.0, len(X)) if weighted else np.ones(len(X))
    )
    fitted = GaussianMixture(
        3, covariance_type=covariance_type, shrinkage=nu, reg_covar=reg_covar, max_iter=1, **start
    ).fit(X, sample_weight=row_weight if weighted else None)

    covariances = np.linalg.inv(oracles.dense(covariance_type, start["precisions_init"], 3, 4))
    log_prob = np.stack(
        [
            np.log(start["weights_init"][k])
            + multivariate_normal(start["means_init"][k], covariances[k]).logpdf(X)
            for k in range(3)
        ]
    )
    resp = row_weight * np.exp(log_prob - logsumexp(log_prob, axis=0))
    counts = resp.sum(axis=1)
    expected = []
    for k in range(3):
        difference = X - resp[k] @ X / counts[k]
        covariance = (resp[k, :, None] * difference).T @ difference / counts[k]
        if covariance_type != "full":
            covariance = np.diag(np.diag(covariance))
        if covariance_type == "spherical":
            covariance = np.eye(4) * np.trace(covariance) / 4
        expected.append(covariance)
    expected = np.array(expected)
    pooled = np.tensordot(counts / counts.sum(), expected, axes=1)
    counts = counts[:, None, None]
    expected = (counts * expected + nu * pooled) / (counts + nu) + reg_covar * np.eye(4)
    learned = oracles.dense(covariance_type, fitted.covariances_, 3, 4)
    np.testing.assert_allclose(learned, expected, atol=1e-12)
    likelihood = np.average(logsumexp(log_prob, axis=0), weights=row_weight)
    assert fitted.lower_bound_ == pytest.approx(likelihood, abs=1e-12)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_shrinkage_without_end_ties_the_components(covariance_type):
    X = overlapping()
    options = dict(n_components=3, covariance_type=covariance_type, random_state=0, max_iter=5)
    shrunk = GaussianMixture(**options, shrinkage=1e12).fit(X).covariances_
    np.testing.assert_allclose(shrunk, np.broadcast_to(shrunk[0], shrunk.shape), rtol=1e-8)
    free = GaussianMixture(**options).fit(X).covariances_
    assert np.ptp(free, axis=0).max() > 0.01


def test_shrinkage_holds_a_collapsing_component():
    X = np.concatenate([overlapping(200, 2), np.full((30, 2), 8.0)])
    means = [[0.0, 0.0], [8.0, 8.0]]
    with pytest.raises(ValueError, match=ill_defined):
        GaussianMixture(2, means_init=means, reg_covar=0.0, random_state=0).fit(X)
    held = GaussianMixture(2, means_init=means, reg_covar=0.0, shrinkage=5.0, random_state=0)
    assert np.all(np.linalg.eigvalsh(held.fit(X).covariances_) > 0.01)


def test_shrinkage_of_a_tied_covariance_is_refused():
    with pytest.raises(ValueError, match=r"shrinkage=2\.0 .*covariance_type='tied'.*shrinkage=0"):
        GaussianMixture(2, covariance_type="tied", shrinkage=2.0).fit(overlapping())


# Sample weights.


@pytest.mark.parametrize("init_params", INIT_PARAMS)
@each_type
def test_zero_weight_leaves_a_row_out(covariance_type, init_params):
    X = overlapping()
    weight = np.random.default_rng(0).integers(2, size=len(X)).astype(float)
    options = dict(n_components=3, covariance_type=covariance_type, init_params=init_params)
    options |= dict(random_state=0, max_iter=10, tol=0.0, reg_covar=1e-2)
    weighted = GaussianMixture(**options).fit(X, sample_weight=weight)
    removed = GaussianMixture(**options).fit(X[weight > 0])
    assert_same_fit(weighted, removed)


@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("shrinkage", [0.0, 7.0])
@each_type
def test_weight_is_repetition(covariance_type, n_components, shrinkage):
    if covariance_type == "tied" and shrinkage:
        pytest.skip("refused")
    X = overlapping(200)
    weight = np.random.default_rng(0).integers(4, size=len(X))
    options = dict(covariance_type=covariance_type, shrinkage=shrinkage, tol=0.0, max_iter=10)
    if n_components > 1:
        options |= given_start(covariance_type)
    weighted = GaussianMixture(n_components, **options).fit(X, sample_weight=weight)
    repeated = GaussianMixture(n_components, **options).fit(np.repeat(X, weight, axis=0))
    assert_same_fit(weighted, repeated)


@each_type
def test_scale_of_the_weights_does_not_matter(covariance_type):
    X = overlapping()
    weight = np.random.default_rng(0).uniform(size=len(X))
    options = dict(n_components=3, covariance_type=covariance_type, max_iter=10, tol=0.0)
    start = given_start(covariance_type)
    fits = [
        GaussianMixture(**options, **start).fit(X, sample_weight=scale * weight)
        for scale in (1.0, 1e-9, 3e7)
    ]
    assert_same_fit(fits[1], fits[0])
    assert_same_fit(fits[2], fits[0])
    # A power of two rounds nothing, so that k-means draws the same too.
    ones = GaussianMixture(**options, random_state=0).fit(X, sample_weight=weight)
    fours = GaussianMixture(**options, random_state=0).fit(X, sample_weight=4 * weight)
    assert_same_fit(fours, ones)


def test_equal_weights_are_no_weights():
    X = overlapping()
    plain = GaussianMixture(3, random_state=0).fit(X)
    assert_same_fit(GaussianMixture(3, random_state=0).fit(X, sample_weight=np.ones(600)), plain)
