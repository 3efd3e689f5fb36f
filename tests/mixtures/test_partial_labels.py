"""Mixtures of rows some of which have labels, against closed forms and naive loops."""

import warnings

import numpy as np
import pytest
import sklearn
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmix import CategoricalMixture, Chunks, DiagonalGMM, GaussianMixture, MixedMixture, Mixture
from skmix._families import Poisson
from skmix._rows import sources

TYPES = ["full", "tied", "diag", "spherical", "EEV"]
every_type = pytest.mark.parametrize("covariance_type", TYPES)


def three_clusters(seed=0, n_own=50, share=0.15, apart=3.0):
    """Rows, the clusters that they come from, and labels of some of them."""
    rng = np.random.default_rng(seed)
    own = np.repeat([0, 1, 2], n_own)
    X = (
        rng.normal(size=(len(own), 2))
        + apart * np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 1.0]])[own]
    )
    labels = np.where(rng.random(len(own)) < share, own, -1)
    labels[[0, n_own, 2 * n_own]] = [0, 1, 2]
    return X, own, labels


def table_of(X):
    """A number, a count and two categories made of rows of two numbers."""
    answers = np.where(X > 1.0, "much", np.where(X < -1.0, "none", "some"))
    counts = np.floor(np.abs(X[:, 1]))
    rows = zip(X[:, 0].tolist(), counts.tolist(), *answers.T.tolist(), strict=True)
    return [list(row) for row in rows]


def mixtures():
    numbers = [GaussianMixture(3, covariance_type=t, random_state=0) for t in TYPES]
    return [
        *numbers,
        DiagonalGMM(3, random_state=0, assignment="hard"),
        CategoricalMixture(3, random_state=0, alpha=0.5),
        MixedMixture(3, random_state=0, alpha=0.5, families={1: "poisson"}),
    ]


def rows_for(mixture, X):
    if isinstance(mixture, CategoricalMixture):
        return 2 + np.clip(np.floor(X), -2, 4).astype(int)
    return table_of(X) if isinstance(mixture, MixedMixture) else X


every_mixture = pytest.mark.parametrize("mixture", mixtures(), ids=str)


@every_type
def test_all_labels_make_one_closed_step(covariance_type):
    X, own, _ = three_clusters()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(X))
    gm = GaussianMixture(3, covariance_type=covariance_type, reg_covar=0.0)
    gm.set_params(tol=1e-12, max_iter=500).fit(X, sample_weight=weight, partial_labels=own)
    mass = np.bincount(own, weight)
    means = np.array([weight[own == k] @ X[own == k] / mass[k] for k in range(3)])
    scatter = [
        (weight[own == k, None] * (X[own == k] - means[k])).T @ (X[own == k] - means[k])
        for k in range(3)
    ]
    np.testing.assert_allclose(gm.weights_, mass / mass.sum(), rtol=1e-12)
    np.testing.assert_allclose(gm.means_, means, rtol=1e-10, atol=1e-10)
    own_covariances = np.array([s / m for s, m in zip(scatter, mass, strict=True)])
    if covariance_type == "EEV":  # volume and shape are shared
        values = np.sort(np.linalg.eigvalsh(gm.covariances_), axis=1)
        np.testing.assert_allclose(values, values[[0]].repeat(3, axis=0), rtol=1e-6)
        return
    expected = {
        "full": own_covariances,
        "tied": sum(scatter) / mass.sum(),
        "diag": np.einsum("kii->ki", own_covariances),
        "spherical": np.einsum("kii->k", own_covariances) / 2,
    }[covariance_type]
    np.testing.assert_allclose(gm.covariances_, expected, rtol=1e-9, atol=1e-12)


def test_all_labels_make_one_closed_step_of_answers():
    X, own, _ = three_clusters()
    codes = rows_for(CategoricalMixture(), X)
    mixture = CategoricalMixture(3).fit(codes, partial_labels=own)
    for j, (known, table) in enumerate(
        zip(mixture.categories_, mixture.probabilities_, strict=True)
    ):
        expected = [[np.mean(codes[own == k, j] == answer) for answer in known] for k in range(3)]
        np.testing.assert_allclose(table, expected, atol=1e-12)
    np.testing.assert_allclose(mixture.weights_, 1 / 3)


