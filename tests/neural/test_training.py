"""What PyTorch trains; skipped where it is not installed."""

import doctest
import inspect
import pickle
import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import estimator_checks
from threadpoolctl import threadpool_limits

import skmix
from skmix.metrics import class_coverage
from skmix.neural import GenerativeAdversarialNetwork, VariationalAutoencoder, _torch

torch = pytest.importorskip("torch")

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 3, "batch_size": 32, "random_state": 0}
VAE = VariationalAutoencoder(2, **SMALL)
GAUSSIAN = VariationalAutoencoder(2, likelihood="gaussian", **SMALL)
GAN = GenerativeAdversarialNetwork(2, **SMALL)
each = pytest.mark.parametrize("estimator", [VAE, GAUSSIAN, GAN], ids=["vae", "gaussian", "gan"])
IRIS = MinMaxScaler().fit_transform(load_iris().data)


def learned(fitted):
    return {k: v for k, v in vars(fitted).items() if k.endswith("_") and not k.startswith("_")}


def arrays(fitted):
    """All numbers that a fit has learned, in order."""
    found = []
    for _, value in sorted(learned(fitted).items()):
        parts = value if isinstance(value, list) else [value]
        found += [np.asarray(part) for part in parts if part is not None]
    return found


def same(one, two):
    pairs = zip(arrays(one), arrays(two), strict=True)
    return all(a.shape == b.shape and np.array_equal(a, b) for a, b in pairs)


# scikit-learn's conventions.


# likelihood="bernoulli" refuses what the checks feed, numbers beyond 0 and 1.
@estimator_checks.parametrize_with_checks([GAUSSIAN, GAN])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


UNYIELDED = (
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_n_features_in_after_fitting",
    "check_estimators_overwrite_params",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
)


@pytest.mark.parametrize("name", UNYIELDED)
@pytest.mark.parametrize("estimator", [GAUSSIAN, GAN], ids=["gaussian", "gan"])
def test_scikit_learn_checks_that_are_not_yielded(estimator, name):
    if "transform" in name and not hasattr(estimator, "transform"):
        pytest.skip("no transformer")
    getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


@each
def test_attributes_are_those_documented(estimator):
    pandas = pytest.importorskip("pandas")
    fitted = clone(estimator).fit(pandas.DataFrame(IRIS, columns=list("abcd")))
    doc = inspect.cleandoc(type(estimator).__doc__)
    section = doc.split("Attributes\n---")[1].split("See Also\n---")[0]
    assert set(learned(fitted)) == set(re.findall(r"^(\w+) : ", section, flags=re.MULTILINE))


@pytest.mark.parametrize("cls", [VariationalAutoencoder, GenerativeAdversarialNetwork])
def test_examples_that_train(cls):
    for where in (cls, cls.fit):
        text = inspect.getdoc(where).replace("# doctest: +SKIP", "")
        example = doctest.DocTestParser().get_doctest(text, {}, cls.__name__, None, 0)
        assert any(".fit(" in part.source for part in example.examples)
        assert doctest.DocTestRunner().run(example).failed == 0


CHANGES = {
    "n_latent": 3,
    "hidden_layer_sizes": (9, 8),
    "likelihood": "gaussian",
    "activation": "tanh",
    "learning_rate_init": 0.01,
    "batch_size": 50,
    "max_epochs": 4,
    "validation_fraction": 0.2,
    "random_state": 1,
    "warm_start": True,
    "feature_range": (-1, 2),
    "dropout": 0.0,
    "betas": (0.9, 0.999),
    "label_smoothing": 0.0,
    "averaging": 0.0,
}
# Tests of their own, below.
OTHERS = {"device", "verbose", "early_stopping", "n_iter_no_change"}


@pytest.mark.parametrize("estimator", [VAE, GAN], ids=["vae", "gan"])
def test_every_parameter_does_something(estimator):
    names = set(estimator.get_params()) - OTHERS
    assert names <= set(CHANGES)
    base = clone(estimator).fit(IRIS).fit(IRIS)
    for name in names:
        changed = clone(estimator).set_params(**{name: CHANGES[name]}).fit(IRIS).fit(IRIS)
        assert not same(base, changed) if len(arrays(base)) == len(arrays(changed)) else True, name


