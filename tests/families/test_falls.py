"""Falls of the likelihood: noticed for every family, unless regularisation or rounding explain."""

from functools import partial

import numpy as np
import pytest
from families import every_family, with_holes
from own_families import Normal, Poisson
from sklearn.exceptions import ConvergenceWarning

from skmix import (
    CategoricalMixture,
    DiagonalGMM,
    GaussianMixture,
    GSMDenoiser,
    ICADenoiser,
    Mixture,
)
from skmix._engine.em import em
from skmix._families import Categorical, GaussianFamily, ScaleFamily

OPTIONS = {
    "plain": {},
    "regularised": {"reg_covar": 0.5},
    "shrunk": {"reg_covar": 1e-3, "shrinkage": 60.0},
    "uncorrelated": {"reg_covar": 1e-3, "shrinkage": 20.0, "diagonal_shrinkage": 60.0},
    "noisy": {"reg_covar": 0.1, "noise_variance": np.full(3, 0.3)},
}


def options_of(case, name):
    """What of the options the family takes."""
    options = dict(OPTIONS[name])
    if case.family.shared_covariance:
        options.pop("shrinkage", None)
    if not case.family.dense:
        options.pop("diagonal_shrinkage", None)
    return options


def run_of(
    case, seed, *, dtype=np.float64, holes=False, hard=False, n_iter=15, begin=None, **options
):
    """EM from where the likelihood is highest, which regularisation leaves."""
    params, X = case.problem(seed, n_samples=120, n_components=3, n_features=3, spread=2.0)
    X = with_holes(X).astype(dtype) if holes else X.astype(dtype)
    start = case.fit(X, params, 15, incomplete=True).params
    if begin is not None:
        begin()
    with case.bound(X, incomplete=holes, **options) as (source, family):
        return em(source, family, family.to_frame(start), tol=0.0, max_iter=n_iter, hard=hard)


@every_family
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("holes", [False, True], ids=["complete", "holes"])
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("options", OPTIONS)
def test_what_regularisation_costs_is_no_fall(case, dtype, holes, hard, options):
    options = options_of(case, options)
    assert run_of(case, 0, dtype=dtype, holes=holes, hard=hard, **options).fall == 0.0


@every_family
def test_regularisation_does_lower_the_likelihood(case):
    shrunk = {"reg_covar": 1e-6, "shrinkage": 60.0}
    uncorrelated = {"reg_covar": 1e-6, "diagonal_shrinkage": 60.0}
    for options in ({"reg_covar": 0.5}, shrunk, uncorrelated):
        if not (case.family.shared_covariance and "shrinkage" in options) and (
            case.family.dense or "diagonal_shrinkage" not in options
        ):
            gains = np.diff(run_of(case, 0, **options).lower_bounds)
            assert gains.min() < -1e-4  # what the test above would take for a fall


class Spoilt:
    """A `maximize` whose fourth update is off by the weights."""

    def __init__(self, maximize):
        self.maximize, self.n_calls = maximize, 0

    def __call__(self, family, params, statistics):
        update = self.maximize(family, params, statistics)
        self.n_calls += 1
        if self.n_calls != 4:
            return update
        weights = update.weights * np.linspace(1.0, 20.0, len(update.weights)).reshape(
            -1, *[1] * (update.weights.ndim - 1)
        )
        return update._replace(weights=weights / weights.sum(axis=0))


def spoil(monkeypatch, family):
    spoilt = Spoilt(family.maximize)
    monkeypatch.setattr(family, "maximize", lambda *args: spoilt(*args))


@every_family
@pytest.mark.parametrize("options", OPTIONS)
def test_a_spoilt_update_is_noticed(case, options, monkeypatch):
    options = options_of(case, options)
    begin = partial(spoil, monkeypatch, GaussianFamily)
    result = run_of(case, 0, n_iter=7, begin=begin, **options)
    assert result.fall > 1e-3
    assert not result.converged


