"""What every public estimator keeps: scikit-learn's checks, documentation, options, pickling."""

import ast
import contextlib
import inspect
import io
import os
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from estimators import ESTIMATORS, TABLE, suited
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer
from sklearn.utils import estimator_checks, get_tags, shuffle

import skmix
import skmix.exceptions
import skmix.families
import skmix.image
import skmix.metrics
import skmix.neural
from skmix.utils import estimator_checks as skmix_checks

# Checks that scikit-learn defines but yields only to its own estimators; some versions lack some.
UNYIELDED_CHECKS = (
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_n_features_in_after_fitting",
    "check_estimators_overwrite_params",
    "check_valid_tag_types",
    "check_estimator_repr",
)
UNYIELDED_TRANSFORMER_CHECKS = (
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
)

quiet = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::skmix.exceptions.DegenerateComponentWarning",
)
pytestmark = pytest.mark.usefixtures("few_starts")
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
each_class = pytest.mark.parametrize("cls", TABLE, ids=lambda cls: cls.__name__)


def test_array_api_support_of_scipy_is_on():
    # Some of scikit-learn's checks need it, and scipy reads the variable when it is imported.
    assert os.environ.get("SCIPY_ARRAY_API") == "1", "tests/conftest.py sets it"
    assert pytest.importorskip("scipy._lib._array_api").SCIPY_ARRAY_API


def test_table_holds_every_public_estimator():
    public = {getattr(skmix, name) for name in skmix.__all__}
    assert {cls for cls in public if isinstance(cls, type) and hasattr(cls, "fit")} == set(TABLE)


def feeds_fractions(check):
    return check.func.__name__ in (
        "check_sample_weight_equivalence_on_dense_data",
        "check_positive_only_tag_during_fit",
    )


@quiet
@estimator_checks.parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    try:
        check(estimator)
    except (AssertionError, ValueError) as error:
        # test_categorical_mixture.py tests the equivalence on categories.
        if feeds_fractions(check) and "Fractional values" in f"{error} {error.__cause__}":
            pytest.xfail("the check feeds fractions to estimators of categories or counts")
        raise


def unyielded():
    for estimator in ESTIMATORS:
        names = UNYIELDED_CHECKS
        if hasattr(estimator, "transform"):
            names += UNYIELDED_TRANSFORMER_CHECKS
        for name in names:
            if hasattr(estimator_checks, name):
                yield pytest.param(estimator, name, id=f"{estimator}-{name}")


@quiet
@pytest.mark.parametrize(("estimator", "name"), list(unyielded()))
def test_scikit_learn_checks_that_are_not_yielded(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


def mean_log_likelihood(model, X, y):
    return model.score_samples(X).mean()


@quiet
@each_estimator
def test_in_pipeline_and_grid_search(estimator):
    X, y = shuffle(*load_iris(return_X_y=True), random_state=0)
    reduction = PCA(2, random_state=0)
    if get_tags(estimator).input_tags.categorical:
        reduction = KBinsDiscretizer(4, encode="ordinal", strategy="uniform")
    pipeline = Pipeline([("reduction", reduction), ("model", clone(estimator))])
    ((parameter, values),) = TABLE[type(estimator)].grid.items()
    likelihood = None if not hasattr(estimator, "score_samples") else mean_log_likelihood
    search = GridSearchCV(
        pipeline,
        {f"model__{parameter}": values},
        scoring=likelihood,
        cv=3,
        error_score="raise",
    )
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.all(np.isfinite(scores))
    assert scores[0] != scores[1]
    best = search.best_estimator_["model"].get_params()[parameter]
    assert best == values[search.best_index_]
    method = "predict" if hasattr(estimator, "predict") else "transform"
    found = getattr(search, method)(X)
    assert len(found) == len(X)
    Z = search.best_estimator_["reduction"].transform(X)
    np.testing.assert_array_equal(found, getattr(search.best_estimator_["model"], method)(Z))


@each_class
def test_tags(cls):
    row = TABLE[cls]
    for estimator in row.instances:
        assert get_tags(estimator).estimator_type == row.estimator_type


OUTPUTS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "transform",
)


def outputs(estimator, X):
    names = OUTPUTS
    return {name: getattr(estimator, name)(X) for name in names if hasattr(estimator, name)}


