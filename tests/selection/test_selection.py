"""The choice of a mixture from a grid."""

import warnings

import numpy as np
import pytest
import sklearn.mixture
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skmix import (
    CategoricalMixture,
    DiagonalGMM,
    GaussianMixture,
    TransformedDensity,
    select_mixture,
)
from skmix._mixtures.covariance_types import family_in_units
from skmix._selection import neighbours
from skmix.exceptions import DegenerateComponentWarning
from skmix.metrics import neg_aic_score, neg_bic_score, neg_icl_score

X = load_iris().data
GRID = {"n_components": [1, 2, 3], "covariance_type": ["full", "diag"]}
MIXTURE = GaussianMixture(random_state=0)


def choose(criterion="bic", estimator=MIXTURE, grid=GRID, rows=X, **options):
    return select_mixture(estimator, rows, grid, criterion=criterion, **options)


@pytest.mark.parametrize("criterion", ["aic", "bic", "icl"])
def test_chooses_what_a_loop_over_fits_chooses(criterion):
    selection = choose(criterion)
    table = selection.cv_results_
    fits = [GaussianMixture(random_state=0, **point).fit(X) for point in table["params"]]
    values = [getattr(fit, criterion)(X) for fit in fits]
    np.testing.assert_allclose(table[criterion], values)
    best = int(np.argmin(values))
    assert selection.best_index_ == best
    assert selection.best_params_ == table["params"][best]
    assert selection.criterion == criterion
    np.testing.assert_allclose(selection.best_score_, values[best])
    np.testing.assert_array_equal(selection.best_estimator_.means_, fits[best].means_)
    np.testing.assert_array_equal(table["n_parameters"], [fit.n_parameters for fit in fits])
    np.testing.assert_array_equal(table["n_iter"], [fit.n_iter_ for fit in fits])
    np.testing.assert_array_equal(table["converged"], [fit.converged_ for fit in fits])
    np.testing.assert_allclose(table["log_likelihood"], [len(X) * fit.score(X) for fit in fits])
    np.testing.assert_array_equal(table["rank"][np.argsort(values)], np.arange(1, 7))
    assert np.all(table["mean_fit_time"] > 0)


def test_cv_is_grid_search_by_held_out_likelihood():
    cv = KFold(4, shuffle=True, random_state=3)
    selection = choose("cv", cv=cv)
    search = GridSearchCV(MIXTURE, GRID, cv=cv).fit(X)
    table = selection.cv_results_
    for name in ("mean_test_score", "std_test_score", *(f"split{i}_test_score" for i in range(4))):
        np.testing.assert_allclose(table[name], search.cv_results_[name], rtol=1e-10)
    np.testing.assert_array_equal(table["rank"], search.cv_results_["rank_test_score"])
    assert selection.best_params_ == search.best_params_
    np.testing.assert_allclose(selection.best_score_, search.best_score_)
    np.testing.assert_array_equal(selection.best_estimator_.means_, search.best_estimator_.means_)
    splits = np.array([table[f"split{i}_test_score"] for i in range(4)])
    errors = np.std(splits, axis=0, ddof=1) / 2
    np.testing.assert_allclose(table["standard_error"], errors)


def test_number_of_folds_means_shuffled_rows():
    # Rows of iris are sorted by species: folds in their order would lack one each.
    three = choose("cv", cv=3).cv_results_["mean_test_score"]
    shuffled = choose("cv", cv=KFold(3, shuffle=True, random_state=0))
    np.testing.assert_array_equal(three, shuffled.cv_results_["mean_test_score"])
    default = choose("cv").cv_results_
    assert "split4_test_score" in default
    assert "split5_test_score" not in default


def test_one_standard_error_chooses_the_smallest_within():
    grid = {"n_components": range(1, 7)}
    options = {"estimator": GaussianMixture(covariance_type="diag", random_state=0), "grid": grid}
    best, smallest = (choose("cv", one_standard_error=o, **options) for o in (False, True))
    table = best.cv_results_
    means, sizes = table["mean_test_score"], table["n_parameters"]
    floor = means.max() - table["standard_error"][np.argmax(means)]
    expected = min(range(6), key=lambda i: sizes[i] if means[i] >= floor else np.inf)
    assert smallest.best_index_ == expected
    assert smallest.best_index_ < best.best_index_
    np.testing.assert_array_equal(table["rank"], smallest.cv_results_["rank"])
    assert smallest.best_estimator_.n_components == smallest.best_params_["n_components"]