def test_in_pipeline_and_grid_search():
    model = Pipeline([("scale", StandardScaler()), ("vae", clone(GAUSSIAN))])
    search = GridSearchCV(model, {"vae__n_latent": [1, 2]}, cv=3, error_score="raise")
    search.fit(load_iris().data)
    scores = search.cv_results_["mean_test_score"]
    assert np.all(np.isfinite(scores)) and scores[0] != scores[1]
    assert search.transform(load_iris().data).shape == (150, search.best_params_["vae__n_latent"])


def test_generators_are_searched_by_a_scorer():
    classifier = skmix.GMMBayesClassifier().fit(*load_iris(return_X_y=True))

    def rarest(gan, X, y=None):
        return class_coverage(gan.sample(50), classifier).min()

    search = GridSearchCV(GAN, {"n_latent": [1, 2]}, scoring=rarest, cv=2, error_score="raise")
    assert search.fit(load_iris().data).best_score_ >= 0


# What is learned.


def test_linear_autoencoder_learns_factors():
    X = load_iris().data
    options = {**SMALL, "hidden_layer_sizes": (), "max_epochs": 120, "batch_size": 16}
    vae = VariationalAutoencoder(2, likelihood="gaussian", learning_rate_init=0.01, **options)
    best, one = (FactorAnalysis(n).fit(X).score(X) for n in (2, 1))
    found = vae.fit(X).score(X)
    assert one < best - 0.1 < found < best + 0.02


def test_offsets_and_units_of_columns_change_the_unit_of_the_density_alone():
    X = load_iris().data
    moved = X * [1, 1, 1, 1024] + [0, 1e6, 0, 0]
    plain, other = clone(GAUSSIAN).fit(X), clone(GAUSSIAN).fit(moved)
    # The offset leaves 1e-10 of a cell, training goes on in float32.
    np.testing.assert_allclose(
        np.array(other.loss_curve_) - plain.loss_curve_, np.log(1024), atol=1e-4
    )
    np.testing.assert_allclose(
        other.score_samples(moved), plain.score_samples(X) - np.log(1024), atol=1e-3
    )
    np.testing.assert_allclose(other.transform(moved), plain.transform(X), atol=1e-4)


def test_digits_are_learned_as_by_a_plain_loop():
    X = (load_digits().data / 16).astype(np.float32)[:1000]
    options = {"hidden_layer_sizes": (32,), "max_epochs": 30, "random_state": 0}
    vae = VariationalAutoencoder(4, **options).fit(X)
    torch.manual_seed(0)
    encoder, decoder = (
        torch.nn.Sequential(torch.nn.Linear(a, 32), torch.nn.ReLU(), torch.nn.Linear(32, b))
        for a, b in ((64, 8), (4, 64))
    )
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
    for _ in range(30):
        losses = []
        for rows in torch.randperm(len(X)).split(128):
            x = torch.from_numpy(X)[rows]
            mean, log_var = encoder(x).chunk(2, 1)
            p = torch.sigmoid(decoder(mean + (log_var / 2).exp() * torch.randn_like(mean)))
            loss = torch.nn.functional.binary_cross_entropy(p, x, reduction="sum")
            loss = loss - 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
            adam.zero_grad()
            (loss / len(x)).backward()
            adam.step()
            losses.append(loss.item())
    plain = sum(losses) / len(X)
    # Two seeds of the plain loop differ by up to 0.3.
    assert vae.loss_curve_[-1] == pytest.approx(plain, abs=0.6)
    assert vae.loss_curve_[0] > vae.loss_curve_[-1] + 5


@pytest.mark.parametrize("estimator", [VAE, GAUSSIAN], ids=["bernoulli", "gaussian"])
def test_losses_are_the_bounds_that_predictions_compute(estimator):
    X = IRIS if estimator is VAE else load_iris().data * [1, 10, 0.1, 1]
    fitted = clone(estimator).fit(X, X_val=np.repeat(X, 40, axis=0))  # one draw for each
    bounds = fitted.elbo(X, n_draws=2000)
    assert fitted.validation_loss_curve_[-1] == pytest.approx(-bounds.mean(), abs=0.05)
    assert len(fitted.validation_loss_curve_) == len(fitted.loss_curve_) == fitted.n_iter_ == 3


