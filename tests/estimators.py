"""The one table of public estimators: a new estimator joins every table test by adding a row."""

from itertools import product
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from own_families import Normal, StiffNormal
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skmix import (
    CategoricalBayesClassifier,
    CategoricalMixture,
    ConditionalGMMInpainter,
    DiagonalGMM,
    GaussianMixture,
    GMMBayesClassifier,
    GMMDenoiser,
    GMMRegressor,
    GSMDenoiser,
    ICADenoiser,
    KMeansQuantizer,
    MixedBayesClassifier,
    MixedMixture,
    Mixture,
    MixtureImputer,
    MixtureOutlierDetector,
    MVNDenoiser,
    TransformedDensity,
)

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
OTHERS = ("full", "tied", "spherical")
N_COMPONENTS = (1, 2, 3)


class Row(NamedTuple):
    """What the table tests know of a class of estimators."""

    instances: list  # one per setting that runs other code
    estimator_type: str | None  # scikit-learn's tag
    changes: dict[str, Any]  # for every parameter a value that changes what a fit does
    holes: bool = False  # whether parameters do something only where cells are missing
    # What a search over two values of a parameter finds different likelihoods for.
    grid: Any = MappingProxyType({"n_components": [1, 2]})
    base: Any = MappingProxyType({})  # parameters without which `changes` would change nothing


EM_CHANGES = {
    "n_components": 3,
    "tol": 0.05,
    "reg_covar": 0.1,
    "max_iter": 3,
    "n_init": 2,
    "init_params": "k-means++",
    "random_state": 1,
    "verbose": 0,
    "verbose_interval": 1,
    "shrinkage": 20.0,
}
START_CHANGES = {
    "weights_init": [0.9, 0.1],
    "means_init": [[0.0, 0.0], [1.0, 1.0]],
    "precisions_init": [[0.5, 1.0], [1.0, 2.0]],
    "warm_start": True,
}
LATENT_CLASS_CHANGES = {
    "n_components": 3,
    "categories": [list(range(20))] * 2,  # random starts draw a probability for each
    "alpha": 5.0,
    "tol": 0.05,
    "max_iter": 3,
    "n_init": 2,
    "init_params": "auto",
    "random_state": 1,
    "verbose": 0,
    "verbose_interval": 1,
}

NOISE_CHANGES = {"noise_std": 0.7, "training_noise_std": 0.3}
SCALE_CHANGES = {
    **NOISE_CHANGES,
    **{name: EM_CHANGES[name] for name in ("tol", "reg_covar", "max_iter", "random_state")},
    **{name: EM_CHANGES[name] for name in ("n_components", "verbose", "verbose_interval")},
    "assume_centered": True,
}