def test_table_as_a_frame():
    pytest.importorskip("pandas")
    grid = [{"n_components": [1, 2]}, {"covariance_type": ["tied"]}]
    selection = choose(grid=grid)
    frame = selection.to_frame()
    assert len(frame) == 3
    assert frame["param_n_components"].isna().tolist() == [False, False, True]
    assert frame["params"].tolist() == selection.cv_results_["params"]
    assert frame.loc[selection.best_index_, "rank"] == 1
    assert choose().to_frame()["param_n_components"].dtype == int


def test_a_weight_is_a_repetition():
    weight = np.random.default_rng(0).integers(0, 3, size=len(X))
    repeated = np.repeat(X, weight, axis=0)
    start = DiagonalGMM(
        weights_init=np.full(3, 1 / 3),
        means_init=X[[0, 50, 100]],
        precisions_init=np.ones((3, 4)),
        max_iter=20,
        tol=0.0,
    )
    grid = {"n_components": [3], "reg_covar": [1e-6, 1e-2]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted = choose(estimator=start, grid=grid, sample_weight=weight).cv_results_
        plain = choose(estimator=start, grid=grid, rows=repeated).cv_results_
    for name in ("aic", "bic", "icl", "log_likelihood"):
        np.testing.assert_allclose(weighted[name], plain[name], rtol=1e-10)


def test_weights_of_held_out_rows():
    weight = np.where(np.arange(len(X)) < 75, 2.0, 1.0)
    rows = np.arange(len(X))
    split = (rows[::2], rows[1::2])
    grid = {"n_components": [2]}
    selection = choose("cv", grid=grid, cv=[split], sample_weight=weight)
    fit = GaussianMixture(2, random_state=0).fit(X[split[0]], sample_weight=weight[split[0]])
    expected = np.average(fit.score_samples(X[split[1]]), weights=weight[split[1]])
    np.testing.assert_allclose(selection.best_score_, expected)
    assert np.isnan(selection.cv_results_["standard_error"]).all()


@pytest.mark.parametrize("routing", [False, True])
def test_pipeline_and_its_weights(routing):
    weight = 1.0 + np.arange(len(X)) % 2
    with config_context(enable_metadata_routing=routing):
        mixture, scaler = GaussianMixture(random_state=0), StandardScaler()
        if routing:
            mixture.set_fit_request(sample_weight=True)
            scaler.set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, mixture)
        grid = {"gaussianmixture__n_components": [1, 2]}
        selection = choose(estimator=pipeline, grid=grid, sample_weight=weight)
    Z = StandardScaler().fit_transform(X)
    fit = GaussianMixture(2, random_state=0).fit(Z, sample_weight=weight)
    expected = 2 * weight @ -fit.score_samples(Z) + fit.n_parameters * np.log(weight.sum())
    np.testing.assert_allclose(selection.best_score_, expected)
    assert selection.best_params_ == {"gaussianmixture__n_components": 2}
    assert selection.best_estimator_[-1].n_components == 2


def test_folds_of_a_categorical_mixture_may_lack_a_category():
    rows = [["a", "x"], ["b", "y"]] * 10 + [["c", "x"]]
    selection = choose(
        "cv", CategoricalMixture(alpha=1.0, random_state=0), {"n_components": [1, 2]}, rows
    )
    assert np.isfinite(selection.cv_results_["mean_test_score"]).all()
    assert selection.best_params_ == {"n_components": 2}
    assert selection.best_estimator_.categories == "auto"


def test_encoded_once_and_given_back():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "kind": pandas.Categorical(["b", "a", "b", None] * 10, categories=["b", "a", "c"]),
            "count": [0, 1, 0, 3] * 10,
        }
    )
    weight = np.r_[np.ones(38), 0, 2]
    selection = choose(
        estimator=CategoricalMixture(random_state=0),
        grid={"n_components": [2, 1]},
        rows=frame,
        sample_weight=weight,
    )
    best = selection.best_estimator_
    alone = CategoricalMixture(best.n_components, random_state=0).fit(frame, sample_weight=weight)
    assert best.get_params() == alone.get_params()
    assert vars(best).keys() == vars(alone).keys()
    assert [known.tolist() for known in best.categories_] == [["b", "a", "c"], [0, 1, 3]]
    np.testing.assert_array_equal(best.feature_names_in_, ["kind", "count"])
    np.testing.assert_array_equal(best.predict_proba(frame), alone.predict_proba(frame))
    given = choose(
        estimator=CategoricalMixture(random_state=0),
        grid={"n_components": [1, 2], "categories": [[["b", "a", "c"], [0, 1, 2, 3]]]},
        rows=frame,
    )
    assert len(given.best_estimator_.categories_[0]) == 3