def test_generator_learns_where_rows_are():
    rng = np.random.default_rng(0)
    X = rng.exponential([1.0, 0.1], size=(600, 2)) + np.array([3.0, -2.0])
    gan = GenerativeAdversarialNetwork(
        2,
        hidden_layer_sizes=(32,),
        learning_rate_init=1e-3,
        averaging=0.99,
        max_epochs=80,
        batch_size=64,
        random_state=0,
    ).fit(X)
    samples = gan.sample(2000, random_state=0)
    # At the start, rows are all near the middle of the range, 3 standard deviations off.
    off = np.abs(samples.mean(axis=0) - X.mean(axis=0)) / X.std(axis=0)
    assert np.all(off < 0.8) and np.all(np.abs(gan.offset_ - X.mean(axis=0)) > 1.5 * X.std(axis=0))
    assert np.all(samples.std(axis=0) > 0.2 * X.std(axis=0))
    assert np.all(samples >= X.min(axis=0) - 1e-5) and np.all(samples <= X.max(axis=0) + 1e-5)
    assert np.all((gan.discriminate(X) > 0) & (gan.discriminate(X) < 1))


def test_losses_of_adversaries_that_cannot_tell():
    # A discriminator of zeros says 1/2 of everything: both losses are log 2.
    zeros = [np.zeros((4, 1))], [np.zeros(1)]
    gan = GenerativeAdversarialNetwork.from_parameters(
        ([np.ones((2, 4))], [np.zeros(4)]), zeros, feature_range=(0, 1)
    )
    gan.set_params(warm_start=True, learning_rate_init=1e-12, max_epochs=1, random_state=0)
    gan.fit(IRIS, X_val=IRIS)
    assert gan.n_iter_ == 1
    for curve in ("generator_loss_curve_", "discriminator_loss_curve_"):
        assert getattr(gan, curve) == pytest.approx([np.log(2)], abs=1e-6)
        assert getattr(gan, f"validation_{curve}") == pytest.approx([np.log(2)], abs=1e-6)


def test_each_network_learns_from_its_own_loss_alone():
    from skmix.neural._models import AdversarialModel

    params = clone(GAN).fit(IRIS)._fitted_params()
    options = dict(betas=(0.5, 0.9), dropout=0.0, label_smoothing=0.0, averaging=0.0)
    model = AdversarialModel(torch, params, torch.device("cpu"), 0, learning_rate=1e-3, **options)
    x = torch.zeros(8, 4)
    seen = []
    original = model._d_optimizer.step
    model._d_optimizer.step = lambda: (
        seen.append([p.grad for p in model._generator.parameters]),
        original(),
    )
    model.step(x)
    assert seen == [[None] * 4]  # the generated batch is detached
    frozen = [p.grad.clone() for p in model._discriminator.parameters]
    assert all(torch.any(p.grad != 0) for p in model._generator.parameters)
    model._d_optimizer.step = lambda: None
    model.step(x)
    weights = model._discriminator.parameters
    assert any(torch.any(a != p.grad) for a, p in zip(frozen, weights, strict=True))


def test_constant_columns_stay_constant():
    X = IRIS.copy()
    X[:, 1] = 0.25
    np.testing.assert_allclose(clone(GAN).fit(X).sample(9)[:, 1], 0.25, rtol=1e-6)
    gaussian = clone(GAUSSIAN).fit(X)
    np.testing.assert_allclose(gaussian.sample(9)[:, 1], 0.25, rtol=1e-6)
    assert np.all(np.isfinite(gaussian.score_samples(X)))


# Seeds, threads, types.


@each
def test_a_seed_is_a_fit(estimator):
    state = torch.random.get_rng_state()
    one = clone(estimator).fit(IRIS)
    with ThreadPoolExecutor(2) as pool:  # random numbers are the fit's own
        fits = list(pool.map(lambda _: clone(estimator).fit(IRIS), range(2)))
    assert all(same(one, other) for other in fits)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not same(one, clone(estimator).set_params(random_state=1).fit(IRIS))


