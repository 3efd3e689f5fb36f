"""Dask arrays and data frames: the fit is that to one array, on any scheduler, come what may."""

import os
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
from own_families import Poisson
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmix import (
    CategoricalMixture,
    Chunks,
    ConditionalGMMInpainter,
    DiagonalGMM,
    GaussianMixture,
    GMMBayesClassifier,
    GMMDenoiser,
    MixedMixture,
    Mixture,
    MixtureOutlierDetector,
    bootstrap_lrt,
    select_mixture,
)
from skmix._engine import em

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

N_ROWS = 3000
SHORT = dict(random_state=0, max_iter=5, tol=0.0)


@pytest.fixture
def local():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3))
    X[::3] += 4.0
    X[1::3, :2] -= 4.0
    return X


def with_holes(X):
    X = X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    X[17] = np.nan
    return X


def weights_of(X):
    weight = np.random.default_rng(2).uniform(0.5, 2.0, len(X))
    weight[::50] = 0.0
    weight[:400] = 0.0  # a chunk of which nothing remains
    return weight


def answers(X):
    return (np.median(X) < X).astype(int)


def table(X):
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1].astype(np.float32)})
    frame["n"] = np.random.default_rng(3).poisson(3, len(X))
    frame["c"] = np.where(X[:, 2] > 1.0, "x", "y")
    frame["d"] = pd.Categorical(np.where(X[:, 0] > 1.0, "u", "v"))
    return frame


def cut(X, n_rows=400):
    if isinstance(X, pd.DataFrame):
        return dd.from_pandas(X, chunksize=n_rows, sort=False)
    return da.from_array(X, chunks=(n_rows, *X.shape[1:]))


CASES = {
    "full": (GaussianMixture(3, **SHORT), lambda X: X, None),
    "holes": (GaussianMixture(3, **SHORT), with_holes, weights_of),
    "noise": (GaussianMixture(3, noise=True, **SHORT), lambda X: X, None),
    "at random": (DiagonalGMM(3, init_params="random", **SHORT), lambda X: X, weights_of),
    "float32": (DiagonalGMM(3, **SHORT), lambda X: X.astype(np.float32), None),
    "integers": (GaussianMixture(3, **SHORT), lambda X: (8 * X).astype(np.int16), None),
    "categories": (CategoricalMixture(2, **SHORT), answers, weights_of),
    "frame": (
        GaussianMixture(2, **SHORT),
        lambda X: pd.DataFrame({"a": X[:, 0], "n": X[:, 1].astype(int)}),
        None,
    ),
    "mixed": (MixedMixture(2, families={"n": "poisson"}, **SHORT), table, None),
    "own": (Mixture(2, family_factory=Poisson, **SHORT), lambda X: np.floor(abs(X)), None),
}


def fit(mixture, X, sample_weight=None, **labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(mixture).fit(X, sample_weight=sample_weight, **labels)


def fit_labelled(estimator, X, y, sample_weight):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(estimator).fit(X, y, sample_weight=sample_weight)


def assert_same(actual, expected, rtol):
    for name in ("weights_", "means_", "covariances_", "rates_", "lower_bounds_"):
        if hasattr(expected, name):
            np.testing.assert_allclose(
                getattr(actual, name), getattr(expected, name), rtol=rtol, atol=rtol, err_msg=name
            )
    for mine, other in zip(
        getattr(actual, "probabilities_", []),
        getattr(expected, "probabilities_", []),
        strict=True,
    ):
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol)


def check(case, rows, rtol, labelled=False):
    """Compare fit, score and predictions with those of the rows in memory."""
    mixture, made, weighing = CASES[case]
    X = made(rows[:800] if made is table else rows)
    weight, cut_weight = None, None
    if weighing is not None:
        weight = weighing(X)
        cut_weight = cut(weight, 500 if case == "categories" else 400)  # other chunks are moved
    own, cut_own = {}, {}
    if labelled:
        known = np.where(np.arange(len(X)) % 5 == 0, np.arange(len(X)) % 2, -1)
        own = cut_own = {"partial_labels": known}
        if isinstance(X, pd.DataFrame):
            cut_own = {"partial_labels": cut(pd.DataFrame({"k": known}))["k"]}
    expected = fit(mixture, X, weight, **own)
    D = cut(X)
    actual = fit(mixture, D, cut_weight, **cut_own)
    assert_same(actual, expected, rtol)
    score = expected.score(X, sample_weight=weight)
    assert actual.score(D, sample_weight=cut_weight) == pytest.approx(score, rel=rtol)
    labels = actual.predict(D)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels.compute(), expected.predict(X))


