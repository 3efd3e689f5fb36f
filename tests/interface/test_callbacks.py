"""scikit-learn's callbacks hear of every iteration and may stop a fit."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skmix import DiagonalGMM, GaussianMixture, GMMBayesClassifier
from skmix._engine import em

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The estimator PCA does not support callbacks",
)
MIXTURES = [
    pytest.param(cls, options, id=f"{cls.__name__}-{options.get('covariance_type', '')}")
    for cls, options in [
        *((GaussianMixture, {"covariance_type": c}) for c in ("full", "tied", "spherical")),
        (DiagonalGMM, {}),
    ]
]


def overlapping(n_samples=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n_samples)
    centres = np.array([[0.0, 0.0, 0.0], [1.5, 1.0, 0.0], [0.0, 2.0, 1.0]])
    return centres[y] + rng.standard_normal((n_samples, 3)), y


class Silent:
    """Asks for nothing."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


class Recorder(Silent):
    """Writes down every task and the score of the fitted estimator it is shown."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name, None))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name, None))

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.record("begin", context, X, y, metadata, fitted_estimator)

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.record("end", context, X, y, metadata, fitted_estimator)

    def record(self, event, context, X, y, metadata, fitted_estimator):
        score = None if fitted_estimator is None else fitted_estimator.score(X)
        self.events.append((event, context.task_name, score))
        self.data = X, y, metadata
        self.context = context

    def names(self, event):
        return [name for happened, name, _ in self.events if happened == event]

    def scores(self, event, task_name):
        return [score for e, name, score in self.events if (e, name) == (event, task_name)]


class PropagatedRecorder(Recorder):
    """Follows the fit into sub-estimators."""

    max_propagation_depth = None

    def record(self, event, context, X, y, metadata, fitted_estimator):
        super().record(event, context, None, None, None, None)


class StopAt(Silent):
    """Stops the run at an iteration, or the fit after a run."""

    def __init__(self, n, task_name="em-iteration"):
        self.n, self.task_name, self.seen = n, task_name, 0

    def on_fit_task_end(self, estimator, context):
        self.seen += context.task_name == self.task_name
        return context.task_name == self.task_name and self.seen % self.n == 0


class FailingError(Exception):
    pass


class FailAt(Silent):
    def __init__(self, hook, n):
        self.hook, self.left = hook, n
        for name in ("setup", "on_fit_task_begin", "on_fit_task_end"):
            setattr(self, name, self.failing(name))

    def failing(self, name):
        def hook(estimator, context):
            self.left -= name == self.hook
            if self.left <= 0:
                raise FailingError

        return hook


# Tasks.


@pytest.mark.parametrize(("cls", "options"), MIXTURES)
def test_one_run_has_a_task_per_iteration(cls, options):
    X, _ = overlapping()
    recorder = Recorder()
    options = dict(init_params="kmeans", random_state=0, **options)
    fitted = cls(3, **options).set_callbacks(recorder).fit(X)
    tasks = ["em-iteration"] * fitted.n_iter_
    assert recorder.names("begin") == ["fit", *tasks]
    assert recorder.names("end") == [*tasks, "fit"]
    assert recorder.names("setup") == recorder.names("teardown") == ["fit"]
    assert fitted.n_iter_ > 3


@pytest.mark.parametrize(("cls", "options"), MIXTURES)
def test_several_runs_have_a_task_each(cls, options):
    X, _ = overlapping()
    recorder = Recorder()
    options = dict(n_init=3, max_iter=4, tol=0.0, init_params="random", **options)
    cls(3, random_state=0, **options).set_callbacks(recorder).fit(X)
    run = ["em-iteration"] * 4
    assert recorder.names("begin") == ["fit", *(["initialization", *run] * 3)]
    assert recorder.names("end") == [*([*run, "initialization"] * 3), "fit"]
    assert recorder.context.max_subtasks == 3


@pytest.mark.parametrize("n_init", [1, 2])
def test_no_iteration_is_no_task(n_init):
    recorder = Recorder()
    options = dict(max_iter=0, n_init=n_init, init_params="random", random_state=0)
    GaussianMixture(2, **options).set_callbacks(recorder).fit(overlapping()[0])
    assert "em-iteration" not in recorder.names("begin")
    assert len(recorder.names("begin")) == len(recorder.names("end"))


def test_bars_know_how_many_iterations_there_can_be():
    recorder = Recorder()
    GaussianMixture(2, max_iter=17, random_state=0).set_callbacks(recorder).fit(overlapping()[0])
    assert recorder.context.max_subtasks == 17


@pytest.mark.parametrize(("cls", "options"), MIXTURES)
def test_fitted_estimator_is_the_fit_so_far(cls, options):
    X, _ = overlapping()
    recorder = Recorder()
    options = dict(options, n_components=3, max_iter=5, tol=0.0, random_state=0)
    options["init_params"] = "kmeans"  # the search of "auto" goes no farther than max_iter
    fitted = cls(**options).set_callbacks(recorder).fit(X)
    expected = [cls(**{**options, "max_iter": n}).fit(X).score(X) for n in range(6)]
    assert recorder.scores("begin", "em-iteration") == expected[:5]
    assert recorder.scores("end", "em-iteration") == expected[1:]
    assert recorder.scores("end", "fit") == [fitted.score(X)]


def test_fitted_estimator_after_a_run_is_the_best_so_far():
    X, _ = overlapping()
    recorder = Recorder()
    options = dict(n_init=4, max_iter=3, init_params="random", random_state=0)
    fitted = GaussianMixture(3, **options).set_callbacks(recorder).fit(X)
    expected = [
        GaussianMixture(3, **{**options, "n_init": n}).fit(X).score(X) for n in (1, 2, 3, 4)
    ]
    assert recorder.scores("end", "initialization") == expected
    assert recorder.scores("end", "fit") == [fitted.score(X)]


def test_tasks_carry_the_data():
    X, y = overlapping()
    weight = np.linspace(0.0, 1.0, len(X))
    recorder = Recorder()
    mixture = GaussianMixture(2, random_state=0).set_callbacks(recorder)
    mixture.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(recorder.data[0], X)
    np.testing.assert_array_equal(recorder.data[1], y)
    np.testing.assert_array_equal(recorder.data[2]["sample_weight"], weight)


def test_classifier_has_a_task_per_class_with_the_iterations_of_its_mixture():
    X, y = overlapping()
    recorder = PropagatedRecorder()
    classifier = GMMBayesClassifier(2, max_iter=3, tol=0.0, random_state=0)
    classifier.set_callbacks(recorder).fit(X, y)
    names = recorder.names("end")
    assert names.count("em-iteration") == 9
    assert len(names) == len(recorder.names("begin")) == 1 + 3 + 9
    assert names[-1] == "fit"
    assert recorder.names("setup") == recorder.names("teardown") == ["fit"]


def test_classifier_tasks_that_are_not_propagated():
    X, y = overlapping()
    recorder = Recorder()
    classifier = GMMBayesClassifier(2, random_state=0)
    recorder.record = lambda event, context, *data: recorder.events.append(
        (event, context.task_name, data[-1])
    )
    classifier.set_callbacks(recorder).fit(X, y)
    assert recorder.names("begin") == ["fit", "class 0", "class 1", "class 2"]
    assert recorder.names("end") == ["class 0", "class 1", "class 2", "fit"]
    (shown,) = recorder.scores("end", "fit")
    np.testing.assert_array_equal(shown.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("n_init", [1, 2])
def test_callbacks_change_no_number(n_init):
    X, _ = overlapping()
    options = dict(n_components=3, n_init=n_init, init_params="random", random_state=0)
    plain = GaussianMixture(**options).fit(X)
    watched = GaussianMixture(**options).set_callbacks(Recorder()).fit(X)
    np.testing.assert_array_equal(watched.means_, plain.means_)
    assert watched.lower_bounds_ == plain.lower_bounds_


# Early stop.


@pytest.mark.parametrize(("cls", "options"), MIXTURES)
def test_a_callback_ends_the_fit(cls, options):
    X, _ = overlapping()
    options = dict(options, n_components=3, tol=0.0, random_state=0, init_params="kmeans")
    mixture = cls(**options).set_callbacks(StopAt(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        mixture.fit(X)
    assert mixture.n_iter_ == 3
    assert not mixture.converged_
    expected = cls(**options, max_iter=3).fit(X)
    np.testing.assert_array_equal(mixture.means_, expected.means_)
    assert mixture.lower_bounds_ == expected.lower_bounds_


def test_a_callback_ends_one_run_but_not_the_others():
    X, _ = overlapping()
    stop = StopAt(2)
    options = dict(n_init=3, tol=0.0, init_params="random", random_state=0)
    mixture = GaussianMixture(3, **options).set_callbacks(stop).fit(X)
    assert mixture.n_iter_ == 2
    assert stop.seen == 6


def test_a_callback_ends_the_restarts():
    X, _ = overlapping()
    stop, recorder = StopAt(2, "initialization"), Recorder()
    options = dict(max_iter=4, init_params="random", random_state=0)
    mixture = GaussianMixture(3, n_init=5, **options).set_callbacks(stop, recorder).fit(X)
    assert recorder.names("end").count("initialization") == 2
    two = GaussianMixture(3, n_init=2, **options).fit(X)
    np.testing.assert_array_equal(mixture.means_, two.means_)


# Failures.


@pytest.mark.parametrize(
    ("hook", "n"),
    [
        ("setup", 1),
        ("on_fit_task_begin", 1),  # fit
        ("on_fit_task_begin", 3),  # second iteration
        ("on_fit_task_end", 2),  # second iteration
        ("on_fit_task_end", 5),  # fit
    ],
)
def test_an_exception_in_a_callback_keeps_the_earlier_fit(hook, n):
    mixture = GaussianMixture(3, max_iter=4, tol=0.0, random_state=0).fit(overlapping()[0])
    before = copy.deepcopy(vars(mixture))
    mixture.set_callbacks(FailAt(hook, n))
    with pytest.raises(FailingError):
        mixture.fit(overlapping(seed=1)[0][:, :2])
    mixture.set_callbacks()
    assert set(vars(mixture)) == set(before)
    for name, value in before.items():
        np.testing.assert_array_equal(vars(mixture)[name], value, err_msg=name)


@pytest.mark.parametrize(("hook", "n"), [("on_fit_task_begin", 2), ("on_fit_task_end", 4)])
def test_an_exception_in_a_callback_keeps_the_earlier_classifier(hook, n):
    X, y = overlapping()
    classifier = GMMBayesClassifier(2, random_state=0).fit(X, y)
    before = copy.deepcopy(vars(classifier))
    classifier.set_callbacks(FailAt(hook, n))
    with pytest.raises(FailingError):
        classifier.fit(X[:, :2], y)
    classifier.set_callbacks()
    assert set(vars(classifier)) == set(before)
    assert classifier.n_features_in_ == 3
    np.testing.assert_array_equal(classifier.n_iter_, before["n_iter_"])


# Cost.


def count_calls(monkeypatch, owner, name):
    original, calls = getattr(owner, name), []

    def counting(*args, **kwargs):
        calls.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, counting)
    return calls


@pytest.mark.parametrize("callbacks", [[], [Silent()]], ids=["none", "silent"])
@pytest.mark.parametrize("n_init", [1, 3])
def test_nothing_is_computed_that_nobody_asks_for(monkeypatch, n_init, callbacks):
    passes = count_calls(monkeypatch, em, "expect")
    attributes = count_calls(monkeypatch, GaussianMixture, "_attributes")
    options = dict(n_init=n_init, max_iter=5, tol=0.0, init_params="random", random_state=0)
    GaussianMixture(3, **options).set_callbacks(*callbacks).fit(overlapping()[0])
    assert len(passes) == 5 * n_init
    assert len(attributes) == 1


# scikit-learn's own callbacks in a pipeline and a grid search.


def search_over(model, **options):
    pipeline = Pipeline([("pca", PCA(2, random_state=0)), ("model", model)])
    return GridSearchCV(pipeline, {"model__n_components": [1, 2]}, cv=2, **options)


@pytest.mark.parametrize("model", [GaussianMixture(), DiagonalGMM(), GMMBayesClassifier()])
def test_recorder_follows_a_grid_search_down_to_the_iterations(model):
    X, y = overlapping()
    recorder = PropagatedRecorder()
    model = clone(model).set_params(max_iter=2, tol=0.0, random_state=0)
    search_over(model).set_callbacks(recorder).fit(X, y)
    n_mixtures = 3 if isinstance(model, GMMBayesClassifier) else 1
    assert recorder.names("end").count("em-iteration") == (2 * 2 + 1) * n_mixtures * 2


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("model", [GaussianMixture(), DiagonalGMM(), GMMBayesClassifier()])
def test_progress_bar_in_a_grid_search(model, n_jobs, capsys):
    pytest.importorskip("rich")
    X, y = overlapping()
    model = clone(model).set_params(max_iter=3, tol=0.0, random_state=0)
    search = search_over(model, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    printed = capsys.readouterr().out
    assert type(model).__name__ in printed
    assert search.predict(X).shape == y.shape


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_bar_of_a_classifier(n_jobs, capsys):
    pytest.importorskip("rich")
    X, y = overlapping()
    classifier = GMMBayesClassifier(2, random_state=0, n_jobs=n_jobs)
    classifier.set_callbacks(callback.ProgressBar()).fit(X, y)
    printed = capsys.readouterr().out
    for label in range(3):
        assert f"class {label}" in printed


def mean_log_likelihood(estimator, X, y):
    return {"log-likelihood": estimator.score(X)}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scoring_monitor_in_a_grid_search(n_jobs):
    X, y = overlapping()
    monitor = callback.ScoringMonitor(scoring=mean_log_likelihood)
    model = GaussianMixture(max_iter=3, tol=0.0, random_state=0).set_callbacks(monitor)
    search_over(model, n_jobs=n_jobs).fit(X, y)
    rows = monitor.get_logs().data
    iterations = [row for row in rows if row["task_name"] == "em-iteration"]
    assert len(iterations) == 3 * (2 * 2 + 1)
    by_fit = {}
    for row in iterations:
        by_fit.setdefault(row["parent_task_id_path"], []).append(row["log-likelihood"])
    assert len(by_fit) == 5
    for scores in by_fit.values():
        # A likelihood that never falls, but by the share that reg_covar adds and rounding.
        assert np.all(np.diff(scores) > -1e-6)


def test_scoring_monitor_of_a_classifier():
    X, y = overlapping()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    classifier = GMMBayesClassifier(2, random_state=0).set_callbacks(monitor).fit(X, y)
    (row,) = [row for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert row["accuracy"] == classifier.score(X, y)


def test_fit_with_callbacks_is_pickled():
    X, _ = overlapping()
    mixture = GaussianMixture(2, random_state=0).set_callbacks(Silent()).fit(X)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(mixture)).predict(X), mixture.predict(X)
    )