def test_names_of_features_are_those_given():
    frame = load_iris(as_frame=True).data
    best = choose(rows=frame).best_estimator_
    np.testing.assert_array_equal(best.feature_names_in_, frame.columns)
    np.testing.assert_array_equal(best.predict(frame), choose().best_estimator_.predict(X))


def test_rows_with_missing_cells():
    rows = X.copy()
    rows[::7, 1] = np.nan
    selection = choose(rows=rows, grid={"n_components": [1, 2, 3]})
    fit = GaussianMixture(2, random_state=0).fit(rows)
    np.testing.assert_allclose(selection.cv_results_["bic"][1], fit.bic(rows))
    infinite = np.where(np.arange(4) == 0, np.inf, X)
    with pytest.raises(ValueError, match="infinity"):
        choose(rows=infinite)


def test_cv_takes_any_density():
    grid = {"bandwidth": [0.1, 0.5, 5.0]}
    cv = LeaveOneOut()
    selection = choose("cv", KernelDensity(), grid, rows=X[::5], cv=cv)
    assert (
        selection.best_params_
        == GridSearchCV(KernelDensity(), grid, cv=cv).fit(X[::5]).best_params_
    )
    assert np.isnan(selection.cv_results_["bic"]).all()
    density = TransformedDensity(StandardScaler(), GaussianMixture(random_state=0))
    assert choose("cv", density, {"density__n_components": [1, 2]}).best_index_ == 1


def test_scikit_learns_mixtures_have_criteria_too():
    theirs = choose(estimator=sklearn.mixture.GaussianMixture(random_state=0))
    fit = sklearn.mixture.GaussianMixture(random_state=0, **theirs.best_params_).fit(X)
    np.testing.assert_allclose(theirs.best_score_, fit.bic(X))


def test_processes_change_nothing():
    alone, together = (choose("cv", cv=2, n_jobs=n).cv_results_ for n in (1, 2))
    for name in ("mean_test_score", "bic", "n_iter"):
        np.testing.assert_array_equal(alone[name], together[name])


def test_estimator_is_not_fitted():
    mixture = GaussianMixture(random_state=0)
    choose(estimator=mixture)
    assert not hasattr(mixture, "weights_")
    assert mixture.n_components == 1


def test_repr_says_what_was_chosen():
    text = repr(choose())
    assert "'n_components': 2" in text
    assert "bic=574.0" in text
    assert "6 candidates" in text


# Fits that start from a neighbour.