@pytest.mark.parametrize("case", CASES)
def test_the_fit_is_that_to_one_array(case, rows, local, few_starts):
    check(case, rows, 1e-4 if case == "float32" else 1e-9)


@pytest.mark.parametrize("case", ["holes", "categories", "mixed", "own"])
def test_a_cluster_sums_to_the_same(case, rows, client, few_starts):
    # Sums are added in another order, by worker.
    check(case, rows, 1e-4 if case == "float32" else 1e-8)


@pytest.mark.parametrize("case", ["holes", "frame", "categories"])
def test_components_of_some_rows_are_known(case, rows, local, few_starts):
    check(case, rows, 1e-9, labelled=True)


@pytest.mark.parametrize("case", ["holes", "categories", "mixed"])
def test_labels_go_where_the_rows_are(case, rows, client, few_starts):
    check(case, rows, 1e-8, labelled=True)


def test_lazy_answers_know_their_shapes_and_types(rows, local):
    X = with_holes(rows).astype(np.float32)
    D = cut(X)
    mixture = fit(GaussianMixture(3, **SHORT), D)
    filled, std = mixture.impute(D, return_std=True)
    for answer, shape, dtype in [
        (mixture.predict(D), (N_ROWS,), np.int64),
        (mixture.predict_proba(D), (N_ROWS, 3), np.float32),
        (mixture.score_samples(D), (N_ROWS,), np.float32),
        (filled, (N_ROWS, 3), np.float32),
        (std, (N_ROWS, 3), np.float32),
    ]:
        assert isinstance(answer, da.Array)
        assert (answer.shape, answer.dtype) == (shape, dtype)
        assert answer.chunks[0] == D.chunks[0]
        computed = answer.compute()
        assert (computed.shape, computed.dtype) == (shape, dtype)
    np.testing.assert_array_equal(filled.compute(), mixture.impute(X))
    assert mixture.fit_predict(D).shape == (N_ROWS,)


def test_frames_are_filled_to_frames(rows, local):
    frame = table(rows[:800])[["a", "c", "d", "n"]]
    frame.loc[::7, "a"] = np.nan
    frame.loc[3::7, ["c", "d"]] = None
    frame["n"] = frame["n"].astype("Int64").mask(np.arange(800) % 11 == 0)
    mixture = fit(MixedMixture(2, families={"n": "poisson"}, **SHORT), frame)
    D = cut(frame)
    filled = mixture.impute(D)
    computed, expected = filled.compute(), mixture.impute(frame)
    assert list(filled.columns) == list(frame.columns)
    assert (filled.dtypes == computed.dtypes).all()
    assert not computed.isna().any(axis=None)
    np.testing.assert_allclose(computed["a"], expected["a"])
    np.testing.assert_allclose(computed["n"].astype(float), expected["n"].astype(float))
    assert (computed[["c", "d"]].astype(str) == expected[["c", "d"]].astype(str)).all(axis=None)
    proba = mixture.predict_proba(D)
    assert proba.dtype == np.float64 and proba.compute().shape == (800, 2)
    assert list(fit(mixture, D).sample(3)[0].columns) == list(frame.columns)


def test_chunks_may_be_unknown_empty_or_of_columns(rows, local):
    expected = fit(GaussianMixture(3, **SHORT), rows[rows[:, 0] > -4.0])
    D = cut(rows)
    chosen = D[D[:, 0] > -4.0]
    assert np.isnan(chosen.shape[0])
    assert_same(fit(GaussianMixture(3, **SHORT), chosen), expected, 1e-9)
    labels = expected.predict(chosen)
    assert labels.compute().shape == expected.predict(rows[rows[:, 0] > -4.0]).shape

    empty = da.concatenate([D[:0], D[:900], D[:0], D[900:]])
    columns = empty.rechunk({1: 1})
    assert columns.numblocks[1] == 3
    for some in (empty, columns):
        mixture = fit(GaussianMixture(3, **SHORT), some)
        assert_same(mixture, fit(GaussianMixture(3, **SHORT), rows), 1e-9)
        assert mixture.predict(some).compute().shape == (N_ROWS,)