TABLE = {
    GaussianMixture: Row(
        [
            GaussianMixture(k, covariance_type=covariance_type, random_state=0)
            for k, covariance_type in [(1, "full"), (3, "diag"), *product([2], COVARIANCE_TYPES)]
        ]
        + [GaussianMixture(2, covariance_type=kind, random_state=0) for kind in ("EVI", "VVE")]
        + [GaussianMixture(2, shrinkage=5.0, random_state=0)]
        + [GaussianMixture(2, assignment="hard", random_state=0)]
        + [GaussianMixture(2, covariance_type="diag", prior="data", random_state=0)]
        + [GaussianMixture(2, noise=True, random_state=0)],
        "density_estimator",
        {
            **EM_CHANGES,
            **START_CHANGES,
            "covariance_type": "spherical",
            "assignment": "hard",
            "prior": "data",
            "noise": True,
        },
    ),
    DiagonalGMM: Row(
        [DiagonalGMM(k, random_state=0) for k in N_COMPONENTS]
        + [DiagonalGMM(2, shrinkage=5.0, random_state=0)]
        + [DiagonalGMM(2, assignment="hard", random_state=0)],
        "density_estimator",
        {
            **EM_CHANGES,
            **START_CHANGES,
            "assignment": "hard",
            "prior": "data",
            "noise": True,
        },
    ),
    GMMBayesClassifier: Row(
        [
            GMMBayesClassifier(k, covariance_type=covariance_type, random_state=0)
            for k, covariance_type in [*product(N_COMPONENTS, ["diag"]), *product([2], OTHERS)]
        ]
        + [GMMBayesClassifier(1, covariance_type="full", shrinkage=5.0, random_state=0)]
        + [
            GMMBayesClassifier(k, covariance_type=kind, share="classes", random_state=0)
            for k, kind in [(1, "tied"), (2, "VEI")]
        ],
        "classifier",
        {
            **EM_CHANGES,
            "covariance_type": "spherical",
            "share": "classes",
            "priors": [0.2, 0.3, 0.5],
            "unlabeled": 2,
            "prior": "data",
        },
    ),
    ConditionalGMMInpainter: Row(
        [
            ConditionalGMMInpainter(k, covariance_type=covariance_type, random_state=0)
            for k, covariance_type in [(1, "full"), *product([2], COVARIANCE_TYPES)]
        ]
        + [ConditionalGMMInpainter(2, shrinkage=5.0, add_indicator=True, random_state=0)]
        + [ConditionalGMMInpainter(2, shrinkage=0.0, prior="data", random_state=0)],
        None,
        {
            **EM_CHANGES,
            "covariance_type": "spherical",
            "sample_posterior": True,
            "add_indicator": True,
            "min_value": 0.5,
            "max_value": 0.5,
            "prior": "data",
        },
        holes=True,
        base={"shrinkage": 0.0},
    ),
    GMMRegressor: Row(
        [
            GMMRegressor(k, covariance_type=covariance_type, random_state=0)
            for k, covariance_type in [(1, "full"), (2, "full"), (2, "tied")]
        ]
        + [GMMRegressor(2, shrinkage=5.0, random_state=0)]
        + [GMMRegressor(2, prior="data", random_state=0)],
        "regressor",
        {**EM_CHANGES, "covariance_type": "full", "prior": "data"},
    ),
    MVNDenoiser: Row(
        [MVNDenoiser(random_state=0), MVNDenoiser(training_noise_std=0.2, random_state=0)],
        None,
        {**NOISE_CHANGES, "reg_covar": 0.1, "random_state": 1},
        grid={"reg_covar": [1e-6, 1.0]},
    ),
    GMMDenoiser: Row(
        [
            GMMDenoiser(k, covariance_type=covariance_type, random_state=0)
            for k, covariance_type in [(1, "full"), *product([2], COVARIANCE_TYPES)]
        ]
        + [GMMDenoiser(2, shrinkage=5.0, training_noise_std=0.2, random_state=0)]
        + [GMMDenoiser(2, prior="data", training_noise_std=0.2, random_state=0)],
        None,
        {**EM_CHANGES, **NOISE_CHANGES, "covariance_type": "spherical", "prior": "data"},
    ),
    GSMDenoiser: Row(
        [
            GSMDenoiser(1, random_state=0),
            GSMDenoiser(3, random_state=0),
            GSMDenoiser(3, assume_centered=True, learn_covariance=True, random_state=0),
            GSMDenoiser(3, training_noise_std=0.2, random_state=0),
        ],
        None,
        {**SCALE_CHANGES, "learn_covariance": True},
    ),
    ICADenoiser: Row(
        [
            ICADenoiser(1, random_state=0),
            ICADenoiser(3, random_state=0),
            ICADenoiser(3, rotation="ica", training_noise_std=0.2, random_state=0),
        ],
        None,
        {**SCALE_CHANGES, "rotation": "ica"},
    ),
    CategoricalMixture: Row(
        [
            CategoricalMixture(2, random_state=0),
            CategoricalMixture(1),
            CategoricalMixture(3, alpha=1.0, init_params="random", random_state=0),
            CategoricalMixture(2, assignment="hard", random_state=0),
        ],
        "density_estimator",
        {**LATENT_CLASS_CHANGES, "warm_start": True, "assignment": "hard"},
    ),
    CategoricalBayesClassifier: Row(
        [
            CategoricalBayesClassifier(),
            CategoricalBayesClassifier(2, init_params="random", random_state=0),
        ],
        "classifier",
        {**LATENT_CLASS_CHANGES, "priors": [0.2, 0.3, 0.5], "unlabeled": 2},
    ),
    Mixture: Row(
        [Mixture(k, family_factory=Normal, random_state=0) for k in (1, 2)]
        + [Mixture(2, family_factory=Normal, assignment="hard", random_state=0)],
        "density_estimator",
        {
            **{name: EM_CHANGES[name] for name in ("n_components", "n_init", "random_state")},
            **{name: EM_CHANGES[name] for name in ("verbose", "verbose_interval")},
            "family_factory": StiffNormal,
            "tol": 1e-9,
            "max_iter": 1,
            "warm_start": True,
            "assignment": "hard",
        },
        base={"family_factory": Normal},
    ),
    MixedMixture: Row(
        [
            MixedMixture(2, random_state=0),
            MixedMixture(1, categorical_features=[0], handle_unknown="ignore"),
            MixedMixture(
                2,
                covariance_type="diag",
                categorical_features=[-1],
                handle_unknown="ignore",
                random_state=0,
            ),
            MixedMixture(
                2,
                covariance_type="tied",
                families={0: "poisson"},
                assignment="hard",
                random_state=0,
            ),
            MixedMixture(2, covariance_type="diag", prior="data", random_state=0),
        ],
        "density_estimator",
        {
            **EM_CHANGES,
            "covariance_type": "tied",
            "families": {0: "poisson"},
            "categorical_features": [0],
            "categories": [list(range(20))],
            "alpha": 5.0,
            "init_params": "auto",
            "warm_start": True,
            "assignment": "hard",
            "prior": "data",
        },
        base={"categorical_features": [1], "alpha": 0.5},
    ),
    MixedBayesClassifier: Row(
        [
            MixedBayesClassifier(random_state=0),
            MixedBayesClassifier(
                2,
                covariance_type="tied",
                categorical_features=[0],
                handle_unknown="ignore",
                random_state=0,
            ),
            MixedBayesClassifier(2, prior="data", random_state=0),
        ],
        "classifier",
        {
            **EM_CHANGES,
            "covariance_type": "tied",
            "priors": [0.2, 0.3, 0.5],
            "unlabeled": 2,
            "families": {0: "poisson"},
            "categorical_features": [0],
            "categories": [list(range(20))],
            "alpha": 5.0,
            "init_params": "auto",
            "prior": "data",
        },
        base={"categorical_features": [1], "alpha": 0.5},
    ),
    MixtureImputer: Row(
        [
            MixtureImputer(MixedMixture(random_state=0)),
            MixtureImputer(MixedMixture(2, covariance_type="diag", random_state=0)),
            MixtureImputer(
                MixedMixture(categorical_features=[0], handle_unknown="ignore"),
                sample_posterior=True,
                random_state=0,
            ),
        ],
        None,
        {
            "mixture": None,
            "sample_posterior": False,
            "min_value": 3.0,
            "max_value": 0.5,
            "random_state": 1,
        },
        holes=True,
        grid={"mixture__n_components": [1, 2]},
        base={
            "mixture": MixedMixture(2, families={0: "poisson"}, random_state=0),
            "sample_posterior": True,
        },
    ),
    MixtureOutlierDetector: Row(
        [
            MixtureOutlierDetector(random_state=0),
            MixtureOutlierDetector(2, covariance_type="diag", contamination=0.2, random_state=0),
            MixtureOutlierDetector(categorical_features=[0], handle_unknown="ignore"),
        ],
        "outlier_detector",
        {
            **{k: v for k, v in EM_CHANGES.items() if not k.startswith("verbose")},
            "n_init": 3,
            "random_state": 0,
            "covariance_type": "tied",
            "contamination": 0.3,
            "families": {0: "poisson"},
            "categorical_features": [0],
            "categories": [list(range(20))],
            "alpha": 5.0,
            "init_params": "auto",
        },
        base={"categorical_features": [1], "alpha": 0.5, "random_state": 1},
    ),
    KMeansQuantizer: Row(
        [KMeansQuantizer(random_state=0), KMeansQuantizer(3, batch_size=50, random_state=0)],
        None,
        {
            "n_codes": 5,
            "n_init": 1,
            "max_iter": 1,
            "tol": 0.5,
            "batch_size": 50,
            "random_state": 1,
        },
        grid={"n_codes": [2, 4]},
    ),
    TransformedDensity: Row(
        [
            TransformedDensity(StandardScaler(), GaussianMixture(random_state=0)),
            TransformedDensity("passthrough", GaussianMixture(covariance_type="diag")),
        ],
        "density_estimator",
        {"transformer": "passthrough", "density": None, "random_state": 1},
        grid={"density__n_components": [1, 2]},
        base={"transformer": PCA(1), "density": GaussianMixture(2, random_state=0)},
    ),
}

ESTIMATORS = [estimator for row in TABLE.values() for estimator in row.instances]


def suited(estimator, X):
    """Return X as the estimator takes it: codes where it wants categories, or with holes."""
    if TABLE[type(estimator)].holes:
        X = X.copy()
        X[::7, 0] = X[3::7, 1] = np.nan
    return np.round(X - np.nanmin(X)) if get_tags(estimator).input_tags.categorical else X


def numbers(result):
    """All arrays and numbers that a result consists of, in order."""
    if isinstance(result, BaseEstimator):
        learned = {k: v for k, v in vars(result).items() if k.endswith("_")}
        result = [learned[name] for name in sorted(learned)]
    if isinstance(result, (list, tuple)):
        return [number for part in result for number in numbers(part)]
    array = np.asarray(result)
    return [array] if array.dtype.kind in "biufc" else []  # neither texts, None nor objects