def test_threads_are_those_that_others_may_use(monkeypatch):
    seen = []
    original = _torch.train_epoch

    def counting(*args):
        seen.append(torch.get_num_threads())
        return original(*args)

    monkeypatch.setattr(_torch, "train_epoch", counting)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threadpool_limits(1):
            clone(VAE).set_params(max_epochs=1).fit(IRIS)
        assert seen == [1]
        torch.set_num_threads(1)
        clone(VAE).set_params(max_epochs=1).fit(IRIS)
        assert seen == [1, 1] and torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@each
def test_rows_of_any_kind(estimator, tmp_path):
    np.save(tmp_path / "rows.npy", IRIS.astype(np.float32))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        single = clone(estimator).fit(mapped, X_val=mapped)
    assert all(
        part.dtype == np.float32
        for name in learned(single)
        if name.endswith("coefs_")
        for part in getattr(single, name)
    )
    assert same(single, clone(estimator).fit(np.array(mapped), X_val=np.array(mapped)))
    assert clone(estimator).fit(IRIS.tolist()).n_features_in_ == 4


# Validation, early stopping, going on.


def test_early_stopping_keeps_the_best():
    options = {**SMALL, "max_epochs": 200, "learning_rate_init": 0.03, "early_stopping": True}
    vae = VariationalAutoencoder(2, n_iter_no_change=3, **options).fit(IRIS[::2], X_val=IRIS[1::2])
    curve = vae.validation_loss_curve_
    best = int(np.argmin(curve))
    assert vae.n_iter_ == len(curve) == best + 4 < 200
    options.update(max_epochs=best + 1, early_stopping=False)
    expected = VariationalAutoencoder(2, **options).fit(IRIS[::2], X_val=IRIS[1::2])
    np.testing.assert_array_equal(vae.transform(IRIS), expected.transform(IRIS))
    with pytest.raises(ValueError, match="needs rows to validate by"):
        clone(VAE).set_params(early_stopping=True).fit(IRIS)


@each
def test_validation_rows_are_held_out_or_given(estimator):
    assert learned(clone(estimator).fit(IRIS))["n_iter_"] == 3
    none = [
        v for k, v in learned(clone(estimator).fit(IRIS)).items() if k.startswith("validation")
    ]
    assert none and all(curve is None for curve in none)
    held_out = clone(estimator).set_params(validation_fraction=0.2).fit(IRIS)
    given = clone(estimator).fit(IRIS, X_val=IRIS[:9])
    for fitted in (held_out, given):
        curves = [v for k, v in learned(fitted).items() if k.startswith("validation")]
        assert all(len(curve) == 3 for curve in curves)
    assert not same(held_out, clone(estimator).fit(IRIS, X_val=IRIS[:30]))
    # Looking on changes no number of the training.
    plain = clone(estimator).fit(IRIS)
    np.testing.assert_array_equal(plain.sample(3), given.sample(3))
    with pytest.raises(ValueError, match="leaves none"):
        clone(estimator).set_params(validation_fraction=0.99).fit(IRIS[:5])


@each
def test_warm_start_goes_on(estimator):
    model = clone(estimator).set_params(warm_start=True).fit(IRIS, X_val=IRIS)
    first = pickle.loads(pickle.dumps(model))
    model.fit(IRIS, X_val=IRIS)
    assert model.n_iter_ == 6
    for name, curve in learned(model).items():
        if name.endswith("curve_"):
            assert len(curve) == 6 and curve[:3] == getattr(first, name)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=r"warm_start=True goes on .* sizes"):
        model.set_params(hidden_layer_sizes=(9,)).fit(IRIS)
    model.set_params(hidden_layer_sizes=(8,))
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="3 features"):
        model.fit(IRIS[:, :3])
    assert clone(model).set_params(hidden_layer_sizes=8).fit(IRIS).n_iter_ == 3


# Refits that fail.


