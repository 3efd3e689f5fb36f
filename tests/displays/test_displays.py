"""Pictures: what they show is read back from the axes."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.mixture
from scipy.stats import multivariate_normal, norm
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_html_repr

from skmix import (
    CategoricalMixture,
    ComponentsDisplay,
    ConvergenceDisplay,
    DiagonalGMM,
    GaussianMixture,
    GMMRegressor,
    MergingDisplay,
    MixedMixture,
    ProfileDisplay,
    SelectionDisplay,
    merge_components,
    select_mixture,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

IRIS = load_iris(as_frame=True).data
X = IRIS.to_numpy()
TYPES = ("full", "tied", "diag", "spherical")


quiet = pytest.mark.filterwarnings("ignore::skmix.exceptions.DegenerateComponentWarning")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_import_loads_no_plotting_library():
    code = "import sys, skmix; print('matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


# Selections.


@pytest.fixture(scope="module")
def selection():
    grid = {"n_components": [3, 1, 2], "covariance_type": ["full", "diag"]}
    return select_mixture(GaussianMixture(random_state=0), X, grid, criterion="cv", cv=3)


@pytest.mark.parametrize("criterion", ["bic", "icl", "aic", "log_likelihood"])
def test_selection_draws_a_line_per_covariance_type(selection, criterion):
    display = SelectionDisplay.from_selection(selection, criterion=criterion)
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel() == "n_components"
    assert [tick for tick in display.ax_.get_xticks()] == [1, 2, 3]
    table = selection.cv_results_
    assert [bars.get_label() for bars in display.bars_] == ["full", "diag"]
    for bars, kind in zip(display.bars_, ["full", "diag"], strict=True):
        line = bars.lines[0]
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        drawn = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for i, point in enumerate(table["params"]):
            if point["covariance_type"] == kind:
                assert drawn[point["n_components"]] == table[criterion][i]
        assert not bars.has_yerr


def test_selection_draws_standard_errors_and_the_choice(selection):
    display = SelectionDisplay.from_selection(selection)
    table = selection.cv_results_
    assert "higher is better" in display.ax_.get_ylabel()
    bars = display.bars_[0]
    segments = bars.lines[2][0].get_segments()
    heights = {round(segment[0, 0]): np.ptp(segment[:, 1]) for segment in segments}
    for i, point in enumerate(table["params"]):
        if point["covariance_type"] == "full":
            expected = 2 * table["standard_error"][i]
            np.testing.assert_allclose(heights[point["n_components"]], expected)
    best = selection.best_params_
    np.testing.assert_allclose(display.chosen_.get_xdata(), best["n_components"], atol=0.05)
    assert display.chosen_.get_ydata() == [selection.best_score_]
    assert f"n_components={best['n_components']}" in legend(display.ax_)[-1]


def test_selection_of_a_grid_search_and_of_failed_candidates():
    grid = {"gaussianmixture__n_components": [1, 2, 149]}
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(random_state=0))
    search = GridSearchCV(pipeline, grid, cv=3, error_score=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X[np.random.default_rng(0).permutation(len(X))])
    display = SelectionDisplay.from_selection(search)
    (bars,) = display.bars_
    np.testing.assert_array_equal(bars.lines[0].get_xdata(), [1, 2])
    assert bars.has_yerr
    assert display.x == "gaussianmixture__n_components"
    assert display.ax_.get_xlabel() == "n_components"


def test_selection_over_other_parameters():
    grid = {"covariance_type": ["full", "tied"], "reg_covar": [1e-6, 1e-2]}
    mixture = GaussianMixture(2, random_state=0)
    _, ax = plt.subplots()
    display = SelectionDisplay.from_estimator(mixture, X, grid, x="covariance_type", ax=ax)
    assert display.ax_ is ax
    assert [text.get_text() for text in ax.get_xticklabels()] == ["full", "tied"]
    assert legend(ax)[:2] == ["reg_covar=1e-06", "reg_covar=0.01"]
    by_value = SelectionDisplay.from_estimator(mixture, X, {"reg_covar": [1e-6, 1e-2]})
    assert legend(by_value.ax_)[0] == "BIC"
    assert not hasattr(mixture, "weights_")


def test_selection_display_names_what_is_wrong(selection):
    with pytest.raises(TypeError, match="selection must be what select_mixture returns"):
        SelectionDisplay.from_selection(GaussianMixture())
    with pytest.raises(ValueError, match="criterion='mdl' is not in the table"):
        SelectionDisplay.from_selection(selection, criterion="mdl")
    with pytest.raises(ValueError, match=r"x='K' is no parameter.*n_components"):
        SelectionDisplay.from_selection(selection, x="K")
    two = {"params": [{}], "param_a__n_components": [1], "param_b__n_components": [1], "bic": [0]}
    with pytest.raises(ValueError, match=r"x=None is ambiguous.*a__n_components"):
        SelectionDisplay(two, criterion="bic", best_index=0)


# Components.


@pytest.mark.parametrize("covariance_type", TYPES)
@quiet
def test_images_of_means_and_covariances(covariance_type):
    D = load_digits().data
    mixture = GaussianMixture(
        3, covariance_type=covariance_type, reg_covar=0.5, max_iter=5, tol=0.5, random_state=0
    ).fit(D)
    order = np.argsort(mixture.weights_)
    display = ComponentsDisplay.from_estimator(mixture, image_shape=(8, 8), components=order)
    assert display.axes_.shape == (2, 3)
    for axes, cmap in zip(display.axes_, ["gray", "viridis"], strict=True):
        images = [ax.images[0] for ax in axes]
        assert {image.get_cmap().name for image in images} == {cmap}
        assert len({image.get_clim() for image in images}) == 1
    for k, top, bottom in zip(order, *display.axes_, strict=True):
        for ax in (top, bottom):
            assert f"{k}\nweight {mixture.weights_[k]:.3g}" in ax.get_title()
        np.testing.assert_array_equal(top.images[0].get_array(), mixture.means_[k].reshape(8, 8))
        expected = {
            "full": lambda k: mixture.covariances_[k],
            "tied": lambda k: mixture.covariances_,
            "diag": lambda k: mixture.covariances_[k].reshape(8, 8),
            "spherical": lambda k: np.full((8, 8), mixture.covariances_[k]),
        }[covariance_type](k)
        np.testing.assert_array_equal(bottom.images[0].get_array(), expected)


def test_many_images_take_several_rows_within_given_axes():
    rng = np.random.default_rng(0)
    mixture = DiagonalGMM.from_parameters(
        np.full(12, 1 / 12), rng.random((12, 6)), rng.random((12, 6))
    )
    figure, (ax, _) = plt.subplots(1, 2)
    display = ComponentsDisplay.from_estimator(mixture, image_shape=(2, 3), ax=ax)
    assert display.figure_ is figure
    assert display.axes_.shape == (2, 12)
    titles = [one.get_title().split("\n")[0] for one in display.axes_[1]]
    assert titles == [f"variances {k}" for k in range(12)]
    np.testing.assert_array_equal(
        display.axes_[0, 11].images[0].get_array(), mixture.means_[11].reshape(2, 3)
    )


@pytest.mark.parametrize("covariance_type", TYPES)
def test_ellipses_contain_their_share(covariance_type):
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(IRIS)
    features = ["petal width (cm)", "sepal width (cm)"]
    display = ComponentsDisplay.from_estimator(mixture, IRIS, features=features, coverage=(0.9,))
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == tuple(features)
    marginal = mixture.marginal(features)
    ellipses = display.ax_.patches
    assert len(ellipses) == 2
    rng = np.random.default_rng(0)
    for k, ellipse in enumerate(ellipses):
        covariance = {
            "full": lambda k: marginal.covariances_[k],
            "tied": lambda k: marginal.covariances_,
            "diag": lambda k: np.diag(marginal.covariances_[k]),
            "spherical": lambda k: marginal.covariances_[k] * np.eye(2),
        }[covariance_type](k)
        draws = rng.multivariate_normal(marginal.means_[k], covariance, size=20_000)
        inside = ellipse.get_path().contains_points(
            ellipse.get_patch_transform().inverted().transform(draws)
        )
        assert abs(inside.mean() - 0.9) < 0.012  # five standard deviations
        # Its outline is a contour of the density.
        outline = ellipse.get_patch_transform().transform(ellipse.get_path().vertices[::3])
        density = multivariate_normal.logpdf(outline, marginal.means_[k], covariance)
        np.testing.assert_allclose(density, density[0], atol=0.01)
    labels = mixture.predict(IRIS)
    of_first, of_second = display.ax_.lines[:2]
    for k, rows in enumerate([of_first, of_second]):
        np.testing.assert_array_equal(rows.get_xydata(), X[labels == k][:, [3, 1]])
        assert rows.get_color() == display.ax_.lines[2 + k].get_color()
    assert f"weight {mixture.weights_[1]:.3g}" in legend(display.ax_)[1]


def test_curves_of_one_feature():
    mixture = GaussianMixture(2, random_state=0).fit(X[:, [2]])
    display = ComponentsDisplay.from_estimator(mixture, X[:, [2]])
    assert display.kind == "curves"
    first, _, total = display.ax_.lines
    x = first.get_xdata()
    deviation = np.sqrt(mixture.covariances_[0, 0, 0])
    expected = mixture.weights_[0] * norm.pdf(x, mixture.means_[0, 0], deviation)
    np.testing.assert_allclose(first.get_ydata(), expected)
    np.testing.assert_allclose(
        total.get_ydata(), np.exp(mixture.score_samples(x[:, None])), atol=1e-12
    )
    wide = GaussianMixture(2, random_state=0).fit(X)
    assert ComponentsDisplay.from_estimator(wide, features=[1]).kind == "curves"


def test_components_within_other_estimators():
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)).fit(X)
    display = ComponentsDisplay.from_estimator(pipeline, X)
    np.testing.assert_allclose(display.rows, pipeline[0].transform(X)[:, :2])
    regressor = GMMRegressor(2, random_state=0).fit(X[:, :2], X[:, 2])
    assert len(ComponentsDisplay.from_estimator(regressor).weights) == 2
    theirs = sklearn.mixture.GaussianMixture(2, random_state=0).fit(X)
    np.testing.assert_array_equal(
        ComponentsDisplay.from_estimator(theirs).means, theirs.means_[:, :2]
    )


def test_rows_of_components_that_are_not_drawn_are_gray():
    mixture = GaussianMixture(3, random_state=0).fit(X)
    display = ComponentsDisplay.from_estimator(mixture, X, components=[2, 0])
    labels = mixture.predict(X)
    np.testing.assert_array_equal(display.row_labels, np.array([1, -1, 0])[labels])
    gray, first, _ = display.ax_.lines[:3]
    np.testing.assert_array_equal(gray.get_xydata(), X[labels == 1][:, :2])
    np.testing.assert_array_equal(first.get_xydata(), X[labels == 2][:, :2])
    plain = ComponentsDisplay(
        display.weights, display.means, display.covariances, kind="ellipses", rows=X[:, :2]
    ).plot()
    np.testing.assert_array_equal(plain.ax_.lines[0].get_xydata(), X[:, :2])


def test_names_of_what_steps_before_the_mixture_make():
    mixture = GaussianMixture(2, random_state=0)
    behind_pca = make_pipeline(StandardScaler(), PCA(3), mixture).fit(IRIS)
    assert ComponentsDisplay.from_estimator(behind_pca, IRIS).feature_names == ["pca0", "pca1"]
    scaled = make_pipeline(StandardScaler(), mixture).fit(IRIS)
    assert ComponentsDisplay.from_estimator(scaled).feature_names == list(IRIS.columns[:2])
    nameless = make_pipeline(FunctionTransformer(np.log1p), mixture).fit(X)
    assert ComponentsDisplay.from_estimator(nameless).feature_names == ["feature 0", "feature 1"]


def test_components_without_weight_are_left_out():
    mixture = GaussianMixture.from_parameters([0.5, 0.0, 0.5], np.zeros((3, 2)), [np.eye(2)] * 3)
    assert ComponentsDisplay.from_estimator(mixture).labels == [0, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "pie"}, "kind='pie' is unknown.*'ellipses'"),
        ({"image_shape": (3, 3)}, r"image_shape=\(3, 3\) does not hold the 4 features"),
        ({"image_shape": (2, 2, 1)}, "height and width"),
        ({"features": [0, 1, 2]}, "kind='ellipses' shows 2 feature.*has 3"),
        ({"features": [0, 4]}, "n_features=4"),
        ({"components": [2]}, r"components=\[2\] must be .* from 0 to 1"),
        ({"components": []}, r"components=\[\] must be"),
    ],
)
def test_components_display_names_what_is_wrong(options, message):
    mixture = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match=message):
        ComponentsDisplay.from_estimator(mixture, **options)


def test_components_of_what_has_none():
    with pytest.raises(TypeError, match="ComponentsDisplay needs a fitted mixture"):
        ComponentsDisplay.from_estimator(LinearRegression().fit(X, X[:, 0]))
    with pytest.raises(TypeError, match="'covariances_'"):
        ComponentsDisplay.from_estimator(CategoricalMixture().fit([[0], [1]]))
    with pytest.raises(ValueError, match="not fitted"):
        ComponentsDisplay.from_estimator(GaussianMixture())


def customers():
    rng = np.random.default_rng(0)
    age = np.append(rng.normal(30.0, 5.0, 60), rng.normal(60.0, 5.0, 60))
    table = pd.DataFrame(
        {
            "channel": np.where(age < 45, "web", "shop"),
            "age": age,
            "visits": rng.poisson(age / 10),
            "spent": pd.array(np.rint(10 * age), dtype="Int64"),
        }
    )
    table.loc[::9, "spent"] = pd.NA
    return table


def test_ellipses_of_the_numbers_in_a_table():
    table = customers()
    mixture = MixedMixture(2, families={"visits": "poisson"}, random_state=0).fit(table)
    display = ComponentsDisplay.from_estimator(mixture, table)
    assert display.feature_names == ["age", "spent"]
    np.testing.assert_array_equal(display.means, mixture.means_)
    np.testing.assert_array_equal(display.covariances, mixture.covariances_)
    expected = table[["age", "spent"]].to_numpy(dtype=float, na_value=np.nan)
    np.testing.assert_array_equal(display.rows, expected)
    curves = ComponentsDisplay.from_estimator(mixture, table, features=["spent"])
    assert curves.kind == "curves" and curves.feature_names == ["spent"]
    np.testing.assert_array_equal(curves.means, mixture.means_[:, 1:])
    np.testing.assert_array_equal(curves.rows, expected[:, 1:])
    by_place = ComponentsDisplay.from_estimator(mixture, features=[3, 1])
    np.testing.assert_array_equal(by_place.means, mixture.means_[:, [1, 0]])


def test_columns_that_are_no_numbers_are_not_drawn():
    mixture = MixedMixture(2, families={"visits": "poisson"}, random_state=0).fit(customers())
    with pytest.raises(ValueError, match=r"column 2 is 'poisson'.*columns \[1, 3\]"):
        ComponentsDisplay.from_estimator(mixture, features=["age", "visits"])
    without = MixedMixture().fit(customers()[["channel"]])
    with pytest.raises(ValueError, match="was fitted to none"):
        ComponentsDisplay.from_estimator(without)


def test_rows_with_missing_integers_are_drawn():
    table = customers()[["age", "spent"]]
    display = ComponentsDisplay.from_estimator(GaussianMixture().fit(table), table)
    assert np.isnan(display.rows[:, 1]).sum() == table["spent"].isna().sum()


# Convergence.


def test_convergence_of_a_fit():
    mixture = GaussianMixture(3, random_state=0).fit(X)
    display = ConvergenceDisplay.from_estimator(make_pipeline(mixture))
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), mixture.lower_bounds_)
    np.testing.assert_array_equal(line.get_xdata(), np.arange(1, mixture.n_iter_ + 1))
    assert "nats" in display.ax_.get_ylabel()
    assert display.ax_.get_legend() is None


@quiet
def test_convergence_of_restarts_marks_the_best_and_the_unfinished():
    start = GaussianMixture(4, init_params="random_from_data", tol=1e-6, max_iter=60, n_init=3)
    with pytest.warns(UserWarning, match="did not converge"):
        display = ConvergenceDisplay.from_restarts(start, X, n_restarts=8, random_state=0)
    assert len(display.lines_) == 8
    ends = [line.get_ydata()[-1] for line in display.lines_]
    assert display.best == np.argmax(ends)
    assert not all(display.converged)
    assert legend(display.ax_) == ["the others", "best of 8 restarts", "stopped at max_iter"]
    for line, converged in zip(display.lines_, display.converged, strict=True):
        assert line.get_marker() == ("o" if converged else "x")
    # The first iterations of these starts are thousands of nats below the others.
    bottom, top = display.ax_.get_ylim()
    assert bottom < min(ends) < max(ends) < top < bottom + 10
    again = ConvergenceDisplay.from_restarts(
        start.set_params(max_iter=2000), X, n_restarts=1, random_state=0
    )
    np.testing.assert_array_equal(again.lower_bounds[0][:2], display.lower_bounds[0][:2])


def test_convergence_display_names_what_is_wrong():
    given = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    with pytest.raises(ValueError, match="has seen no iterations"):
        ConvergenceDisplay.from_estimator(given)
    with pytest.raises(ValueError, match="n_restarts=0 must be at least 1"):
        ConvergenceDisplay.from_restarts(given, X, n_restarts=0)
    with pytest.raises(TypeError, match="'lower_bounds_'"):
        ConvergenceDisplay.from_estimator(LinearRegression().fit(X, X[:, 0]))


# HTML.


def test_html_shows_facts_of_the_fit():
    mixture = GaussianMixture(3, random_state=0)
    assert "nats per row" not in estimator_html_repr(mixture)
    pipeline = make_pipeline(StandardScaler(), mixture).fit(X)
    fact = f"converged after {mixture.n_iter_} iterations, "
    fact += f"log-likelihood {mixture.lower_bound_:.6g} nats per row"
    assert f">{fact}<" in estimator_html_repr(mixture)
    assert f">{fact}<" in estimator_html_repr(pipeline)
    assert f">{fact}<" in mixture._repr_html_()
    unfinished = GaussianMixture(3, tol=0.0, max_iter=2, random_state=0)
    with pytest.warns(UserWarning, match="did not converge"):
        unfinished.fit(X)
    assert ">not converged after 2 iterations" in estimator_html_repr(unfinished)
    classes = CategoricalMixture(2, random_state=0).fit(np.round(X))
    assert "nats per row" in estimator_html_repr(classes)
    given = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    assert ">given parameters<" in estimator_html_repr(given)


def test_selection_names_parameters_of_one_name_by_their_steps():
    table = {
        "param_pca__n_components": [2, 2, 3, 3],
        "param_mixture__n_components": [1, 2, 1, 2],
        "params": [
            {"pca__n_components": p, "mixture__n_components": k} for p in (2, 3) for k in (1, 2)
        ],
        "mean_test_score": [0.0, 1.0, 2.0, 3.0],
        "split0_test_score": [0.0, 1.0, 2.0, 3.0],
        "split1_test_score": [0.2, 1.2, 2.2, 3.2],
    }
    display = SelectionDisplay(table, criterion="cv", best_index=3, x="mixture__n_components")
    display.plot()
    labels = [bars.get_label() for bars in display.bars_]
    assert labels == ["pca__n_components=2", "pca__n_components=3"]
    assert display.ax_.get_xlabel() == "mixture__n_components"
    first, second = (bars[0].get_xdata() for bars in display.bars_)
    np.testing.assert_allclose(second - first, 0.06)  # bars do not hide each other
    plt.close("all")


def test_selection_draws_differences_and_leaves_degenerate_candidates_out():
    table = {
        "param_n_components": [1, 2, 3, 4],
        "params": [{"n_components": k} for k in (1, 2, 3, 4)],
        "bic": [30.0, 20.0, 5000.0, -9000.0],
        "degenerate": [False, False, False, True],
    }
    display = SelectionDisplay(table, criterion="bic", best_index=1).plot(difference=True)
    np.testing.assert_array_equal(display.bars_[0][0].get_ydata(), [10.0, 0.0, 4980.0])
    assert display.ax_.get_yscale() == "symlog"
    assert display.ax_.get_ylabel().endswith("less that of the choice")
    plt.close("all")


def test_profiles_are_probabilities_with_their_errors():
    rng = np.random.default_rng(0)
    member = rng.random(300) < 0.4
    chances = np.where(member[:, None], [0.9, 0.8, 0.2], [0.2, 0.3, 0.7])
    X = (rng.random((300, 3)) < chances).astype(int)
    X[:, 2] += rng.integers(2, size=300)  # three categories
    mixture = CategoricalMixture(2, random_state=0).fit(X)
    display = ProfileDisplay.from_estimator(mixture, X)
    assert display.names == ["column 0: 1", "column 1: 1", "column 2: 1", "column 2: 2"]
    errors = mixture.standard_errors(X).probabilities
    for k, bars in enumerate(display.bars_):
        line, _, (segments,) = bars.lines
        expected = np.concatenate([table[k, 1:] for table in mixture.probabilities_])
        np.testing.assert_array_equal(line.get_ydata(), expected)
        heights = [np.ptp(segment[:, 1]) for segment in segments.get_segments()]
        np.testing.assert_allclose(heights, 2 * np.concatenate([e[k, 1:] for e in errors]))
    with pytest.raises(TypeError, match="with the attribute 'probabilities_'"):
        ProfileDisplay.from_estimator(GaussianMixture().fit(load_iris().data))


# Mergers.


def test_merging_draws_the_entropy_and_the_suggestion():
    mixture = GaussianMixture(5, covariance_type="diag", random_state=0).fit(X)
    merging = merge_components(mixture, X)
    display = MergingDisplay.from_merging(merging)
    assert display.figure_ is display.ax_.figure
    np.testing.assert_array_equal(display.line_.get_xdata(), [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(display.line_.get_ydata(), merging.entropies)
    assert display.suggested_.get_xdata()[0] == merging.n_clusters
    assert f"suggested: {merging.n_clusters} clusters" in legend(display.ax_)
    left, right = display.fits_
    assert left.get_xdata()[1] == right.get_xdata()[0]  # where they meet
    other = MergingDisplay.from_estimator(mixture, X, x="merged_rows", color="red")
    rows = other.line_.get_xdata()
    assert other.line_.get_color() == "red" and rows[-1] == 0 and np.all(np.diff(rows) < 0)
    assert rows[-2] == pytest.approx(merging.merged_rows[-2])
    assert [text.get_text() for text in other.ax_.texts] == ["1", "2", "3", "4", "5"]
    heavy = MergingDisplay.from_estimator(mixture, X, sample_weight=np.full(150, 2.0))
    np.testing.assert_allclose(heavy.line_.get_ydata(), 2 * merging.entropies)


def test_merging_of_few_components_and_what_is_refused():
    one = MergingDisplay.from_estimator(GaussianMixture().fit(X), X)
    assert one.fits_ == [] and legend(one.ax_) == ["entropy", "suggested: 1 cluster"]
    with pytest.raises(TypeError, match="merging must be what merge_components returns"):
        MergingDisplay.from_merging(GaussianMixture().fit(X))
    with pytest.raises(ValueError, match="x must be one of"):
        MergingDisplay(one.merging, x="clusters")