def unequal_clusters(rng):
    return np.concatenate([rng.normal(size=(150, 2)), rng.normal(5.0, 1.0, size=(30, 2))])


def fitted_by(name, rng):
    """A mixture, the class whose `maximize` it uses, and rows."""
    rows = unequal_clusters(rng)
    start = {"means_init": [[0.0, 0.0], [5.0, 5.0]], "weights_init": [0.5, 0.5]}
    start["precisions_init"] = np.ones((2, 2))
    start["tol"] = 1e-9
    return {
        "gaussian": (DiagonalGMM(2, **start), GaussianFamily, rows),
        "own": (Mixture(2, family_factory=Normal, random_state=0), Normal, rows),
        "counts": (Mixture(2, family_factory=Poisson, random_state=0), Poisson, rows.round() ** 2),
        "categorical": (CategoricalMixture(2, random_state=0), Categorical, rows > 2.5),
        "gsm": (GSMDenoiser(3, noise_std=0.1), ScaleFamily, rng.standard_t(3, size=(400, 2))),
        "learned": (
            GSMDenoiser(3, noise_std=0.1, learn_covariance=True),
            ScaleFamily,
            rng.standard_t(3, size=(400, 2)),
        ),
        "ica": (ICADenoiser(3, noise_std=0.1), ScaleFamily, rng.standard_t(3, size=(400, 2))),
    }[name]


NAMES = ["gaussian", "own", "counts", "categorical", "gsm", "learned", "ica"]


@pytest.mark.parametrize("name", NAMES)
def test_estimators_say_that_the_likelihood_fell(name, monkeypatch):
    estimator, family, rows = fitted_by(name, np.random.default_rng(0))
    start = estimator.fit(rows)
    if hasattr(estimator, "warm_start"):
        estimator.set_params(warm_start=True)  # one run, whose fourth update is spoilt
    spoil(monkeypatch, family)
    estimator.set_params(tol=0.0, max_iter=8)
    with pytest.warns(ConvergenceWarning, match=r"likelihood fell by .* nats per row"):
        start.fit(rows)
    assert estimator.converged_ is False


class Hasty(Normal):
    """Not the most likely parameters: every mean is a little off."""

    def estimate(self, weights, means, counts):
        params = super().estimate(weights, means, counts)
        return params._replace(means=params.means + 0.5)


def test_an_estimate_that_is_not_the_most_likely_one_is_reported():
    rows = unequal_clusters(np.random.default_rng(1))
    mixture = Mixture(2, family_factory=Normal, warm_start=True, random_state=0).fit(rows)
    with pytest.warns(ConvergenceWarning, match=r"Hasty\.estimate"):
        mixture.set_params(family_factory=Hasty, tol=0.0, max_iter=5).fit(rows)
    assert not mixture.converged_


class StiffWithCost(Normal):
    """Normal components with variances one larger, which say what that costs."""

    def __init__(self, n_features):
        super().__init__(n_features, reg_variance=1.0)

    def concession(self, params, update, total_weight):
        gain = 1.0 / params.variances - 1.0 / update.variances
        return 0.5 * self.reg_variance * float(update.weights @ gain.sum(axis=1))


def test_own_components_may_say_what_their_prior_costs():
    rows = unequal_clusters(np.random.default_rng(0))
    mixture = Mixture(2, family_factory=StiffWithCost, random_state=0, tol=1e-9).fit(rows)
    assert mixture.converged_


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("seed", range(3))
def test_ordinary_fits_do_not_fall(covariance_type, seed, recwarn):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4)) + 4.0 * rng.integers(3, size=(300, 1))
    options = {"covariance_type": covariance_type, "random_state": seed}
    mixture = GaussianMixture(3, init_params="kmeans", tol=1e-7, max_iter=500, **options)
    assert mixture.fit(X).converged_
    assert not len(recwarn)