def test_criteria_and_selection_take_collections(rows, local):
    D = cut(rows)
    mixture, grid = DiagonalGMM(random_state=0), {"n_components": [1, 3]}
    expected = select_mixture(mixture, rows, grid)
    actual = select_mixture(mixture, D, grid)
    assert actual.best_params_ == expected.best_params_ == {"n_components": 3}
    best = expected.best_estimator_
    assert best.bic(D) == pytest.approx(best.bic(rows), rel=1e-12)
    with pytest.raises(ValueError, match="cv"):
        select_mixture(mixture, D, grid, criterion="cv")


def test_classifiers_and_the_inpainter_answer_lazily(rows, local):
    X, labels = with_holes(rows), np.repeat(["no", "yes"], N_ROWS // 2)
    D = cut(X)
    classifier = GMMBayesClassifier(random_state=0).fit(X, labels)
    for name, dtype in [
        ("predict", "<U3"),
        ("predict_proba", np.float64),
        ("predict_log_proba", np.float64),
        ("score_samples", np.float64),
    ]:
        answer, expected = getattr(classifier, name)(D), getattr(classifier, name)(X)
        assert (answer.shape, answer.dtype) == (expected.shape, dtype)
        chunks = getattr(classifier, name)(Chunks([X[:9], X[9:]]))
        for gathered in (answer.compute(), np.concatenate(list(chunks))):
            if name == "predict":
                np.testing.assert_array_equal(gathered, expected)
            else:  # few rows are scored in another order
                np.testing.assert_allclose(gathered, expected, rtol=1e-9, atol=1e-12)

    inpainter = ConditionalGMMInpainter(add_indicator=True).fit(X)
    filled = inpainter.transform(D)
    assert filled.shape == (N_ROWS, 6) and filled.chunks[0] == D.chunks[0]
    np.testing.assert_allclose(filled.compute(), inpainter.transform(X), rtol=1e-9)
    with pytest.raises(ValueError, match="sample_posterior=True"):
        clone(inpainter).set_params(sample_posterior=True).fit(X).transform(D)
    with pytest.raises(ValueError, match="set_output"):
        inpainter.set_output(transform="pandas").transform(D)


@pytest.mark.parametrize("options", [{}, {"unlabeled": "?"}, {"share": "classes"}], ids=str)
def test_a_cluster_fits_all_classes(options, rows, client):
    X, labels = with_holes(rows), np.repeat(["no", "yes"], N_ROWS // 2)
    if "unlabeled" in options:
        labels[::2] = "?"
    weight = weights_of(X)
    classifier = GMMBayesClassifier(2, **SHORT, **options)
    expected = fit_labelled(classifier, X, labels, weight)
    actual = fit_labelled(classifier, cut(X), cut(labels), cut(weight))
    np.testing.assert_array_equal(actual.classes_, expected.classes_)
    np.testing.assert_allclose(actual.class_prior_, expected.class_prior_, rtol=1e-8)
    for mine, other in zip(actual.mixtures_, expected.mixtures_, strict=True):
        assert_same(mine, other, 1e-8)


def test_a_cluster_fits_an_inpainter(rows, client):
    X = with_holes(rows)
    weight = weights_of(X)
    inpainter = ConditionalGMMInpainter(2, n_refits=2, **SHORT)
    expected = fit_labelled(inpainter, X, None, weight)
    actual = fit_labelled(inpainter, cut(X), None, cut(weight))
    # A search finds it, as far as rounding lets the likelihood tell.
    assert actual.shrinkage_ == pytest.approx(expected.shrinkage_, rel=1e-3)
    assert_same(actual.mixture_, expected.mixture_, 1e-4)
    for mine, other in zip(actual.refits_, expected.refits_, strict=True):
        np.testing.assert_allclose(mine.means_, other.means_, rtol=1e-3, atol=1e-3)


def test_a_worker_may_die(rows, client, monkeypatch):
    D, mixture = cut(rows), DiagonalGMM(3, **SHORT)
    expected = fit(mixture, D)
    victim = next(iter(client.run(os.getpid).values()))
    steps, step = [], em.em_step

    def deadly(source, *args, **options):
        if source.n_samples == N_ROWS:
            steps.append(source)
        if len(steps) == 3 and source is steps[-1]:
            os.kill(victim, signal.SIGKILL)
        return step(source, *args, **options)

    monkeypatch.setattr(em, "em_step", deadly)
    actual = fit(mixture, D)
    assert len(steps) >= 5
    np.testing.assert_array_equal(actual.means_, expected.means_)
    np.testing.assert_array_equal(actual.lower_bounds_, expected.lower_bounds_)


def test_the_scheduler_may_be_lost(rows, monkeypatch):
    D, mixture = cut(rows), DiagonalGMM(3, **SHORT)
    steps, step = [], em.em_step
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),  # for closing the cluster
        distributed.LocalCluster(
            n_workers=1, processes=False, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(D)
        means = mixture.means_

        def last(source, *args, **options):
            steps.append(source)
            if len(steps) == 3:
                cluster.sync(cluster.scheduler.close)
            return step(source, *args, **options)

        monkeypatch.setattr(em, "em_step", last)
        with pytest.raises(RuntimeError, match="scheduler of the Dask cluster was lost"):
            mixture.fit(D[:2000])
        assert mixture.means_ is means
        with pytest.raises(RuntimeError, match="Start a cluster"):
            mixture.score(D)
    assert mixture.predict(rows[:2]).shape == (2,)


@pytest.mark.parametrize(
    "bad, error, text",
    [
        (lambda D: D[:, 0], ValueError, "two axes"),
        (lambda D: D.to_delayed()[0, 0], TypeError, "Dask DelayedLeaf|Dask Delayed"),
        (lambda D: D[:0], ValueError, "minimum of 2"),
        (lambda D: D[:1], ValueError, "minimum of 2"),
        (lambda D: da.concatenate([D, da.full((9, 3), np.inf)]), ValueError, "Chunk 8 .*infinity"),
        (lambda D: D * np.nan, ValueError, "entirely missing"),
        (
            lambda D: D.map_blocks(
                lambda X, block_info=None: X.astype(
                    "f4" if block_info[0]["chunk-location"][0] == 2 else "f8"
                ),
                dtype=float,
            ),
            ValueError,
            "Chunk 2 of X .*float32",
        ),
        (lambda D: dd.from_pandas(pd.DataFrame({"a": ["x", "y"]}), 1), ValueError, "holds text"),
    ],
)
def test_bad_collections_are_refused(bad, error, text, rows, local):
    mixture = fit(GaussianMixture(3, **SHORT), rows)
    means = mixture.means_
    with pytest.raises(error, match=text):
        mixture.fit(bad(cut(rows)))
    assert mixture.means_ is means


def test_bad_weights_are_refused(rows, local):
    D, weight = cut(rows), np.ones(N_ROWS)
    mixture = GaussianMixture(2)
    for bad, text in [
        (cut(weight[:2000]), "in the same chunks"),
        (weight[:-1], "One weight|one weight per row|Give one"),
        (cut(-weight), "Negative"),
        (cut(0 * weight), "at least one non-zero"),
    ]:
        with pytest.raises(ValueError, match=text):
            mixture.fit(D, sample_weight=bad)
    with pytest.raises(ValueError, match="not known"):
        mixture.fit(D[D[:, 0] > 0], sample_weight=weight)
    with pytest.raises(ValueError, match=r"partial_labels has shape \(3,\), but X has 3000 rows"):
        mixture.fit(D, partial_labels=[0, 1, -1])
    with pytest.raises(TypeError, match="partial_labels must not be Chunks"):
        mixture.fit(D, partial_labels=Chunks([np.zeros(N_ROWS)]))
    with pytest.raises(TypeError, match="sample_weight is a Dask Array"):
        mixture.fit(rows, sample_weight=cut(weight))
    with pytest.raises(ValueError, match="sample_weight must be None"):
        mixture.fit(Chunks([rows]), sample_weight=weight)


def test_nothing_gathers_rows_without_a_word(rows, local):
    D = cut(rows)
    refusing = [
        lambda: GMMDenoiser(2).fit(D),
        lambda: MixtureOutlierDetector(2).fit(D),
        lambda: bootstrap_lrt(GaussianMixture(2), D),
        lambda: fit(GaussianMixture(2, **SHORT), rows).condition(D),
    ]
    for call in refusing:
        with pytest.raises(TypeError, match=r"Dask Array|Chunks"):
            call()
