"""GaussianMixture and DiagonalGMM: as scikit-learn's, and where they go further."""

import copy
import inspect
import re
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as SklearnMixture

from skmix import DiagonalGMM, GaussianMixture, _base, _em, _starts
from skmix.exceptions import DegenerateComponentWarning

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
INIT_PARAMS = ("kmeans", "k-means++", "random", "random_from_data")
LEARNED = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
ill_defined = "some components have ill-defined empirical covariance"


def overlapping(n_samples=600, n_features=4, seed=0):
    """Standardised rows of three clusters that overlap, so that EM takes its time."""
    rng = np.random.default_rng(seed)
    centres = 1.5 * rng.standard_normal((3, n_features))
    X = centres[rng.integers(3, size=n_samples)] + rng.standard_normal((n_samples, n_features))
    return (X - X.mean(axis=0)) / X.std(axis=0)


def given_start(covariance_type, n_components=3, n_features=4, seed=1):
    rng = np.random.default_rng(seed)
    matrices = rng.standard_normal((n_components, n_features, 2 * n_features))
    matrices = matrices @ matrices.transpose(0, 2, 1) / (2 * n_features)
    precisions = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.einsum("kii->ki", matrices),
        "spherical": matrices[:, 0, 0],
    }[covariance_type]
    return {
        "weights_init": rng.dirichlet(np.full(n_components, 5.0)),
        "means_init": rng.standard_normal((n_components, n_features)),
        "precisions_init": precisions,
    }


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


def dense(covariances, covariance_type, n_components, n_features):
    """Covariances of any type as matrices, (n_components, n_features, n_features)."""
    eye = np.eye(n_features)
    return {
        "full": lambda c: c,
        "tied": lambda c: np.repeat(c[None], n_components, axis=0),
        "diag": lambda c: c[:, :, None] * eye,
        "spherical": lambda c: c[:, None, None] * eye,
    }[covariance_type](np.asarray(covariances))


# The same as scikit-learn.


@each_type
@pytest.mark.parametrize("given", ["all", "means_init", "weights_init", "precisions_init"])
def test_equals_scikit_learn_from_given_starts(covariance_type, given):
    X = overlapping()
    start = given_start(covariance_type)
    start = start if given == "all" else {given: start[given]}
    options = dict(n_components=3, covariance_type=covariance_type, random_state=0, max_iter=20)
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
    options = dict(n_components=3, random_state=0, tol=1e-6, max_iter=200)
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
    options |= dict(n_init=4, max_iter=15, random_state=5)
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    assert_same_fit(ours, theirs)
    single = GaussianMixture(**{**options, "n_init": 1}).fit(X)
    assert ours.lower_bound_ >= single.lower_bound_


@each_type
def test_warm_start_as_scikit_learn(covariance_type):
    X = overlapping()
    options = dict(n_components=3, covariance_type=covariance_type, random_state=0)
    options |= dict(warm_start=True, max_iter=2, tol=1e-3, n_init=2, init_params="random")
    ours, theirs = GaussianMixture(**options), SklearnMixture(**options)
    for _ in range(8):
        assert_same_fit(ours.fit(X), theirs.fit(X))
    more = overlapping(seed=7)
    assert_same_fit(ours.fit(more), theirs.fit(more))


def test_warm_start_goes_on_where_it_stopped():
    X = overlapping()
    options = dict(n_components=3, random_state=0, tol=0.0)
    steps = GaussianMixture(**options, warm_start=True, max_iter=3)
    steps.fit(X).fit(X)
    whole = GaussianMixture(**options, max_iter=6).fit(X)
    np.testing.assert_allclose(steps.means_, whole.means_, atol=1e-10)


def test_no_iteration_returns_the_start():
    X = overlapping()
    for cls in (GaussianMixture, SklearnMixture):
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            fitted = cls(3, max_iter=0, random_state=0).fit(X)
        assert fitted.n_iter_ == 0
        assert not fitted.converged_
    ours = GaussianMixture(3, max_iter=0, random_state=0).fit(X)
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
            cls(3, max_iter=2, random_state=0).fit(overlapping())
        messages.append([str(w.message) for w in caught])
    assert messages[0] == messages[1]


def test_warnings_point_at_the_caller():
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(3, max_iter=2, random_state=0).fit(overlapping())
    assert [w.filename for w in caught] == [__file__]
    with pytest.warns(ConvergenceWarning) as caught:
        GaussianMixture(3, max_iter=2, random_state=0).fit_predict(overlapping())
    assert [w.filename for w in caught] == [__file__]


def test_signature_is_that_of_scikit_learn_and_shrinkage():
    theirs = dict(inspect.signature(SklearnMixture).parameters)
    ours = dict(inspect.signature(GaussianMixture).parameters)
    shrinkage = ours.pop("shrinkage")
    assert shrinkage.default == 0.0
    assert list(ours.items()) == list(theirs.items())
    diagonal = dict(inspect.signature(DiagonalGMM).parameters)
    del theirs["covariance_type"]
    assert list(diagonal.items()) == [*theirs.items(), ("shrinkage", shrinkage)]


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
    ours, theirs = GaussianMixture(**options).fit(X), SklearnMixture(**options).fit(X)
    rows, labels = ours.sample(30_000)
    np.testing.assert_array_equal(labels, theirs.sample(30_000)[1])
    assert rows.shape == (30_000, 4)
    assert rows.dtype == np.float64
    covariances = dense(ours.covariances_, covariance_type, 3, 4)
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
    matrices = dense(covariances, covariance_type, 3, 4)
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
    precisions = dense(mixture.precisions_, covariance_type, 3, 4)
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

    covariances = np.linalg.inv(dense(start["precisions_init"], covariance_type, 3, 4))
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
    learned = dense(fitted.covariances_, covariance_type, 3, 4)
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
    ({"covariance_type": "round"}, {}),
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
    # The first line: what is wrong. Remedies differ.
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
    eigenvalues = np.linalg.eigvalsh(dense(mixture.covariances_, covariance_type, 3, X.shape[1]))
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
    [(_starts, "make_start", 0), (_em, "em_step", 0), (_em, "em_step", 2), (_em, "expect", 1)],
)
def test_interrupted_refit_keeps_the_earlier_fit(
    monkeypatch, module, name, n_calls, warm_start, error
):
    if warm_start and name == "make_start":
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
    fail_after(monkeypatch, _em, "em_step", 1, FailureError())
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
    assert _base.names(np.arange(3)) == "Component(s) 0, 1, 2"
    assert _base.names(np.arange(12)) == "Component(s) 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