def two_lines(n_samples=150, seed=0):
    """Three groups, of which a start with two seeds in one group finds only two."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(m, 1.0, (n_samples, 2)) for m in (0.0, 8.0, 30.0)])


class BadStarts(GaussianMixture):
    """A mixture whose own starts end where they begin."""

    def fit(self, X, y=None, sample_weight=None):
        if self.n_components == 3 and self.means_init is None:
            poor = GaussianMixture(
                3,
                covariance_type=self.covariance_type,
                max_iter=0,
                weights_init=[0.2, 0.2, 0.6],
                means_init=[[0.0, 0.0], [1.0, 1.0], [60.0, 60.0]],
                random_state=0,
            ).fit(X, sample_weight=sample_weight)
            learned = {name: value for name, value in vars(poor).items() if name.endswith("_")}
            vars(self).update(learned, lower_bound_=poor.score(X))
            return self
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
def test_poor_fits_are_repeated_from_fewer_components(covariance_type):
    rows = two_lines()
    mixture = BadStarts(covariance_type=covariance_type, random_state=0)
    cold = BadStarts(3, covariance_type=covariance_type, random_state=0).fit(rows)
    selection = choose(estimator=mixture, grid={"n_components": [1, 2, 3]}, rows=rows)
    good = GaussianMixture(3, covariance_type=covariance_type, n_init=5, random_state=0).fit(rows)
    assert np.all(np.diff(selection.cv_results_["log_likelihood"]) > 0)
    assert cold.score(rows) < good.score(rows) - 0.1
    best = selection.best_estimator_
    np.testing.assert_allclose(best.score(rows), good.score(rows), atol=2e-3)
    assert best.n_components == 3
    assert best.means_init is None
    assert best.weights_init is None
    assert best.precisions_init is None


def test_a_chain_never_falls():
    grid = {"n_components": [1, 2, 4, 9], "covariance_type": ["full", "tied", "diag", "spherical"]}
    mixture = GaussianMixture(reg_covar=1e-2, init_params="random_from_data", random_state=0)
    found = choose(estimator=mixture, grid=grid).cv_results_
    cold = [clone(mixture).set_params(**point).fit(X).score(X) for point in found["params"]]
    likelihoods = found["log_likelihood"].reshape(4, 4)
    assert np.all(likelihoods >= 150 * np.reshape(cold, (4, 4)) - 1e-6)
    assert np.all(np.diff(likelihoods, axis=1) > 0)


def test_neighbours_differ_in_the_number_of_components_only():
    points = [
        {"n_components": 4, "covariance_type": "full"},
        {"n_components": 1, "covariance_type": "full"},
        {"n_components": 2, "covariance_type": "diag"},
        {"n_components": 3, "covariance_type": "full"},
        {"covariance_type": "full"},
    ]
    assert neighbours.chains(points) == [[1, 3, 0], [2]]


def test_a_split_keeps_the_first_two_moments():
    fit = GaussianMixture(2, random_state=0).fit(X)
    family, params = family_in_units(fit)
    halves = family.split(params, 0, X.var(axis=0), 0.7)
    for mixture in (params, halves):
        mean = mixture.weights @ mixture.means
        centred = mixture.means - mean
        total = np.einsum("k,kij->ij", mixture.weights, family.covariances(mixture))
        total += (mixture.weights[:, None] * centred).T @ centred
        np.testing.assert_allclose(mean, fit.weights_ @ fit.means_, rtol=1e-12)
        if mixture is params:
            expected = total
    assert len(halves.weights) == 3
    np.testing.assert_allclose(total, expected, rtol=1e-12)


def test_a_spike_does_not_spread_to_neighbours():
    rows = np.concatenate([X, np.repeat(X[:1], 20, axis=0)])
    mixture = GaussianMixture(2, means_init=[X[0], X.mean(axis=0)], reg_covar=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.set_params(precisions_init=np.array([np.eye(4) * 1e6, np.eye(4)]))
        spiky = mixture.fit(rows)
    plain = GaussianMixture(3, random_state=0, reg_covar=1e-6).fit(X)
    assert neighbours.has_spike(spiky, rows, None)
    assert not neighbours.has_spike(plain, rows, None)
    assert not neighbours.comparable(plain, spiky, rows)
    assert neighbours.comparable(plain, GaussianMixture(2, random_state=0).fit(X), rows)


@pytest.mark.parametrize("seed", range(3))
def test_a_degenerate_candidate_never_wins(seed):
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(45.0, 15.0, size=400), rng.poisson(1.2, size=400)])
    grid = {"n_components": [1, 2, 3, 4], "covariance_type": ["full", "diag"]}
    with pytest.warns(DegenerateComponentWarning, match="rank behind all others although degene"):
        selection = choose(rows=rows, grid=grid)
    table = selection.to_frame()
    chosen = table.iloc[selection.best_index_]
    assert not chosen["degenerate"] and chosen["rank"] == 1
    assert chosen["bic"] > table["bic"].min() + 1000
    plain = table[~table["degenerate"]]
    assert chosen["bic"] == plain["bic"].min()
    assert table[table["degenerate"]]["rank"].min() == len(plain) + 1


def test_where_all_candidates_are_degenerate_the_best_wins_and_warns():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(45.0, 15.0, size=400), rng.integers(3, size=400)])
    with pytest.warns(DegenerateComponentWarning, match="won although degenerate"):
        selection = choose(rows=rows, grid={"n_components": [3, 4]})
    assert selection.cv_results_["degenerate"].all()
    assert selection.best_index_ == int(np.argmin(selection.cv_results_["bic"]))


def test_a_selection_answers_as_its_choice_does():
    selection = choose()
    best = selection.best_estimator_
    for name in ("predict", "predict_proba", "score_samples"):
        np.testing.assert_array_equal(getattr(selection, name)(X), getattr(best, name)(X))


def test_notebooks_show_candidates_in_the_order_of_rank():
    grid = {"n_components": [1], "reg_covar": [1e-3 * (i + 1) for i in range(25)]}
    selection = choose(grid=grid)
    shown = selection._repr_html_()
    assert shown.count("<tr>") == 21 and "and 5 more candidates" in shown
    first = shown.index(str(selection.best_params_).replace("'", "&#x27;"), shown.index("<table>"))
    assert first < 400 + shown.index("<table>")


# Bad input.


def test_only_the_chosen_mixture_warns():
    rows = np.concatenate([X, np.repeat(X[:1] + 100.0, 60, axis=0)])
    with pytest.warns(DegenerateComponentWarning) as caught:
        selection = choose(rows=rows, grid={"n_components": [1, 2, 3, 4]})
    assert len(caught) == 1
    assert "stands in for it" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert selection.best_params_["n_components"] > 1
    unfinished = GaussianMixture(max_iter=2, tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 iterations") as caught:
        choose(estimator=unfinished, grid={"n_components": [2, 3]})
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slow = GaussianMixture(init_params="kmeans", random_state=0)
        selection = choose(estimator=slow, grid={"n_components": [2, 3], "max_iter": [1, 100]})
    assert selection.cv_results_["converged"].tolist() == [False, False, True, True]


def test_too_many_components_rank_last_with_a_warning():
    grid = {"n_components": [200, 2, 1]}
    with pytest.warns(FitFailedWarning, match=r"1 of 3 .*\n.*200.*n_samples = 150.*at most as m"):
        selection = choose(grid=grid)
    np.testing.assert_array_equal(selection.cv_results_["rank"], [3, 1, 2])
    assert np.isnan(selection.cv_results_["bic"][0])
    with pytest.warns(FitFailedWarning, match="1 of 2"):
        held_out = choose("cv", grid={"n_components": [140, 2]}, cv=3)
    assert held_out.best_index_ == 1
    assert np.isnan(held_out.cv_results_["mean_test_score"][0])
    assert held_out.cv_results_["rank"].tolist() == [2, 1]


def test_all_candidates_failed():
    with pytest.raises(ValueError, match=r"All 2 candidates.*n_components = 200"):
        choose(grid={"n_components": [200, 300]})


@pytest.mark.parametrize("grid", [{}, [], [{}]])
def test_empty_grid(grid):
    with pytest.raises(ValueError, match=r"param_grid=.* nothing to choose from"):
        choose(grid=grid)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"n_components": []}, "n_components.*non-empty"),
        ({"n_clusters": [1, 2]}, "Invalid parameter 'n_clusters'.*n_components"),
        ([1, 2], "param_grid|grid"),
    ],
)
def test_bad_grid(grid, message):
    with pytest.raises((ValueError, TypeError), match=message):
        choose(grid=grid)


def test_invalid_values_in_the_grid_fail():
    with pytest.raises(ValueError, match="'n_components' parameter"):
        choose(grid={"n_components": [0]})


def test_unknown_criterion():
    with pytest.raises(ValueError, match=r"'criterion' parameter .*'bic'.*Got 'mdl'"):
        choose("mdl")


def test_options_of_cv_need_cv():
    with pytest.raises(ValueError, match=r"one_standard_error=True has no effect.*criterion='cv'"):
        choose("bic", one_standard_error=True)
    with pytest.raises(ValueError, match="cv=3 has no effect"):
        choose("bic", cv=3)


def test_estimators_without_the_criterion():
    with pytest.raises(TypeError, match=r"criterion='bic' needs a mixture.*criterion='cv'"):
        choose(estimator=LinearRegression(), grid={"fit_intercept": [True]})
    with pytest.raises(TypeError, match="'icl'"):
        choose("icl", estimator=sklearn.mixture.GaussianMixture())
    with pytest.raises(ValueError, match=r"one_standard_error=True compares.*parameters"):
        choose("cv", KernelDensity(), {"bandwidth": [0.5, 1.0]}, one_standard_error=True)


def test_bad_weights():
    with pytest.raises(ValueError, match="sample_weight"):
        choose(sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="zero for"):
        choose(sample_weight=np.zeros(len(X)))


def test_grids_that_transform_rows_differently_are_refused():
    behind = Pipeline([("pca", PCA()), ("mixture", GaussianMixture(random_state=0))])
    grid = {"pca__n_components": [1, 2], "mixture__n_components": [1, 2]}
    with pytest.raises(ValueError, match=r"'pca__n_components'.*TransformedDensity"):
        select_mixture(behind, X, grid)
    with pytest.raises(ValueError, match=r"'pca'.*do not compare"):
        select_mixture(behind, X, {"pca": [PCA(1), PCA(2)]}, criterion="cv")
    alike = select_mixture(behind, X, {"mixture__n_components": [1, 2]})
    assert alike.best_params_ == {"mixture__n_components": 2}


@pytest.mark.parametrize("score", [neg_aic_score, neg_bic_score, neg_icl_score])
def test_criteria_of_other_rows_than_those_of_the_fit_warn(score):
    mixture = GaussianMixture(2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        score(mixture.fit(X), X)
    with pytest.warns(UserWarning, match=r"other rows than those of the fit.*cv=\[\(rows, rows\)"):
        score(mixture.fit(X[::2]), X[1::2])


def test_criteria_of_transformed_densities_are_refused():
    density = TransformedDensity(StandardScaler(), GaussianMixture()).fit(X)
    with pytest.raises(TypeError, match=r"counts the parameters of a mixture.*Leave out"):
        neg_bic_score(density, X)