@each
def test_interrupts_and_bad_rows_keep_the_earlier_fit(estimator, monkeypatch):
    model = clone(estimator).fit(IRIS)
    before = pickle.dumps(model)
    holes = IRIS.copy()
    holes[3, 1] = np.nan
    with pytest.raises(
        ValueError, match=r"NaN, first in row 3, column 1.*ConditionalGMMInpainter"
    ):
        model.fit(holes[:, :3])
    with pytest.raises(ValueError, match="X_val contains NaN"):
        model.fit(IRIS, X_val=holes)
    original, calls = _torch.train_epoch, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(_torch, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(IRIS[:, :3])
    assert pickle.dumps(model) == before


@each
def test_divergence_is_told(estimator):
    model = clone(estimator).set_params(learning_rate_init=1e30)
    with pytest.raises(ValueError, match=r"diverged in epoch \d.*Lower learning_rate_init=1e\+30"):
        model.fit(IRIS)
    assert not learned(model)


def test_parameters_that_are_refused():
    for name, value, text in (
        ("device", "abacus", "device='abacus' cannot be used"),
        ("hidden_layer_sizes", (8, 0), "positive integers"),
        ("feature_range", (0.2, 0.5), "does not hold the values"),
        ("betas", (0.5, 1.0), "from 0 to below 1"),
    ):
        estimator = VAE if name in VAE.get_params() else GAN
        with pytest.raises(ValueError, match=text):
            clone(estimator).set_params(**{name: value}).fit(IRIS)


# Progress.


@each
def test_verbose_prints_epochs(estimator, capsys):
    clone(estimator).fit(IRIS)
    assert capsys.readouterr().out == ""
    clone(estimator).set_params(verbose=2).fit(IRIS, X_val=IRIS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert re.search(r"epoch 3: .*loss \d.*validation .*loss \d.*, \d+\.\d s$", lines[-1])


class Watching:
    """Takes samples after each epoch, and may stop."""

    def __init__(self, last=None):
        self.names, self.samples, self.last = [], [], last

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.names.append(context.task_name)
        if context.task_name == "epoch":
            self.samples.append(fitted_estimator.sample(2, random_state=0))
        return context.task_name == "epoch" and len(self.samples) == self.last


@each
def test_callbacks_see_every_epoch(estimator):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    watching, stopping = Watching(), Watching(last=2)
    fitted = clone(estimator).set_callbacks(watching).fit(IRIS)
    assert watching.names == ["epoch"] * 3 + ["fit"]
    np.testing.assert_array_equal(watching.samples[-1], fitted.sample(2, random_state=0))
    two = clone(estimator).set_params(max_epochs=2).fit(IRIS)
    np.testing.assert_array_equal(watching.samples[1], two.sample(2, random_state=0))
    assert same(fitted, clone(estimator).fit(IRIS))
    assert same(two, clone(estimator).set_callbacks(stopping).fit(IRIS))


# Without torch.


@each
def test_pickles_are_used_without_torch(estimator, tmp_path):
    fitted = clone(estimator).fit(IRIS)
    method = "score_samples" if hasattr(fitted, "score_samples") else "discriminate"
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "rows.npy", IRIS)
    script = (
        "import sys\n"
        "class WithoutTorch:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, WithoutTorch())\n"
        "import pickle, numpy as np\n"
        "model = pickle.load(open('model.pkl', 'rb'))\n"
        f"np.save('found.npy', model.{method}(np.load('rows.npy')))\n"
        "np.save('samples.npy', model.sample(5, random_state=0))\n"
    )
    root = str(next(p for p in skmix.__path__)).removesuffix("skmix")
    environment = {"PYTHONPATH": root, "PATH": ""}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), getattr(fitted, method)(IRIS))
    np.testing.assert_array_equal(
        np.load(tmp_path / "samples.npy"), fitted.sample(5, random_state=0)
    )


@each
def test_skops_keeps_a_fit(estimator):
    io = pytest.importorskip("skops.io")
    fitted = clone(estimator).fit(IRIS)
    written = io.dumps(fitted)
    unknown = io.get_untrusted_types(data=written)
    assert all(name.startswith("skmix.neural.") for name in unknown)
    loaded = io.loads(written, trusted=unknown)
    assert same(fitted, loaded)
    np.testing.assert_array_equal(loaded.sample(3), fitted.sample(3))


def test_behind_a_reduction():
    model = make_pipeline(PCA(2), StandardScaler(), clone(GAUSSIAN)).fit(load_iris().data)
    assert model.inverse_transform(model.transform(load_iris().data)).shape == (150, 4)