@pytest.mark.parametrize("through", ["pickle", "joblib"])
@each_estimator
def test_round_trip_predicts_the_same(estimator, through, tmp_path):
    X, y = load_iris(return_X_y=True)
    X = suited(estimator, X)
    fitted = clone(estimator).fit(X, y)
    if through == "pickle":
        loaded = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "model.joblib")
        loaded = joblib.load(tmp_path / "model.joblib")
    expected = outputs(fitted, X)
    assert expected
    for name, value in outputs(loaded, X).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("estimator", [row.instances[0] for row in TABLE.values()], ids=repr)
def test_pickles_carry_the_version(estimator, monkeypatch):
    X, y = load_iris(return_X_y=True)
    fitted = clone(estimator).fit(suited(estimator, X), y)
    written = pickle.dumps(fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = pickle.loads(written)
    assert set(vars(loaded)) == set(vars(fitted))  # the version is not an attribute
    written_by = skmix.__version__
    monkeypatch.setattr(skmix, "__version__", "9.9.0")
    name = type(estimator).__name__
    expected = f"{name} was pickled by skmix {written_by}, but is loaded by skmix 9.9.0"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pickle.loads(written)
    texts = {str(warning.message).partition(":")[0]: warning for warning in caught}
    assert expected in texts  # mixtures inside warn, too
    assert texts[expected].category is skmix.exceptions.InconsistentVersionWarning
    assert texts[expected].message.original_skmix_version == written_by
    assert texts[expected].filename == __file__
    with pytest.warns(skmix.exceptions.InconsistentVersionWarning, match="by skmix unknown"):
        clone(estimator).__setstate__(vars(fitted))


def test_a_subclass_outside_carries_both_versions(monkeypatch):
    class Own(skmix.GaussianMixture):
        pass

    state = Own(2).__getstate__()
    assert state["_skmix_version"] == skmix.__version__ and state["n_components"] == 2
    restored = Own()
    restored.__setstate__(state)
    assert vars(restored) == vars(Own(2))


def test_rooms_are_imported_on_demand():
    names = ["families", "image", "neural", "utils", "utils.estimator_checks"]
    script = "import sys, skmix\n" + "\n".join(
        f"assert 'skmix.{name}' not in sys.modules, 'imported at once'\n"
        f"skmix.{name}; import skmix.{name}; assert dir(skmix.{name})"
        for name in names
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(skmix.__file__).parents[1])
    assert {"families", "image", "neural", "utils"} <= set(dir(skmix))


def test_unknown_attributes_of_the_package():
    with pytest.raises(AttributeError, match="'skmix' has no attribute 'imagee'"):
        skmix.imagee  # noqa: B018


@each_class
def test_clone_keeps_every_parameter(cls):
    changes = TABLE[cls].changes
    cloned = clone(cls(**changes))
    for name, value in changes.items():
        assert getattr(cloned, name) == value, name
    assert not [name for name in vars(cloned) if name.endswith("_")]


# Every option does something.


def overlapping_rows(n_samples=240):
    """Three classes in two dimensions that overlap, so that EM takes its time."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], n_samples // 3)
    centres = np.array([[0.0, 0.0], [2.0, 1.0], [0.0, 2.5]])
    return centres[y] + rng.standard_normal((n_samples, 2)) * [1.0, 0.6], y


def parameters(cls):
    return set(TABLE[cls].instances[0].get_params(deep=False))


def outcome(cls, changes):
    """All that two fits of the same rows print and all that the second has learned."""
    start = {"n_components": 2, "random_state": 0, "init_params": "random", "tol": 1e-4}
    start |= {"verbose": 1, "verbose_interval": 2, "max_iter": 40}
    start = {name: value for name, value in start.items() if name in parameters(cls)}
    estimator = cls(**{**start, **TABLE[cls].base, **changes})
    X, y = overlapping_rows()
    X = suited(estimator, X)
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y).fit(X, y)
    draws = [estimator.sample(9)[0]] if hasattr(estimator, "sample") else []
    return printed.getvalue(), *outputs(estimator, X).values(), *draws


def same(a, b):
    return a[0] == b[0] and all(np.array_equal(x, y) for x, y in zip(a[1:], b[1:], strict=True))


# How many jobs share the work must not show, what stands for a missing cell is no setting of a
# fit, what is unknown needs other rows, no column here is empty, drawn counts are whole already,
# refits are for draws of their own, what is fixed needs starting values, and a fit forgets
# nothing: test_bayes.py, test_inpainter.py, test_mixture_imputer.py, test_categorical_mixture.py,
# test_fixed.py and test_online.py have tests of these.
TESTED_ELSEWHERE = {
    "n_jobs",
    "missing_values",
    "handle_unknown",
    "keep_empty_features",
    "round_integers",
    "n_refits",
    "fixed",
    "forgetting",
}


@each_class
def test_every_parameter_does_something(cls):
    changes = TABLE[cls].changes
    assert set(changes) == parameters(cls) - TESTED_ELSEWHERE
    covariance_type = {"covariance_type": "diag"} if "covariance_type" in changes else {}
    base = outcome(cls, covariance_type)
    assert same(base, outcome(cls, covariance_type))
    for name, value in changes.items():
        changed = outcome(cls, {**covariance_type, name: value})
        assert not same(base, changed), f"{name}={value!r} changes nothing"


# Documentation.


def sections(doc):
    """Split a numpydoc docstring into {section title: text}."""
    parts = re.split(r"^([A-Z][\w ]+)\n-{3,}\n", inspect.cleandoc(doc), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(text):
    """Read {name: type} off a section that lists parameters or attributes."""
    return dict(re.findall(r"^(?:\*\*)?(\w+) : (.+)$", text, flags=re.MULTILINE))


def described(text):
    """Names of the entries that have a description."""
    return set(re.findall(r"^(?:\*\*)?(\w+) : .+\n(?:\n)?    +\S", text, flags=re.MULTILINE))


def documented_default(type_text):
    match = re.search(r"default=(.+)$", type_text)
    if match is None:
        return inspect.Parameter.empty
    return np.nan if match[1] == "np.nan" else ast.literal_eval(match[1])


def own_methods(cls):
    """Public methods that skmix writes, by qualified name."""
    for name, method in inspect.getmembers(cls, callable):
        own = (getattr(method, "__module__", None) or "").startswith("skmix")
        if not name.startswith("_") and own and not isinstance(method, type):
            yield pytest.param(method, id=f"{cls.__name__}.{name}")


PUBLIC = [getattr(room, name) for room in (skmix, skmix.neural) for name in room.__all__]
PUBLIC_CLASSES = [cls for cls in PUBLIC if isinstance(cls, type)]
MODULES = (skmix, skmix.image, skmix.metrics, skmix_checks)
PUBLIC_FUNCTIONS = [
    function
    for module in MODULES
    for name in module.__all__
    if not isinstance(function := getattr(module, name), type)
]
PUBLIC_METHODS = [method for cls in PUBLIC_CLASSES for method in own_methods(cls)]


def assert_documents_signature(doc, signature):
    listed = entries(sections(doc).get("Parameters", ""))
    parameters = {n: p for n, p in signature.parameters.items() if n != "self"}
    assert list(listed) == list(parameters)
    for name, parameter in parameters.items():
        if listed[name] == "Ignored":
            continue
        assert str(documented_default(listed[name])) == str(parameter.default), name


@pytest.mark.parametrize("cls", [*PUBLIC_CLASSES, skmix.families.LinearFamily])
def test_class_documentation(cls):
    parts = sections(cls.__doc__)
    assert_documents_signature(cls.__doc__, inspect.signature(cls))
    assert {"Parameters", "Attributes", "See Also", "Notes", "References", "Examples"} <= set(
        parts
    )
    assert ">>> " in parts["Examples"]
    for title in ("Parameters", "Attributes"):
        assert described(parts[title]) == set(entries(parts[title]))


@pytest.mark.parametrize("method", PUBLIC_METHODS + PUBLIC_FUNCTIONS)
def test_method_documentation(method):
    parts = sections(method.__doc__)
    assert_documents_signature(method.__doc__, inspect.signature(method))
    returns = re.search(r"^\s+return \S", inspect.getsource(inspect.unwrap(method)), re.M)
    assert ({"Returns", "Examples"} if returns else {"Examples"}) <= set(parts)
    assert ">>> " in parts["Examples"]


@pytest.mark.parametrize("name", skmix.exceptions.__all__)
def test_warning_documentation(name):
    assert ">>> " in sections(getattr(skmix.exceptions, name).__doc__)["Examples"]


@each_class
def test_attributes_are_those_documented(cls):
    pandas = pytest.importorskip("pandas")
    X, y = overlapping_rows()
    unfitted = clone(TABLE[cls].instances[0])
    X = suited(unfitted, X)
    fitted = unfitted.fit(pandas.DataFrame(X, columns=["a", "b"]), y)
    learned = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    assert learned == set(entries(sections(cls.__doc__)["Attributes"]))