def test_an_optimum_is_one_of_a_naive_loop():
    X, _, labels = three_clusters(2, apart=1.8)
    gm = GaussianMixture(3, reg_covar=0.0, tol=1e-12, max_iter=3000, random_state=0)
    gm.fit(X, partial_labels=labels)
    joint = np.array(
        [
            w * multivariate_normal(m, c).pdf(X)
            for w, m, c in zip(gm.weights_, gm.means_, gm.covariances_, strict=True)
        ]
    )
    for k in range(3):
        joint[k, (labels >= 0) & (labels != k)] = 0.0
    assert gm.lower_bound_ == pytest.approx(np.log(joint.sum(axis=0)).mean(), abs=1e-8)
    resp = joint / joint.sum(axis=0)
    counts = resp.sum(axis=1)
    np.testing.assert_allclose(gm.weights_, counts / len(X), atol=1e-5)
    np.testing.assert_allclose(gm.means_, resp @ X / counts[:, None], atol=1e-4)


@every_mixture
def test_components_keep_their_labels(mixture):
    X, own, labels = three_clusters(3)
    permuted = np.array([2, 0, 1])[own]
    for truth, given in ((own, labels), (permuted, np.where(labels < 0, -1, permuted))):
        fitted = clone(mixture).fit(rows_for(mixture, X), partial_labels=given)
        assert np.mean(fitted.predict(rows_for(mixture, X)) == truth) > 0.85


@every_mixture
def test_the_likelihood_never_falls(mixture):
    X, _, labels = three_clusters(4, apart=1.0)
    fitted = clone(mixture).set_params(tol=1e-7, max_iter=1000)
    if "reg_covar" in fitted.get_params():
        fitted.set_params(reg_covar=1e-12)
    if "alpha" in fitted.get_params():
        fitted.set_params(alpha=0.0)
    fitted.fit(rows_for(mixture, X), partial_labels=labels)
    assert np.diff(fitted.lower_bounds_).min(initial=0.0) > -1e-10


@every_mixture
def test_a_weight_is_a_repetition_and_weight_0_is_no_label(mixture):
    X, own, labels = three_clusters(5, n_own=30)
    times = np.random.default_rng(0).integers(0, 3, len(X))
    times[[0, 30, 60]] = 1
    wrong = np.where(times == 0, (own + 1) % 3, labels)
    rows = rows_for(mixture, X)
    weighted = clone(mixture).fit(rows, sample_weight=times, partial_labels=wrong)
    repeated = clone(mixture).fit(
        [row for row, n in zip(rows, times, strict=True) for _ in range(n)],
        partial_labels=np.repeat(labels, times),
    )
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, rtol=1e-5)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-6)


@pytest.mark.parametrize("mixture", [GaussianMixture(2), CategoricalMixture(2)], ids=str)
def test_equal_rows_with_other_labels_are_not_equal(mixture):
    X = [[0.0], [0.0], [1.0], [1.0]] * 5
    fitted = clone(mixture).fit(X, partial_labels=[0, 0, 0, 1, 0, 1, 0, 1] * 2 + [0, 0, 0, 1])
    np.testing.assert_allclose(fitted.weights_, [0.65, 0.35])


def test_no_labels_are_no_constraint():
    X, _, labels = three_clusters(6)
    nothing = np.full_like(labels, -1)
    plain = GaussianMixture(3, tol=1e-8, max_iter=1000, random_state=0).fit(X)
    fitted = clone(plain).fit(X, partial_labels=nothing)
    assert fitted.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-6)


def test_components_without_labels_are_found():
    X, own, labels = three_clusters(7, apart=5.0)
    labels[labels == 1] = -1
    gm = GaussianMixture(3, random_state=0).fit(X, partial_labels=labels)
    assert np.mean(gm.predict(X) == own) > 0.98


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_missing_cells_and_rows(covariance_type):
    X, own, labels = three_clusters(8)
    holes = np.random.default_rng(0).random(X.shape) < 0.2
    X[holes] = np.nan  # some rows are entirely missing, and have labels
    empty = np.isnan(X).all(axis=1)
    assert np.any(empty & (labels >= 0))
    gm = GaussianMixture(3, covariance_type=covariance_type, random_state=0)
    fitted = clone(gm).fit(X, partial_labels=labels)
    same = clone(gm).fit(X[~empty], partial_labels=labels[~empty])
    np.testing.assert_array_equal(fitted.means_, same.means_)
    assert np.mean(fitted.predict(X)[~empty] == own[~empty]) > 0.8


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    own = rng.integers(3, size=6000)
    X = rng.normal(size=(6000, 2)) + 3.0 * own[:, None]
    labels = np.where(rng.random(6000) < 0.1, own, -1)
    gm = GaussianMixture(3, random_state=0)
    one = clone(gm).fit(X, partial_labels=labels)
    monkeypatch.setattr(sources, "CHUNK_BYTES", 1)
    many = clone(gm).fit(X, partial_labels=labels)
    np.testing.assert_allclose(many.means_, one.means_, rtol=1e-9)
    float32 = clone(gm).fit(X.astype(np.float32), partial_labels=labels)
    np.testing.assert_allclose(float32.means_, one.means_, atol=0.02)


