"""Online EM: running statistics, starts, drift, and what a stream shares with one fit."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from mixtures import overlapping
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skmix import (
    CategoricalBayesClassifier,
    CategoricalMixture,
    Chunks,
    DiagonalGMM,
    GaussianMixture,
    GMMBayesClassifier,
    MixedBayesClassifier,
    MixedMixture,
)
from skmix._engine import online
from skmix._engine.em import expect
from skmix._families import Categorical, Frame, FullGaussian, Packing, TiedGaussian
from skmix._rows.sources import ArraySource

pytestmark = pytest.mark.usefixtures("few_starts")

CENTRES = np.array([[0.0, 0.0, 0.0], [5.0, 1.0, 0.0], [-3.0, 4.0, 2.0]])


def clusters(n_samples=3000, seed=0, centres=CENTRES):
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(centres), size=n_samples)
    return centres[labels] + rng.normal(size=(n_samples, centres.shape[1])), labels


def learn(estimator, X, *others, size=200, sample_weight=None, **options):
    """Learn from batches of so many rows."""
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        weight = None if sample_weight is None else sample_weight[rows]
        given = (other[rows] for other in others)
        estimator.partial_fit(X[rows], *given, sample_weight=weight, **options)
    return estimator


def fit(mixture, X, sample_weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(X, sample_weight=sample_weight)


# Near the fit to all rows ------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        *({"covariance_type": name} for name in ("tied", "diag", "spherical", "EVE", "EII")),
        {},
        {"assignment": "hard"},
        {"shrinkage": "auto"},
        {"shrinkage": 5.0},
        {"prior": "data"},
        {"reg_covar": 0.0},
        {"n_init": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", ["complete", "incomplete", "weighted", "float32"])
def test_one_pass_comes_near_the_fit(options, rows):
    X, _ = clusters()
    weight, rng = None, np.random.default_rng(1)
    if rows == "incomplete":
        X[rng.random(X.shape) < 0.1] = np.nan
        X[7] = np.nan
    elif rows == "weighted":
        weight = rng.integers(0, 3, size=len(X))
    elif rows == "float32":
        X = X.astype(np.float32)
    mixture = GaussianMixture(3, random_state=0, **options)
    whole = fit(clone(mixture), X, weight)
    stream = learn(clone(mixture), X, sample_weight=weight)
    assert stream.means_.dtype == X.dtype and stream.n_iter_ == 15
    score = stream.score(X, sample_weight=weight)
    # Of 30 parameters and 3000 rows the maximum itself is 0.005 nats from the truth.
    assert whole.score(X, sample_weight=weight) - score < 0.005


@pytest.mark.parametrize("size", [7, 50, 1000])
def test_the_size_of_batches_hardly_matters(size):
    X, _ = clusters()
    whole = fit(GaussianMixture(3, random_state=0), X).score(X)
    assert whole - learn(GaussianMixture(3, random_state=0), X, size=size).score(X) < 0.005


def test_the_average_is_nearer_than_a_fixed_rate():
    X, _ = clusters(6000)
    whole = fit(GaussianMixture(3, random_state=0), X).score(X)
    plain = learn(GaussianMixture(3, random_state=0), X)
    steady = learn(GaussianMixture(3, random_state=0, forgetting=0.3), X)
    assert whole - plain.score(X) < 0.5 * (whole - steady.score(X))


def test_overlapping_components_from_the_same_start():
    rng = np.random.default_rng(0)
    centres = 1.5 * rng.normal(size=(5, 4))
    X = centres[rng.integers(5, size=20_000)] + rng.normal(size=(20_000, 4))
    start = fit(GaussianMixture(5, random_state=0, max_iter=3, init_params="kmeans"), X[:1000])
    given = {
        "weights_init": start.weights_,
        "means_init": start.means_,
        "precisions_init": start.precisions_,
    }
    whole = fit(GaussianMixture(5, tol=1e-6, max_iter=1000, **given), X)
    stream = learn(GaussianMixture(5, random_state=0, **given), X)
    assert whole.n_iter_ > 50
    assert whole.score(X) - stream.score(X) < 0.02


@pytest.mark.parametrize("options", [{}, {"assignment": "hard"}, {"forgetting": 0.1}], ids=str)
def test_tables_and_categories(options):
    X, z = clusters()
    rng = np.random.default_rng(1)
    town = np.array(["x", "y", "w"])[(z + (rng.random(len(z)) < 0.2)) % 3]
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "visits": rng.poisson(1 + 3 * z)})
    frame["town"] = town
    frame.loc[rng.random(len(z)) < 0.1, "a"] = None
    frame.loc[rng.random(len(z)) < 0.1, "town"] = None
    mixture = MixedMixture(3, families={"visits": "poisson"}, random_state=0, **options)
    whole, stream = fit(clone(mixture), frame), learn(clone(mixture), frame)
    assert whole.score(frame) - stream.score(frame) < 0.015
    assert stream.sample(2)[0].columns.tolist() == list(frame.columns)
    answers = np.stack([(z + (rng.random(len(z)) < 0.2)) % 3 for _ in range(6)], axis=1) * 1.0
    answers[rng.random(answers.shape) < 0.1] = np.nan
    mixture = CategoricalMixture(3, random_state=0, **options)
    whole, stream = fit(clone(mixture), answers), learn(clone(mixture), answers)
    assert whole.score(answers) - stream.score(answers) < 0.015


# Steps -------------------------------------------------------------------------------------


def test_steps_are_those_of_the_paper():
    """Against a loop that keeps raw moments, with steps t^-0.6 and no average."""
    X, _ = clusters(2000)
    whole = fit(GaussianMixture(3, random_state=0), X[:400])
    source = ArraySource(X[:400])
    family = FullGaussian(Frame.of_source(source)).bound_to(source)
    params = whole._fitted_family()[1]
    params = family.to_frame(whole._fitted_family()[0].from_frame(params))
    stream = online.begin(
        family,
        params,
        weight=400.0,
        n_rows=400,
        n_batches=1,
        forgetting=None,
        lower_bound=0.0,
    )
    weights, means = params.weights, params.means
    squares = family.covariances(params) + means[:, :, None] * means[:, None, :]
    moments = [weights, weights[:, None] * means, weights[:, None, None] * squares]
    for t in range(2, 6):
        batch = ArraySource(X[400 * (t - 1) : 400 * t])
        with batch:
            stream = online.advance(
                stream,
                batch,
                family,
                forgetting=None,
                hard=False,
                random_state=np.random.RandomState(0),
            )
        z = (batch.X - family.frame.reference) / family.frame.scale
        covariances = moments[2] / moments[0][:, None, None]
        centres = moments[1] / moments[0][:, None]
        covariances = covariances - centres[:, :, None] * centres[:, None, :]
        diff = z[:, None] - centres
        distance = np.einsum("nki,kij,nkj->nk", diff, np.linalg.inv(covariances), diff)
        joint = moments[0] * np.exp(-0.5 * distance) / np.sqrt(np.linalg.det(covariances))
        resp = joint / joint.sum(axis=1, keepdims=True) / len(z)
        own = [resp.sum(axis=0), resp.T @ z, np.einsum("nk,ni,nj->kij", resp, z, z)]
        step = t**-0.6
        moments = [(1 - step) * m + step * o for m, o in zip(moments, own, strict=True)]
    np.testing.assert_allclose(stream.params.weights, moments[0], rtol=1e-9)
    np.testing.assert_allclose(
        stream.params.means, moments[1] / moments[0][:, None], rtol=1e-8, atol=1e-9
    )


@pytest.mark.parametrize("family_type", [FullGaussian, TiedGaussian])
def test_combined_statistics_are_those_of_all_rows(family_type):
    X, _ = clusters(600)
    source = ArraySource(X)
    family = family_type(Frame.of_source(source)).bound_to(source)
    whole = fit(GaussianMixture(3, covariance_type=family.covariance_type, random_state=0), X)
    fitted, params = whole._fitted_family()
    params = family.to_frame(fitted.from_frame(params))

    def statistics(rows):
        part = ArraySource(rows)
        with part:
            own = family.for_batch(part, float(len(rows)))
            return expect(part, own.prepare(params, np.float64))[1]

    parts = family.combined(statistics(X[:200]), 1.0, statistics(X[200:]), 1.0)
    expected = family.combined(statistics(X), 1.0)
    np.testing.assert_allclose(parts.counts, expected.counts)
    both = [family.for_batch(source, 600.0).maximize(params, s) for s in (parts, expected)]
    np.testing.assert_allclose(both[0].means, both[1].means, atol=1e-10)
    np.testing.assert_allclose(both[0].covariances, both[1].covariances, atol=1e-10)
    implied = family.for_batch(source, 1.0).maximize(params, family.implied(params))
    np.testing.assert_allclose(implied.covariances, family.covariances(params), atol=1e-10)


def test_halves_of_a_class_have_its_answers():
    family = Categorical(Packing([2, 3]))
    rng = np.random.default_rng(0)
    answers = rng.random((2, 5))
    statistics = family.implied(
        fit(CategoricalMixture(2, random_state=0), rng.integers(2, size=(50, 2)))._params()
    )._replace(answers=answers)
    divided = family.divided(statistics, None, 1, 0, np.random.RandomState(0))
    np.testing.assert_allclose(divided.answers.sum(axis=0), answers[0])
    assert divided.counts[0] == divided.counts[1] == statistics.counts[0] / 2


# Drift -------------------------------------------------------------------------------------


def test_a_fixed_rate_follows_clusters_that_move():
    errors = {}
    for forgetting in (None, 0.2):
        mixture = GaussianMixture(3, random_state=0, forgetting=forgetting)
        for t in range(80):
            centres = CENTRES + 0.1 * t * np.array([[1, 0, 0], [0, 1, 0], [0, -1, 0]])
            mixture.partial_fit(clusters(200, seed=t, centres=centres)[0])
        distances = np.linalg.norm(mixture.means_[:, None] - centres, axis=2)
        errors[forgetting] = distances.min(axis=0).max()
    assert errors[0.2] < 0.7 < 2.0 < errors[None]


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
def test_a_component_that_dies_is_started_anew(covariance_type):
    mixture = GaussianMixture(
        3, covariance_type=covariance_type, random_state=0, forgetting=0.2, tol=1e-6
    )
    for t in range(30):
        mixture.partial_fit(clusters(200, seed=t)[0])
    other = np.array([[0.0, 0.0, 0.0], [5.0, 1.0, 0.0], [40.0, -40.0, 0.0]])
    for t in range(60):
        mixture.partial_fit(clusters(200, seed=t, centres=other[:2])[0])
    assert mixture.weights_.min() > 0.01  # where two are left, one is shared
    for t in range(60):
        mixture.partial_fit(clusters(200, seed=t, centres=other)[0])
    distances = np.linalg.norm(mixture.means_[:, None] - other, axis=2)
    assert distances.min(axis=0).max() < 1.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_far_from_the_first_ones_keep_their_digits(dtype):
    mixture = GaussianMixture(random_state=0, forgetting=0.3)
    offset = 1e6 if dtype == np.float64 else 1e3
    for t in range(120):
        X = np.random.default_rng(t).normal(size=(300, 2)) + (0.0 if t < 5 else offset)
        mixture.partial_fit(X.astype(dtype))
    np.testing.assert_allclose(mixture.means_ - offset, 0.0, atol=0.2)
    np.testing.assert_allclose(mixture.covariances_[0], np.eye(2), atol=0.2)


# Starts and states -------------------------------------------------------------------------


def test_first_batches_wait_for_a_start():
    X, _ = clusters(400)
    mixture = GaussianMixture(3, random_state=0)
    assert mixture.partial_fit(X[:100]).n_features_in_ == 3
    for method in (mixture.predict, mixture.score, mixture.sample):
        with pytest.raises(NotFittedError):
            method(X) if method != mixture.sample else method()
    with pytest.raises(ValueError, match="2 features"):
        mixture.partial_fit(X[:10, :2])
    assert len(mixture.partial_fit(X[100:200]).predict(X)) == 400  # 150 rows are enough


def test_a_column_that_is_empty_at_first():
    X, _ = clusters(1000)
    X[:300, 1] = np.nan
    mixture = GaussianMixture(3, random_state=0)
    mixture.partial_fit(X[:300])
    assert not hasattr(mixture, "means_")
    assert np.isfinite(mixture.partial_fit(X[300:]).means_).all()


def test_fit_begins_anew_and_partial_fit_goes_on():
    X, _ = clusters(4000)
    mixture = fit(GaussianMixture(3, random_state=0), X[:2000])
    before = mixture.score(X)
    learn(mixture, X[2000:])
    assert before < mixture.score(X)
    assert fit(GaussianMixture(3, random_state=0), X).score(X) - mixture.score(X) < 0.003
    again = fit(clone(mixture), X[:300])
    learn(mixture, X)
    fit(mixture, X[:300])
    np.testing.assert_array_equal(mixture.means_, again.means_)
    with pytest.raises(ValueError, match="n_components=2"):
        mixture.set_params(n_components=2).partial_fit(X)
    mixture.set_params(n_components=3, covariance_type="diag")
    with pytest.raises(ValueError, match="covariance_type='diag'"):
        mixture.partial_fit(X)


def test_a_stream_goes_on_from_parameters_and_from_a_pickle():
    X, _ = clusters()
    made = DiagonalGMM.from_parameters([1 / 3] * 3, CENTRES, np.ones((3, 3)))
    assert np.isfinite(learn(made, X).score(X))
    stream = learn(GaussianMixture(3, random_state=0), X[:1500])
    copied = pickle.loads(pickle.dumps(stream))
    np.testing.assert_array_equal(learn(stream, X[1500:]).means_, learn(copied, X[1500:]).means_)


def test_a_batch_that_fails_changes_nothing():
    X, _ = clusters()
    mixture = learn(GaussianMixture(3, random_state=0), X[:1000])
    before = pickle.dumps(vars(mixture)["_progress"].stream.statistics), mixture.means_
    bad = X[:100].copy()
    bad[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        mixture.partial_fit(bad)
    assert pickle.dumps(mixture._progress.stream.statistics) == before[0]
    assert mixture.means_ is before[1]


def test_rows_that_say_nothing_change_nothing():
    X, _ = clusters()
    mixture = learn(GaussianMixture(3, random_state=0), X[:1000])
    before = mixture.means_
    mixture.partial_fit(np.full((3, 3), np.nan))
    assert mixture.means_ is before


def test_chunks_are_batches():
    X, _ = clusters(1000)
    parts = [X[i : i + 200] for i in range(0, 1000, 200)]
    np.testing.assert_array_equal(
        GaussianMixture(3, random_state=0).partial_fit(Chunks(parts)).means_,
        learn(GaussianMixture(3, random_state=0), X).means_,
    )


def test_categories_are_those_of_the_first_batch():
    X = np.array([["a"], ["b"]] * 60)
    with pytest.raises(ValueError, match="unknown categories"):
        CategoricalMixture(random_state=0).partial_fit(X).partial_fit([["c"]])
    known = CategoricalMixture(categories=[["a", "b", "c"]], random_state=0).partial_fit(X)
    assert known.partial_fit([["c"], ["a"]]).probabilities_[0][0, 2] > 0


@pytest.mark.parametrize("options", [{"noise": True}, {"fixed": {"means": [0]}}], ids=str)
def test_what_is_not_for_streams(options):
    mixture = GaussianMixture(3, **options)
    assert not hasattr(mixture, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        mixture.partial_fit(clusters()[0])
    assert next(iter(options)) in str(caught.value.__cause__)


def test_a_rate_is_between_0_and_1():
    with pytest.raises(ValueError, match="forgetting"):
        GaussianMixture(forgetting=1.0).partial_fit(clusters()[0])


def test_bounds_are_those_before_a_batch_is_learned(monkeypatch):
    monkeypatch.setattr(online, "KEPT_BOUNDS", 5)
    X, _ = clusters(2000)
    mixture = learn(GaussianMixture(3, random_state=0, forgetting=0.5), X[:1800])
    expected = mixture.score(X[1800:])
    mixture.partial_fit(X[1800:])
    assert len(mixture.lower_bounds_) == 5
    np.testing.assert_allclose(mixture.lower_bounds_[-1], expected)


# Classifiers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classifier",
    [GMMBayesClassifier(), MixedBayesClassifier(), CategoricalBayesClassifier()],
    ids=lambda classifier: type(classifier).__name__,
)
@pytest.mark.parametrize("forgetting", [None, 0.2])
def test_classes_of_a_stream(classifier, forgetting):
    X, y = clusters()
    rng = np.random.default_rng(0)
    if isinstance(classifier, CategoricalBayesClassifier):
        X = np.stack([(y + (rng.random(len(y)) < 0.3)) % 3 for _ in range(3)], axis=1)
    classifier = clone(classifier).set_params(random_state=0, forgetting=forgetting)
    whole = clone(classifier).fit(X, y)
    stream = learn(clone(classifier), X, y, classes=[0, 1, 2])
    assert whole.score(X, y) - stream.score(X, y) < 0.02
    np.testing.assert_allclose(stream.class_prior_, whole.class_prior_)
    learn(whole, X, y)
    assert abs(whole.score(X, y) - stream.score(X, y)) < 0.02


def test_a_class_without_rows_is_impossible_until_it_has_some():
    X, y = clusters()
    few = y < 2
    classifier = learn(GMMBayesClassifier(random_state=0), X[few], y[few], classes=[0, 1, 2])
    assert set(classifier.predict(X)) == {0, 1}
    np.testing.assert_array_equal(classifier.predict_proba(X)[:, 2], 0.0)
    classifier.partial_fit(X[y == 2][:10], y[y == 2][:10])
    assert classifier.class_prior_[2] == 0.0
    learn(classifier, X, y)
    assert classifier.score(X, y) > 0.95
    assert set(classifier.sample(50)[1]) == {0, 1, 2}


def test_a_classifier_waits_for_all_classes_that_it_saw():
    X, y = clusters(600)
    classifier = GMMBayesClassifier(random_state=0)
    with pytest.raises(ValueError, match="first call to partial_fit"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    with pytest.raises(NotFittedError):
        classifier.predict(X)
    with pytest.raises(ValueError, match="not the same as on last call"):
        classifier.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="not among the classes"):
        classifier.partial_fit(X, y + 1)
    weight = np.where(y == 2, 2.0, 1.0)
    classifier.partial_fit(X[60:], y[60:], sample_weight=weight[60:])
    assert classifier.predict(X).shape == (600,)


@pytest.mark.parametrize(
    "options",
    [
        {"share": "classes"},
        {"n_components": "bic"},
        {"covariance_type": "bic"},
        {"unlabeled": -1},
    ],
    ids=str,
)
def test_what_is_not_for_streams_of_classes(options):
    with pytest.raises(AttributeError) as caught:
        GMMBayesClassifier(**options).partial_fit(*clusters(200), classes=[0, 1, 2])
    assert next(iter(options)) in str(caught.value.__cause__)


def test_a_fit_of_chunks_counts_as_its_rows():
    X = overlapping(900)
    mixture = fit(GaussianMixture(2, random_state=0), Chunks([X[:400], X[400:800]]))
    mixture.partial_fit(X[800:])
    assert mixture._progress.stream.weight == 900
