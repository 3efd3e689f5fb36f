"""GMMBayesClassifier: the Bayes rule over one mixture per class."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.naive_bayes import GaussianNB

from skmix import GaussianMixture, GMMBayesClassifier, MixedBayesClassifier
from skmix._engine import em
from skmix._supervised import bayes
from skmix.exceptions import DegenerateComponentWarning

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::skmix.exceptions.DegenerateComponentWarning",
)
each_type = pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)

WEIGHTS = {"a": [0.5, 0.5], "b": [0.2, 0.8]}
MEANS = {"a": [[-2.0, 0.0], [2.0, 0.0]], "b": [[0.0, 2.0], [0.0, -2.0]]}
COVARIANCES = {"a": [np.eye(2), 0.5 * np.eye(2)], "b": [[[1.0, 0.6], [0.6, 1.0]], np.eye(2)]}
PRIOR = {"a": 0.7, "b": 0.3}


def known_log_density(label, X):
    return logsumexp(
        [
            np.log(weight) + multivariate_normal(mean, covariance).logpdf(X)
            for weight, mean, covariance in zip(
                WEIGHTS[label], MEANS[label], COVARIANCES[label], strict=True
            )
        ],
        axis=0,
    )


def known_rows(n_samples, seed=0):
    """Rows of two classes of known densities, with string labels."""
    rng = np.random.default_rng(seed)
    y = rng.choice(list(PRIOR), p=list(PRIOR.values()), size=n_samples)
    X = np.empty((n_samples, 2))
    for label in PRIOR:
        component = rng.choice(2, p=WEIGHTS[label], size=n_samples)
        for k in range(2):
            mine = (y == label) & (component == k)
            X[mine] = rng.multivariate_normal(
                MEANS[label][k], COVARIANCES[label][k], size=mine.sum()
            )
    return X, y


def iris():
    return load_iris(return_X_y=True)


def maximum_likelihood_qda(X, y, priors=None):
    """QDA with covariances divided by n, as scikit-learn does from 1.9 on (n - 1 before)."""
    qda = QuadraticDiscriminantAnalysis(priors=priors).fit(X, y)
    for c, label in enumerate(qda.classes_):
        total_variance = X[y == label].var(axis=0).sum()
        qda.scalings_[c] = qda.scalings_[c] * (total_variance / qda.scalings_[c].sum())
    return qda


def assert_same_probabilities(ours, theirs, X):
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    # Log probabilities reach -100; both sides sum terms of that size.
    ours, theirs = ours.predict_log_proba(X), theirs.predict_log_proba(X)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


# Equal to the classifiers that it generalises.


@pytest.mark.parametrize("priors", [None, [0.2, 0.3, 0.5]])
def test_one_full_component_is_quadratic_discriminant_analysis(priors):
    X, y = iris()
    classifier = GMMBayesClassifier(covariance_type="full", reg_covar=0.0, priors=priors)
    qda = maximum_likelihood_qda(X, y, priors)
    assert_same_probabilities(classifier.fit(X, y), qda, X)
    np.testing.assert_allclose(classifier.class_prior_, qda.priors_)


def test_weighted_full_component_is_quadratic_discriminant_analysis_of_repeated_rows():
    X, y = iris()
    weight = np.random.default_rng(0).integers(4, size=len(X))
    classifier = GMMBayesClassifier(covariance_type="full", reg_covar=0.0)
    classifier.fit(X, y, sample_weight=weight)
    qda = maximum_likelihood_qda(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_same_probabilities(classifier, qda, X)


@pytest.mark.parametrize("priors", [None, [0.2, 0.3, 0.5]])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_diagonal_component_is_naive_bayes(priors, weighted):
    X, y = iris()
    weight = np.random.default_rng(0).uniform(size=len(X)) if weighted else None
    classifier = GMMBayesClassifier(reg_covar=0.0, priors=priors).fit(X, y, weight)
    naive = GaussianNB(priors=priors, var_smoothing=0.0).fit(X, y, weight)
    assert_same_probabilities(classifier, naive, X)
    np.testing.assert_allclose(classifier.class_prior_, naive.class_prior_)


@pytest.mark.parametrize("weighted", [False, True])
@each_type
def test_is_the_bayes_rule_over_one_mixture_per_class(covariance_type, weighted):
    X, y = known_rows(600)
    weight = np.random.default_rng(1).integers(3, size=len(X)) if weighted else None
    options = dict(covariance_type=covariance_type, max_iter=10, tol=0.0, n_init=2)
    options |= dict(reg_covar=1e-6)
    classifier = GMMBayesClassifier(2, **options, init_params="random", random_state=0)
    classifier.fit(X, y, sample_weight=weight)
    weight = np.ones(len(X)) if weight is None else weight
    joint = []
    for label, fitted in zip(classifier.classes_, classifier.mixtures_, strict=True):
        rows, row_weight = X[y == label], weight[y == label]
        rows, row_weight = rows[row_weight > 0], row_weight[row_weight > 0]
        # The same random responsibilities; scikit-learn has no weights: start ours where it does.
        options_of_class = dict(**options, init_params="random", random_state=fitted.random_state)
        if weighted:
            mixture = GaussianMixture(2, **options_of_class).fit(rows, sample_weight=row_weight)
        else:
            mixture = SklearnMixture(2, **options_of_class).fit(rows)
        joint.append(mixture.score_samples(X) + np.log(weight[y == label].sum() / weight.sum()))
    joint = np.array(joint).T
    log_prob = logsumexp(joint, axis=1)
    np.testing.assert_allclose(classifier.score_samples(X), log_prob, atol=1e-8)
    log_proba = joint - log_prob[:, None]
    np.testing.assert_allclose(classifier.predict_log_proba(X), log_proba, atol=1e-8)
    np.testing.assert_allclose(classifier.predict_proba(X), np.exp(log_proba), atol=1e-8)
    np.testing.assert_array_equal(
        classifier.predict(X), np.array(["a", "b"])[joint.argmax(axis=1)]
    )
    np.testing.assert_allclose(
        classifier.decision_function(X), log_proba[:, 1] - log_proba[:, 0], atol=1e-8
    )


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_shrinkage_is_that_of_the_mixtures(covariance_type):
    X, y = known_rows(300)
    options = dict(covariance_type=covariance_type, shrinkage=20.0, init_params="random")
    options |= dict(reg_covar=1e-6)
    classifier = GMMBayesClassifier(2, **options, random_state=0).fit(X, y)
    for label, fitted in zip("ab", classifier.mixtures_, strict=True):
        mixture = GaussianMixture(2, **options, random_state=fitted.random_state)
        np.testing.assert_array_equal(fitted.covariances_, mixture.fit(X[y == label]).covariances_)


# Right probabilities.


def test_probabilities_are_calibrated():
    X, y = known_rows(20_000)
    classifier = GMMBayesClassifier(2, covariance_type="full", random_state=0).fit(X, y)
    X, y = known_rows(20_000, seed=1)
    joint = np.stack([np.log(PRIOR[c]) + known_log_density(c, X) for c in "ab"], axis=1)
    truth = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    proba = classifier.predict_proba(X)
    # 20 000 rows fix 23 parameters to about a percent each.
    assert np.abs(proba - truth).mean() < 0.01
    assert log_loss(y, proba) < log_loss(y, truth) + 0.002
    log_density = logsumexp(joint, axis=1)
    assert np.abs(classifier.score_samples(X) - log_density).mean() < 0.03
    # Among rows given a probability near p, a share of p is of that class: 4 standard errors.
    bins = np.digitize(proba[:, 1], np.linspace(0, 1, 11)[1:-1])
    for b in range(10):
        mine = bins == b
        expected, seen = proba[mine, 1].mean(), np.mean(y[mine] == "b")
        spread = np.sqrt(np.mean(proba[mine, 1] * proba[mine, 0]) / mine.sum())
        assert abs(seen - expected) < 4 * spread + 0.01


def test_weighted_classes_give_the_probabilities_of_their_weights():
    X, y = known_rows(20_000)
    weight = np.where(y == "a", 1.0, 7.0 / 3.0)  # as if both classes were equally frequent
    classifier = GMMBayesClassifier(2, covariance_type="full", random_state=0)
    classifier.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(classifier.class_prior_, [0.5, 0.5], atol=0.02)
    truth = known_log_density("b", X) - known_log_density("a", X)
    difference = classifier.decision_function(X) - truth
    # Log-odds differ most in the tails.
    assert np.median(np.abs(difference)) < 0.1


@each_type
def test_log_odds_of_two_classes(covariance_type):
    X, y = known_rows(400)
    classifier = GMMBayesClassifier(2, covariance_type=covariance_type, random_state=0).fit(X, y)
    decision = classifier.decision_function(X)
    assert decision.shape == (400,)
    log_proba = classifier.predict_log_proba(X)
    np.testing.assert_allclose(decision, log_proba[:, 1] - log_proba[:, 0], atol=1e-10)
    np.testing.assert_array_equal(classifier.predict(X), np.where(decision > 0, "b", "a"))


def test_decision_function_of_three_classes():
    X, y = iris()
    classifier = GMMBayesClassifier(2, random_state=0).fit(X, y)
    decision = classifier.decision_function(X)
    assert decision.shape == (150, 3)
    np.testing.assert_array_equal(classifier.predict(X), decision.argmax(axis=1))
    # log p(x, class): its sum over the classes is p(x).
    np.testing.assert_allclose(classifier.score_samples(X), logsumexp(decision, axis=1))


def test_rows_far_from_all_classes():
    X, y = known_rows(200)
    classifier = GMMBayesClassifier(2, random_state=0).fit(X, y)
    far = np.array([[1e6, 0.0], [0.0, -1e8], [3e3, 3e3]])
    np.testing.assert_allclose(classifier.predict_proba(far).sum(axis=1), 1.0)
    assert np.all(np.isfinite(classifier.predict_log_proba(far)))
    assert np.all(np.isfinite(classifier.score_samples(far)))


# Labels and priors.


def test_learned_attributes():
    X, y = known_rows(300)
    classifier = GMMBayesClassifier({"a": 3, "b": 1}, covariance_type="tied", random_state=0)
    assert classifier.fit(X, y) is classifier
    np.testing.assert_array_equal(classifier.classes_, ["a", "b"])
    np.testing.assert_allclose(classifier.class_prior_, [np.mean(y == "a"), np.mean(y == "b")])
    assert [mixture.n_components for mixture in classifier.mixtures_] == [3, 1]
    assert all(type(mixture) is GaussianMixture for mixture in classifier.mixtures_)
    assert all(mixture.covariance_type == "tied" for mixture in classifier.mixtures_)
    np.testing.assert_array_equal(classifier.n_iter_, [m.n_iter_ for m in classifier.mixtures_])
    assert classifier.n_features_in_ == 2


@pytest.mark.parametrize("dtype", [None, object])
@pytest.mark.parametrize("labels", [["z", "x", "y"], [3, 10, -1], [0.0, 2.0, 5.0]])
def test_any_labels(labels, dtype):
    X, codes = iris()
    y = np.array(labels, dtype=dtype)[codes]
    if dtype is object and not isinstance(labels[0], str):
        pytest.skip("scikit-learn takes numbers in an object array for unknown labels")
    plain = GMMBayesClassifier(2, random_state=0).fit(X, np.argsort(np.argsort(labels))[codes])
    classifier = GMMBayesClassifier(2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(classifier.classes_, np.unique(y))
    np.testing.assert_array_equal(classifier.predict(X), np.unique(y)[plain.predict(X)])
    np.testing.assert_array_equal(classifier.predict_proba(X), plain.predict_proba(X))
    assert classifier.predict(X).dtype == y.dtype


def test_priors_move_the_decision():
    X, y = iris()
    plain = GMMBayesClassifier(random_state=0).fit(X, y)
    given = GMMBayesClassifier(priors=[0.1, 0.2, 0.7], random_state=0).fit(X, y)
    np.testing.assert_allclose(
        given.decision_function(X) - plain.decision_function(X),
        np.tile(np.log([0.3, 0.6, 2.1]), (150, 1)),
        atol=1e-10,
    )


def test_class_of_prior_zero_is_impossible():
    X, y = iris()
    classifier = GMMBayesClassifier(2, priors=[0.5, 0.0, 0.5], random_state=0).fit(X, y)
    proba = classifier.predict_proba(X)
    assert np.all(proba[:, 1] == 0)
    assert np.all(classifier.predict_log_proba(X)[:, 1] == -np.inf)
    assert 1 not in classifier.predict(X)
    assert np.all(np.isfinite(classifier.score_samples(X)))
    assert 1 not in classifier.sample(200)[1]


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ([0.5, 0.5], r"priors .*\(3,\).*\(2,\)"),
        ([[0.2, 0.3, 0.5]], r"priors .*\(3,\).*\(1, 3\)"),
        ([0.2, 0.3, 0.4], r"priors must sum to 1, but sum to 0\.9"),
        ([-0.2, 0.7, 0.5], r"priors must be non-negative.*-0\.2"),
        ([np.nan, 0.5, 0.5], "priors contains NaN"),
        ([np.inf, 0.5, 0.5], "priors .*inf"),
        ("equal", "'priors' parameter of GMMBayesClassifier must be"),
        (0.5, "'priors' parameter of GMMBayesClassifier must be"),
    ],
)
def test_bad_priors(priors, message):
    with pytest.raises(ValueError, match=message):
        GMMBayesClassifier(priors=priors).fit(*iris())


@pytest.mark.parametrize(
    ("n_components", "message"),
    [
        ({"a": 2}, r"n_components.*missing \['b'\]"),
        ({"a": 2, "b": 1, "c": 3}, r"n_components.*not in y \['c'\]"),
        ({"A": 2, "b": 1}, r"n_components.*missing \['a'\], not in y \['A'\]"),
        ({}, r"n_components.*missing \['a', 'b'\]"),
        ({"a": 0, "b": 1}, r"n_components\['a'\] must be an int of at least 1, but is 0"),
        ({"a": 1, "b": 1.5}, r"n_components\['b'\] must be an int of at least 1, but is 1\.5"),
        ({"a": 1, "b": "2"}, r"n_components\['b'\] must be an int of at least 1, but is '2'"),
        (0, "'n_components' parameter of GMMBayesClassifier must be"),
        ([1, 2], "'n_components' parameter of GMMBayesClassifier must be"),
    ],
)
def test_bad_n_components(n_components, message):
    with pytest.raises(ValueError, match=message):
        GMMBayesClassifier(n_components).fit(*known_rows(40))


def test_n_components_with_numpy_labels():
    X, y = iris()
    sizes = dict(zip(np.unique(y), [1, 2, 3], strict=True))
    classifier = GMMBayesClassifier(sizes, random_state=0).fit(X, y)
    assert [mixture.n_components for mixture in classifier.mixtures_] == [1, 2, 3]


# Poor classes.


def poor_class(rows):
    X, y = known_rows(60)
    return np.concatenate([X, rows]), np.append(y, ["poor"] * len(rows))


@each_type
def test_class_with_fewer_distinct_rows_than_components_gets_fewer(covariance_type):
    X, y = poor_class(np.repeat([[8.0, 8.0], [9.0, 8.5]], 10, axis=0))
    classifier = GMMBayesClassifier(4, covariance_type=covariance_type, random_state=0)
    with pytest.warns(DegenerateComponentWarning, match=r"Class 'poor' has 2 distinct row.*=4"):
        classifier.fit(X, y)
    assert [mixture.n_components for mixture in classifier.mixtures_] == [4, 4, 2]
    assert np.all(np.isfinite(classifier.predict_proba(X)))
    np.testing.assert_array_equal(classifier.predict(X[-20:]), ["poor"] * 20)


def test_rows_of_weight_zero_do_not_count_as_distinct():
    X, y = poor_class([[8.0, 8.0], [9.0, 9.0], [8.0, 9.0]])
    weight = np.ones(len(X))
    weight[-1] = 0.0
    with pytest.warns(DegenerateComponentWarning, match="Class 'poor' has 2 distinct row"):
        classifier = GMMBayesClassifier(3, random_state=0).fit(X, y, sample_weight=weight)
    assert [mixture.n_components for mixture in classifier.mixtures_] == [3, 3, 2]


def test_distinct_rows_are_found_behind_many_copies():
    X, y = poor_class(np.concatenate([np.full((50, 2), 8.0), [[9.0, 9.0], [9.5, 8.0]]]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier = GMMBayesClassifier(3, random_state=0).fit(X, y)
    assert [mixture.n_components for mixture in classifier.mixtures_] == [3, 3, 3]


def test_texts_show_labels_as_plain_values():
    X, y = iris()
    X, y = np.concatenate([X, X[:1]]), np.append(y, 3)
    with pytest.warns(DegenerateComponentWarning, match="Class 3 has 1 distinct row"):
        GMMBayesClassifier(2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="class 3 could not be fitted"):
        GMMBayesClassifier(reg_covar=0.0).fit(X, y)


@pytest.mark.parametrize("weight", [None, 2.5])
@each_type
def test_class_with_one_row(covariance_type, weight):
    X, y = poor_class([[8.0, 8.0]])
    weights = None if weight is None else np.full(len(X), weight)
    classifier = GMMBayesClassifier(covariance_type=covariance_type, reg_covar=1e-2)
    with pytest.warns(DegenerateComponentWarning):
        classifier.fit(X, y, sample_weight=weights)
    poor = classifier.mixtures_[2]
    np.testing.assert_allclose(poor.means_, [[8.0, 8.0]])
    variances = (
        poor.covariances_[..., [0, 1], [0, 1]]
        if poor.covariances_.ndim > 2
        else (np.diag(poor.covariances_) if covariance_type == "tied" else poor.covariances_)
    )
    np.testing.assert_allclose(variances, 1e-2)
    np.testing.assert_allclose(classifier.class_prior_[2], 1 / 61)
    assert classifier.predict([[8.01, 8.0]]) == ["poor"]
    with pytest.raises(ValueError, match=r"class 'poor'.*ill-defined empirical covariance"):
        classifier.set_params(reg_covar=0.0).fit(X, y)


def test_class_without_weight_is_not_learned():
    X, y = iris()
    classifier = GMMBayesClassifier(2, random_state=0)
    classifier.fit(X, y, sample_weight=np.where(y == 1, 0.0, 1.0))
    np.testing.assert_array_equal(classifier.classes_, [0, 2])
    without = clone(classifier).fit(X[y != 1], y[y != 1])
    np.testing.assert_allclose(classifier.predict_proba(X), without.predict_proba(X), atol=1e-10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.full((40, 2), np.nan)}, "0, 1 of X are entirely missing"),
        ({"X": np.full((40, 2), np.inf)}, "X contains infinity"),
        ({"sample_weight": -np.ones(40)}, r"sample_weight\[0\] is -1"),
        ({"sample_weight": np.zeros(40)}, "sample_weight is zero for every row"),
        ({"y": np.linspace(0, 1, 40)}, "Unknown label type"),
        ({"y": ["a"] * 39}, "inconsistent numbers of samples"),
        ({"y": None}, "requires y to be passed"),
    ],
)
def test_bad_rows(changes, message):
    X, y = known_rows(40)
    with pytest.raises(ValueError, match=message):
        GMMBayesClassifier().fit(**{"X": X, "y": y, **changes})


def test_tied_shrinkage_is_refused():
    with pytest.raises(
        ValueError, match=r"shrinkage=1.0 has no effect with covariance_type='tied'"
    ):
        GMMBayesClassifier(covariance_type="tied", shrinkage=1.0).fit(*iris())


# Sampling.


def test_sample_draws_rows_and_classes_of_the_model():
    X, y = known_rows(5_000)
    classifier = GMMBayesClassifier(
        2, covariance_type="full", priors=[0.25, 0.75], random_state=0
    ).fit(X, y)
    rows, labels = classifier.sample(20_000)
    assert rows.shape == (20_000, 2)
    assert labels.dtype == classifier.classes_.dtype
    share = np.mean(labels == "b")
    assert abs(share - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20_000)
    for label, mixture in zip("ab", classifier.mixtures_, strict=True):
        mine = rows[labels == label]
        mean = mixture.weights_ @ mixture.means_
        error = 5 * mine.std(axis=0) / np.sqrt(len(mine))
        assert np.all(np.abs(mine.mean(axis=0) - mean) < error)
        # The mean log density of draws estimates minus the entropy: that of other draws agrees.
        difference = mixture.score(mine) - mixture.score(mixture.sample(20_000)[0])
        assert abs(difference) < 0.06
    np.testing.assert_array_equal(classifier.sample(20_000)[0], rows)
    one, label = classifier.sample()
    assert (one.shape, label.shape) == ((1, 2), (1,))


@pytest.mark.parametrize("n_samples", [0, -3])
def test_bad_n_samples(n_samples):
    classifier = GMMBayesClassifier().fit(*iris())
    with pytest.raises(ValueError, match=f"Invalid value for 'n_samples': {n_samples}"):
        classifier.sample(n_samples)


# Execution.


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_number_of_jobs_changes_nothing(covariance_type):
    X, y = iris()
    options = dict(n_components=2, covariance_type=covariance_type, random_state=0)
    one = GMMBayesClassifier(**options).fit(X, y)
    two = GMMBayesClassifier(**options, n_jobs=2).fit(X, y)
    for mine, other in zip(one.mixtures_, two.mixtures_, strict=True):
        for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_of_all_classes_reach_the_caller(n_jobs):
    X, y = poor_class([[8.0, 8.0]])
    with pytest.warns((DegenerateComponentWarning, ConvergenceWarning)) as caught:
        GMMBayesClassifier(3, max_iter=1, random_state=0, n_jobs=n_jobs).fit(X, y)
    assert {w.filename for w in caught} == {__file__}
    text = " ".join(str(w.message) for w in caught)
    for part in ("Class 'poor' has 1 distinct row", "'poor': Component", "did not converge"):
        assert part in text


def test_jobs_share_the_classes(monkeypatch):
    jobs = []
    real = bayes.Parallel

    def recording(n_jobs=None, **options):
        jobs.append(n_jobs)
        return real(n_jobs=1, **options)

    monkeypatch.setattr(bayes, "Parallel", recording)
    GMMBayesClassifier(n_jobs=2).fit(*iris())
    assert jobs == [2]


def test_random_state_makes_fits_reproducible():
    X, y = known_rows(300)
    options = dict(n_components=3, init_params="random")
    fits = [GMMBayesClassifier(**options, random_state=s).fit(X, y) for s in (0, 0, 1)]
    proba = [fit.predict_proba(X) for fit in fits]
    np.testing.assert_array_equal(proba[0], proba[1])
    assert not np.array_equal(proba[0], proba[2])
    shared = np.random.RandomState(0)
    from_instance = GMMBayesClassifier(**options, random_state=shared).fit(X, y)
    np.testing.assert_array_equal(from_instance.predict_proba(X), proba[0])


def test_float32_rows_are_fitted_in_float32():
    X, y = iris()
    single = GMMBayesClassifier(2, random_state=0).fit(X.astype(np.float32), y)
    double = GMMBayesClassifier(2, random_state=0).fit(X, y)
    assert all(mixture.means_.dtype == np.float32 for mixture in single.mixtures_)
    np.testing.assert_allclose(
        single.predict_proba(X.astype(np.float32)), double.predict_proba(X), atol=1e-3
    )


def test_prints_the_lines_of_every_class(capsys):
    GMMBayesClassifier(2, verbose=1, random_state=0).fit(*iris())
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("Initialization 0") == 3


def test_convergence_warning():
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        GMMBayesClassifier(2, max_iter=1, random_state=0).fit(*known_rows(100))


# A refit that fails.


def assert_unchanged(classifier, before):
    assert set(vars(classifier)) == set(before)
    for name in ("classes_", "class_prior_", "n_iter_", "n_features_in_"):
        np.testing.assert_array_equal(getattr(classifier, name), before[name])
    for mixture, earlier in zip(classifier.mixtures_, before["mixtures_"], strict=True):
        np.testing.assert_array_equal(mixture.means_, earlier.means_)
        np.testing.assert_array_equal(mixture.covariances_, earlier.covariances_)


BAD_REFITS = {
    "NaN": dict(X=np.full((9, 3), np.nan)),
    "labels": dict(y=list("abcabcabc"), n_components={"a": 1}),
    "priors": dict(priors=[0.5, 0.2, 0.1]),
    "collapse of the last class": dict(X=[[0.0, 1], [1, 2], [5, 5]] * 3, reg_covar=0.0),
    "weights": dict(sample_weight=-np.ones(9)),
    "parameter": dict(tol=-1),
}


@pytest.mark.parametrize("kind", BAD_REFITS)
def test_bad_refit_keeps_the_earlier_fit(kind):
    bad = dict(BAD_REFITS[kind])
    rows = {
        "X": bad.pop("X", np.random.default_rng(0).standard_normal((9, 3))),
        "y": bad.pop("y", [0, 1, 2] * 3),
        "sample_weight": bad.pop("sample_weight", None),
    }
    classifier = GMMBayesClassifier(2, random_state=0).fit(*known_rows(60))
    before = copy.deepcopy(vars(classifier.set_params(**bad)))
    with pytest.raises(ValueError):
        classifier.fit(**rows)
    assert_unchanged(classifier, before)


@pytest.mark.parametrize("n_calls", [0, 1, 5])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_refit_keeps_the_earlier_fit(monkeypatch, n_calls, error):
    classifier = GMMBayesClassifier(2, tol=0.0, max_iter=3, random_state=0).fit(*known_rows(60))
    before = copy.deepcopy(vars(classifier))
    original, calls = em.em_step, []

    def failing(*args, **options):
        calls.append(1)
        if len(calls) > n_calls:
            raise error
        return original(*args, **options)

    monkeypatch.setattr(em, "em_step", failing)
    with pytest.raises(error):
        classifier.fit(*iris())
    assert_unchanged(classifier, before)


def test_a_column_that_a_class_lacks_goes_by_its_name():
    X = pd.DataFrame({"age": [np.nan, np.nan, 1.0, 2.0], "visits": [1.0, 2.0, 3.0, 5.0]})
    message = r"class 'new' could not be fitted\. Column\(s\) 'age' of X"
    for classifier in (GMMBayesClassifier(), MixedBayesClassifier()):
        with pytest.raises(ValueError, match=message):
            classifier.fit(X, ["new", "new", "old", "old"])