@every_mixture
@pytest.mark.parametrize("full", [True, False], ids=["complete and plain", "holes and weights"])
def test_rows_and_labels_in_chunks(mixture, full):
    X, _, labels = three_clusters(12, apart=2.0)
    rows, weight = np.array(rows_for(mixture, X), dtype=object), None
    rows = rows if isinstance(mixture, MixedMixture) else rows.astype(float)
    if not full:
        rng = np.random.default_rng(0)
        rows = np.where(rng.random(rows.shape) < 0.1, np.nan, rows)
        rows[5] = np.nan  # of a row without cells the label is left out, too
        weight = rng.uniform(0.5, 2.0, len(X))
        weight[::7] = 0.0
    cuts = [40, 41, 100]
    chunks = Chunks(np.split(rows, cuts), sample_weight=None if full else np.split(weight, cuts))
    mixture = clone(mixture).set_params(max_iter=4, tol=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        expected = clone(mixture).fit(rows, sample_weight=weight, partial_labels=labels)
        for given in (labels, np.split(labels, cuts), Chunks(np.split(labels, cuts))):
            fitted = clone(mixture).fit(chunks, partial_labels=given)
            assert fitted.n_features_in_ == rows.shape[1]
            for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
                if hasattr(expected, name):
                    own, other = getattr(fitted, name), getattr(expected, name)
                    np.testing.assert_allclose(own, other, rtol=1e-7, atol=1e-9, err_msg=name)


def test_a_warm_start_on_chunks_goes_on():
    X, _, labels = three_clusters(13, apart=1.5)
    gm = GaussianMixture(3, warm_start=True, random_state=0, max_iter=3, tol=1e-12)
    chunks = Chunks([X[:50], X[50:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        before = gm.fit(chunks, partial_labels=labels).lower_bound_
        assert gm.fit(chunks, partial_labels=labels).lower_bound_ > before


def test_starts_that_are_given_and_warm_starts():
    X, _, labels = three_clusters(9)
    gm = GaussianMixture(3, random_state=0, max_iter=0, means_init=np.eye(3, 2))
    np.testing.assert_array_equal(gm.fit(X, partial_labels=labels).means_, np.eye(3, 2))
    warm = GaussianMixture(3, warm_start=True, random_state=0).fit(X, partial_labels=labels)
    before = warm.lower_bound_
    assert warm.fit(X, partial_labels=labels).lower_bound_ >= before - 1e-12


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data"])
def test_every_start(init_params):
    X, own, labels = three_clusters(10)
    gm = GaussianMixture(3, init_params=init_params, n_init=2, random_state=0)
    assert np.mean(gm.fit(X, partial_labels=labels).predict(X) == own) > 0.9


def test_labels_are_routed_and_y_is_ignored():
    X, own, labels = three_clusters(11)
    with sklearn.config_context(enable_metadata_routing=True):
        gm = GaussianMixture(3, random_state=0).set_fit_request(partial_labels=True)
        routed = make_pipeline(StandardScaler(), gm).fit(X, partial_labels=labels)
    assert np.mean(routed.predict(X) == own) > 0.9
    plain = GaussianMixture(3, random_state=0).fit(X)
    np.testing.assert_array_equal(
        GaussianMixture(3, random_state=0).fit(X, own).means_, plain.means_
    )


BAD = {
    "one label per row": np.zeros((4, 1)),
    r"partial_labels has 3 labels, but X has 4 rows": [0, 1, 0],
    r"partial_labels has 2 for row 1": [0, 2, 0, 1],
    r"partial_labels has -2 for row 3": [0, 1, 0, -2],
    r"partial_labels has nan for row 0": [np.nan, 1, 0, 0],
    r"partial_labels has 0.5 for row 2": [0, 1, 0.5, 0],
    r"but has dtype <U1. Number the labels": ["a", "b", "a", "b"],
}


@pytest.mark.parametrize("message", BAD)
def test_bad_labels_are_refused_and_an_earlier_fit_is_kept(message):
    X = np.array([[0.0], [1.0], [0.2], [1.1]])
    gm = GaussianMixture(2, random_state=0).fit(X)
    means = gm.means_
    with pytest.raises(ValueError, match=message):
        gm.fit(X, partial_labels=BAD[message])
    assert gm.means_ is means


def test_what_takes_no_labels_says_so():
    X = np.arange(8.0)[:, None]
    with pytest.raises(ValueError, match="Mixture takes no partial_labels"):
        Mixture(2, family_factory=Poisson).fit(X, partial_labels=[0] * 8)
    with pytest.raises(ValueError, match="partial_labels is not available with noise=True"):
        GaussianMixture(2, noise=True).fit(X, partial_labels=[0] * 8)
