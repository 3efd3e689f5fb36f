"""What reports say of a latent class analysis: errors, residuals, profiles in one order."""

import numpy as np
import pytest

from skmix import CategoricalMixture, GaussianMixture

pytest.importorskip("pandas")


def survey(seed, n_samples=1500):
    """Answers of two classes, and weights by which one stratum stands for eight."""
    rng = np.random.default_rng(seed)
    stratum = rng.random(n_samples) < 0.2
    member = rng.random(n_samples) < np.where(stratum, 0.7, 0.4)
    X = rng.random((n_samples, 5)) < np.where(member[:, None], 0.8, 0.25)
    return X.astype(int), np.where(stratum, 8.0, 1.0)


@pytest.mark.usefixtures("few_starts")
def test_robust_standard_errors_are_those_of_resampled_rows():
    X, weight = survey(0)
    mixture = CategoricalMixture(2, random_state=0).fit(X, sample_weight=weight)
    robust = mixture.standard_errors(X, weight, robust=True)
    start = dict(n_components=2, random_state=0, init_params="random")
    rng = np.random.default_rng(1)
    redrawn = []
    for _ in range(100):
        rows = rng.integers(len(X), size=len(X))
        again = CategoricalMixture(**start).fit(X[rows], sample_weight=weight[rows])
        firsts = again.probabilities_[0][:, 1]
        order = np.argsort(-firsts)
        class_ = order[0]
        redrawn.append([again.weights_[class_], *(t[class_, 1] for t in again.probabilities_)])
    high = int(np.argmax(mixture.probabilities_[0][:, 1]))
    errors = [robust.weights[high], *(t[high, 1] for t in robust.probabilities)]
    np.testing.assert_allclose(errors, np.std(redrawn, axis=0), rtol=0.25)
    naive = mixture.standard_errors(X, weight)
    assert robust.weights[0] > 1.4 * naive.weights[0]


@pytest.mark.usefixtures("few_starts")
def test_robust_standard_errors_know_no_unit_of_the_weights():
    X, weight = survey(1, 300)
    mixture = CategoricalMixture(2, random_state=0).fit(X, sample_weight=weight)
    one = mixture.standard_errors(X, weight, robust=True)
    other = mixture.standard_errors(X, 0.01 * weight, robust=True)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-8)
    for table, same in zip(one.probabilities, other.probabilities, strict=True):
        np.testing.assert_allclose(table, same, rtol=1e-8)


@pytest.mark.usefixtures("few_starts")
@pytest.mark.parametrize("seed", [2, 6])
def test_standard_errors_beside_a_boundary_do_not_depend_on_where_em_stopped(seed):
    rng = np.random.default_rng(seed)
    member = rng.random(300) < 0.45
    chances = np.where(member[:, None], [0.95, 0.9, 0.85], [0.05, 0.2, 0.3])
    X = (rng.random((300, 3)) < chances).astype(int)
    errors = []
    for tol in (1e-6, 1e-8, 1e-13):
        mixture = CategoricalMixture(2, tol=tol, max_iter=50_000, random_state=int(-np.log10(tol)))
        errors.append(mixture.fit(X).standard_errors(X))
    for one in errors[1:]:
        np.testing.assert_allclose(one.weights, errors[-1].weights, rtol=0.02)
        for table, same in zip(one.probabilities, errors[-1].probabilities, strict=True):
            np.testing.assert_array_equal(np.isnan(table), np.isnan(same))
            np.testing.assert_allclose(table, same, rtol=0.05, atol=1e-3)


@pytest.mark.usefixtures("few_starts")
def test_bivariate_residuals_are_pearsons_statistics_per_degree_of_freedom():
    rng = np.random.default_rng(0)
    X = rng.integers([2, 3, 4], size=(200, 3)).astype(float)
    X[:20, 0], X[30:60, 2], X[199] = np.nan, np.nan, np.nan
    weight = rng.integers(1, 4, size=200).astype(float)
    mixture = CategoricalMixture(2, random_state=0).fit(X, sample_weight=weight)
    residuals = mixture.bivariate_residuals(X, weight)
    assert np.all(np.isnan(np.diagonal(residuals)))
    for j, other in ((0, 1), (1, 2), (0, 2)):
        tables = mixture.probabilities_[j], mixture.probabilities_[other]
        expected = sum(
            w * np.outer(one, two) for w, one, two in zip(mixture.weights_, *tables, strict=True)
        )
        observed = np.zeros(expected.shape)
        for row, w in zip(X, weight, strict=True):
            if not np.isnan(row[[j, other]]).any():
                observed[int(row[j]), int(row[other])] += w
        statistic = np.sum((observed - observed.sum() * expected) ** 2 / expected) / observed.sum()
        df = (expected.shape[0] - 1) * (expected.shape[1] - 1)
        assert residuals[j, other] == residuals[other, j] == pytest.approx(statistic / df)


def test_goodness_of_fit_of_more_cells_than_integers():
    X = np.random.default_rng(0).integers(2, size=(50, 70))
    fit = CategoricalMixture().fit(X).goodness_of_fit(X)
    assert fit.df == 2**70 - 71
    assert fit.p_g2 == 1.0 and 0.0 <= fit.p_x2 <= 1.0
    wide = np.random.default_rng(0).integers(2, size=(4, 1010))
    assert CategoricalMixture().fit(wide).goodness_of_fit(wide).p_g2 == 1.0


@pytest.mark.usefixtures("few_starts")
def test_reports_show_standard_errors():
    X, weight = survey(2, 200)
    mixture = CategoricalMixture(2, random_state=0).fit(X, sample_weight=weight)
    errors = mixture.standard_errors(X, weight)
    line = mixture.report(standard_errors=errors).splitlines()[1]
    assert f"{mixture.weights_[1]:.3f} ({errors.weights[1]:.3f})" in line
    frame = mixture.report(as_frame=True, standard_errors=errors)
    np.testing.assert_array_equal(
        frame.loc["weight", "standard error 0"].to_numpy()[0], errors.weights[0]
    )
    np.testing.assert_array_equal(
        frame.loc["column 3", "standard error 1"], errors.probabilities[3][1]
    )


@pytest.mark.usefixtures("few_starts")
def test_align_matches_classes_and_changes_no_density():
    X, weight = survey(3, 400)
    fitted = CategoricalMixture(3, random_state=0).fit(X, sample_weight=weight)
    other = CategoricalMixture(3, random_state=1).fit(X, sample_weight=weight)
    order = [2, 0, 1]
    other.weights_ = other.weights_[order]
    other.probabilities_ = [table[order] for table in other.probabilities_]
    scores = fitted.score_samples(X)
    assert fitted.align(other) is fitted
    np.testing.assert_allclose(fitted.score_samples(X), scores, rtol=1e-12)
    np.testing.assert_allclose(fitted.weights_, other.weights_, atol=0.02)
    with pytest.raises(ValueError, match="3 classes and the same categories"):
        fitted.align(CategoricalMixture(2).fit(X))
    with pytest.raises(TypeError, match="needs another CategoricalMixture, but other is Gauss"):
        fitted.align(GaussianMixture().fit([[0.0], [1.0]]))
