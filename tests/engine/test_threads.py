"""The same bits for any number of threads, in everything public."""

import numpy as np
import pytest
import threadpoolctl
from estimators import TABLE, numbers, suited
from sklearn.base import clone
from sklearn.utils import get_tags

import skmix.image
from skmix import GMMDenoiser, KMeansQuantizer

N_FEATURES = 150  # enough for OpenBLAS to share products and factorisations among threads

pytestmark = pytest.mark.usefixtures("few_starts")
quiet = pytest.mark.filterwarnings("ignore")


def rows(n_samples=240):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 3
    X = rng.normal(size=(n_samples, 40)) @ rng.normal(size=(40, N_FEATURES))
    return 0.2 * X + rng.normal(size=X.shape) + y[:, None], y


def everything(estimator, X, y):
    """What a fit learns and all that its methods return, by name."""
    fitted = clone(estimator)
    if "random_state" in fitted.get_params():
        fitted.set_params(random_state=0)
    for name in fitted.get_params():
        if name.endswith("__random_state"):
            fitted.set_params(**{name: 0})
    fitted.fit(X, y)
    Z = X[:40]
    H = Z.copy()
    takes_nan = get_tags(estimator).input_tags.allow_nan
    if takes_nan:
        H[:, ::2] = np.nan
    found = {"fit": fitted}
    for name in sorted(dir(fitted)):
        method = getattr(fitted, name, None)
        if name.startswith("_") or not callable(method):
            continue
        if getattr(fitted, "noise", False) and name in ("condition", "marginal"):
            continue  # refused
        if name in ("transform", "posterior") and hasattr(fitted, "posterior"):
            noise = np.linspace(0.1, 1.0, len(Z))
            found[name] = [method(Z), method(Z, row_noise_std=noise)]
        elif name in ROWWISE:
            found[name] = method(Z)
        elif name == "score":
            found[name] = method(Z, y[: len(Z)])
        elif name == "sample":
            found[name] = method(30)
        elif name == "marginal":
            found[name] = method(np.arange(N_FEATURES - 5))
        elif name in ("condition", "sample_conditional"):
            found[name] = method(H[:3])
        if takes_nan and (name in ROWWISE or name == "transform"):
            found[f"{name} of incomplete rows"] = method(H)
    return {name: numbers(result) for name, result in found.items()}


ROWWISE = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "score_samples",
    "impute",
    "predict_std",
    "bic",
    "icl",
    "entropy",
)
WHOLE = [
    instance
    for cls, row in TABLE.items()
    if not get_tags(row.instances[0]).input_tags.categorical and cls is not KMeansQuantizer
    for instance in {id(e): e for e in (row.instances[0], row.instances[-1])}.values()
]


def assert_same_bits(make):
    results = []
    for n_threads in (1, 2):
        with threadpoolctl.threadpool_limits(n_threads):
            results.append(make())
    assert list(results[0]) == list(results[1])
    for name, expected in results[0].items():
        for one, two in zip(expected, results[1][name], strict=True):
            assert one.tobytes() == two.tobytes(), name


@pytest.fixture(autouse=True)
def blas_with_threads():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        info = threadpoolctl.threadpool_info()
    if not any(lib["num_threads"] == 2 for lib in info if lib["user_api"] == "blas"):
        pytest.skip("BLAS has one thread only")


@quiet
@pytest.mark.parametrize("estimator", WHOLE, ids=repr)
def test_estimators(estimator):
    X, y = rows()
    assert_same_bits(lambda: everything(estimator, suited(estimator, X), y))


@quiet
@pytest.mark.parametrize(
    "estimator", [e for cls, row in TABLE.items() for e in row.instances[-1:]], ids=repr
)
def test_estimators_of_few_columns(estimator):
    if estimator in WHOLE:
        pytest.skip("seen with many columns")
    X, y = rows(300)
    X = suited(estimator, X[:, :3])

    def make():
        fitted = clone(estimator).set_params(random_state=0).fit(X, y)
        outputs = [getattr(fitted, m)(X) for m in (*ROWWISE, "transform") if hasattr(fitted, m)]
        return {"fit": numbers(fitted), "outputs": numbers(outputs)}

    assert_same_bits(make)


@quiet
def test_images():
    rng = np.random.default_rng(0)
    image = rng.random((40, 40)).cumsum(axis=0) / 30
    holes = rng.random(image.shape) < 0.2

    def make():
        estimator = GMMDenoiser(2, random_state=0)
        prior = skmix.image.fit_patch_prior([image], estimator, size=12, random_state=0)
        denoised = skmix.image.denoise(image, prior, 0.1, stride=3, return_std=True)
        filled = skmix.image.inpaint(image, holes, prior, stride=6)
        noise = skmix.image.estimate_noise_std(image, size=12)
        return {"images": numbers([prior.mixture_, *denoised, filled, noise])}

    assert_same_bits(make)
