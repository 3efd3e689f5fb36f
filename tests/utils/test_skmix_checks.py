"""skmix.utils.estimator_checks: density estimators pass, and what is broken fails, by name."""

from unittest import SkipTest

import numpy as np
import pandas
import pytest
import sklearn.mixture
from estimators import ESTIMATORS
from own_families import Normal, Poisson
from sklearn.base import BaseEstimator, DensityMixin, OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KernelDensity
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_info

from skmix import (
    CategoricalMixture,
    ConditionalGMMInpainter,
    DiagonalGMM,
    GaussianMixture,
    GMMDenoiser,
    GSMDenoiser,
    ICADenoiser,
    MixedMixture,
    Mixture,
    MixtureOutlierDetector,
    MVNDenoiser,
    TransformedDensity,
)
from skmix._rows import sources
from skmix.utils import estimator_checks
from skmix.utils.estimator_checks import parametrize_with_checks, skmix_checks

pytestmark = pytest.mark.usefixtures("few_starts")
DENSITIES = [
    *(GaussianMixture(2, covariance_type=kind) for kind in ("full", "tied", "diag", "VEV")),
    GaussianMixture(2, assignment="hard"),
    GaussianMixture(2, shrinkage=5.0),
    GaussianMixture(2, covariance_type="EEV", prior="data"),
    DiagonalGMM(2, init_params="kmeans"),
    Mixture(2, family_factory=Normal, tol=1e-4),
    Mixture(2, family_factory=Poisson, tol=1e-4),
    CategoricalMixture(2, init_params="random", tol=1e-4, random_state=0),
    CategoricalMixture(2, init_params="random", assignment="hard", random_state=1),
    CategoricalMixture(1, alpha=1.0),
    MixedMixture(2, categorical_features=[0], families={1: "poisson"}, tol=1e-8),
    MixedMixture(2, covariance_type="tied", categorical_features=[0], assignment="hard"),
    MixtureOutlierDetector(2, categorical_features=[0], families={1: "poisson"}, tol=1e-8),
    MixtureOutlierDetector(covariance_type="tied", alpha=0.0),
    TransformedDensity(None, GaussianMixture()),
    ConditionalGMMInpainter(2),
    MVNDenoiser(training_noise_std=0.2),
    GMMDenoiser(2, covariance_type="diag"),
    GSMDenoiser(3),
    ICADenoiser(3),
    ICADenoiser(2, rotation="ica"),
]
PRIOR = "pseudo-observations weigh against the rows"


def expected_failures(estimator):
    priors = ("shrinkage", "alpha", "prior")
    if any(getattr(estimator, name, None) for name in priors):
        return {"check_sample_weight_factor": PRIOR}
    return {}


def suitable_rows(estimator):
    """Counts for the family of counts; None has the checks make rows."""
    if getattr(estimator, "family_factory", None) is Poisson:
        rng = np.random.default_rng(0)
        return rng.poisson(np.array([[1, 5, 2], [9, 2, 4]])[rng.integers(2, size=100)])
    return None


def test_every_class_of_density_estimators_is_here():
    classes = {
        type(estimator)
        for estimator in ESTIMATORS
        if hasattr(estimator, "score_samples") and not get_tags(estimator).target_tags.required
    }
    assert classes == {type(estimator) for estimator in DENSITIES}


@parametrize_with_checks(DENSITIES, expected_failed_checks=expected_failures, rows=suitable_rows)
def test_every_density_estimator(estimator, check):
    check(estimator)


def test_all_checks_are_public_and_yielded():
    named = [name for name in estimator_checks.__all__ if name.startswith("check_")]
    checks = [check.func.__name__ for _, check in skmix_checks(GaussianMixture())]
    assert sorted(checks) == named


@pytest.mark.parametrize("density", [KernelDensity(), sklearn.mixture.GaussianMixture()])
def test_the_estimators_of_scikit_learn_pass_what_applies(density):
    skipped = 0
    for estimator, check in skmix_checks(density):
        if check.func.__name__ in (
            "check_sample_weight_zero",
            "check_threads",
            "check_chunk_size",
        ):
            continue  # KernelDensity takes the logarithm of 0, and its time with many rows
        try:
            check(estimator)
        except SkipTest:
            skipped += 1
    assert skipped == (2 if isinstance(density, KernelDensity) else 4)


# Broken ones ---------------------------------------------------------------------------------


class Plain(OneToOneFeatureMixin, TransformerMixin, DensityMixin, BaseEstimator):
    """Independent Gaussian columns of rows with holes: passes, and is broken below."""

    def fit(self, X, y=None, sample_weight=None):
        X = validate_data(self, X, ensure_all_finite="allow-nan", dtype=np.float64)
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, float)
        return self._learn(X, weight)

    def _learn(self, X, weight):
        observed = weight[:, None] * ~np.isnan(X)
        self.mean_ = np.nansum(weight[:, None] * X, axis=0) / observed.sum(axis=0)
        squares = weight[:, None] * (X - self.mean_) ** 2
        self.variance_ = np.nansum(squares, axis=0) / observed.sum(axis=0)
        return self

    def _validated(self, X):
        if not hasattr(self, "mean_"):
            raise NotFittedError
        return validate_data(self, X, reset=False, ensure_all_finite="allow-nan")

    def _cells(self, X):
        z = (X - self.mean_) ** 2 / self.variance_
        return -0.5 * (z + np.log(2 * np.pi * self.variance_))

    def score_samples(self, X):
        return np.nansum(self._cells(self._validated(X)), axis=1)

    def transform(self, X):
        return self._validated(X) - self.mean_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class NoScoreOfHoles(Plain):
    def score_samples(self, X):
        return self._cells(self._validated(X)).sum(axis=1)


class FillsFromTheBatch(Plain):
    def score_samples(self, X):
        X = self._validated(X)
        cells = self._cells(np.where(np.isnan(X), np.nanmean(X), X))
        return cells.sum(axis=1)


class ScoresNothing(Plain):
    def score_samples(self, X):
        scores = super().score_samples(X)
        return np.where(np.isnan(X).all(axis=1), -1.0, scores)


class CountsEmptyRows(Plain):
    def _learn(self, X, weight):
        super()._learn(X, weight)
        self.variance_ *= 1 + 1 / len(X)
        return self


class RootsOfWeights(Plain):
    def _learn(self, X, weight):
        return super()._learn(X, np.sqrt(weight))


class SmallestWeight(Plain):
    def _learn(self, X, weight):
        return super()._learn(X, np.maximum(weight, 0.5))


class AbsolutePrior(Plain):
    def _learn(self, X, weight):
        super()._learn(X, weight)
        self.variance_ += 1 / weight.sum()
        return self


class FirstRowCountsTwice(Plain):
    def _learn(self, X, weight):
        return super()._learn(np.concatenate([X[:1], X]), np.concatenate([weight[:1], weight]))


class ScoresByTheBatch(Plain):
    def score_samples(self, X):
        scores = super().score_samples(X)
        return scores - 1e-3 * scores.mean()


class SeesChunks(Plain):
    def _learn(self, X, weight):
        super()._learn(X, weight)
        self.mean_ = self.mean_ + 1e-4 * (sources.CHUNK_BYTES < 1000)
        return self


class SeesThreads(Plain):
    def _learn(self, X, weight):
        super()._learn(X, weight)
        n_threads = max(library["num_threads"] for library in threadpool_info())
        self.mean_ = self.mean_ + 1e-12 * n_threads
        return self


class DeafToSetOutput(Plain):
    def set_output(self, transform=None):
        return self


class LosesTheIndex(Plain):
    def transform(self, X):
        output = super().transform(X)
        return output.reset_index(drop=True) if hasattr(output, "columns") else output


class AlwaysAFrame(Plain):
    def transform(self, X):
        frame = pandas.DataFrame(self._validated(X) - self.mean_, getattr(X, "index", None))
        return frame.set_axis(self.get_feature_names_out(), axis=1)


class ContinuesFromTheLastFit(Plain):
    def _learn(self, X, weight):
        earlier = len(getattr(self, "mean_", []))
        super()._learn(X, weight)
        self.mean_ = self.mean_ + 1e-9 * earlier
        return self


class LeavesSomethingBehind(Plain):
    def _learn(self, X, weight):
        super()._learn(X, weight)
        if X.shape[1] == 2:
            self.pair_ = True
        return self


class ForgetsFirst(Plain):
    def fit(self, X, y=None, sample_weight=None):
        for name in ("mean_", "variance_"):
            if hasattr(self, name):
                delattr(self, name)
        return super().fit(X, y, sample_weight)


class ResetsFirst(Plain):
    def fit(self, X, y=None, sample_weight=None):
        self.mean_ = np.zeros(3)
        return super().fit(X, y, sample_weight)


class TakesEverything(Plain):
    def fit(self, X, y=None, sample_weight=None):
        return super().fit(np.clip(X, -9, 9), y, sample_weight)


class BreaksWhenItFails(Plain):
    def fit(self, X, y=None, sample_weight=None):
        try:
            return super().fit(X, y, sample_weight)
        except ValueError:
            self.n_features_in_ = 7
            raise


BROKEN = [
    (NoScoreOfHoles, "missing_cells", "row 2., which has missing cells, is nan"),
    (FillsFromTheBatch, "missing_cells", "differs scored beside other rows"),
    (ScoresNothing, "missing_cells", "has log density -1 instead of 0"),
    (CountsEmptyRows, "missing_cells", "after a fit with an empty row more"),
    (RootsOfWeights, "sample_weight_repetition", "integer weights instead of repeated rows"),
    (SmallestWeight, "sample_weight_zero", "rows of weight 0 instead of without them"),
    (AbsolutePrior, "sample_weight_factor", "all weights multiplied by 0.001"),
    (FirstRowCountsTwice, "row_order", "same rows in another order, in 120 of 120 places"),
    (ScoresByTheBatch, "chunk_size", "differs scored in parts"),
    (SeesChunks, "chunk_size", "fitted in small chunks"),
    (SeesThreads, "threads", "on two threads instead of one"),
    (DeafToSetOutput, "set_output", "transform returns ndarray instead of a DataFrame"),
    (LosesTheIndex, "set_output", "the index of the DataFrame that transform returns"),
    (AlwaysAFrame, "set_output", r"set_output\(transform='default'\), transform returns a Data"),
    (ContinuesFromTheLastFit, "refit", "differs after an earlier fit"),
    (LeavesSomethingBehind, "refit", r"in the attribute\(s\) pair_"),
    (ForgetsFirst, "failed_refit", "mean_, variance_ came or went after a fit to rows that are"),
    (ResetsFirst, "failed_refit", "differs after a fit to rows that are infinite that failed"),
    (TakesEverything, "failed_refit", "a fit to rows that are infinite raises no error"),
    (BreaksWhenItFails, "failed_refit", "no row can be scored after a fit"),
]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize(("cls", "name", "message"), BROKEN)
def test_each_check_fails_on_what_it_is_for(cls, name, message):
    if cls is SeesThreads and max(lib["num_threads"] for lib in threadpool_info()) < 2:
        pytest.skip("BLAS of this process has one thread")
    check = getattr(estimator_checks, f"check_{name}")
    check("Plain", Plain())
    with pytest.raises(AssertionError, match=message) as failure:
        check("Broken", cls())
    assert str(failure.value).startswith("Broken: ")


def test_every_check_has_something_that_fails_it():
    names = {check.func.__name__ for _, check in skmix_checks(Plain())}
    assert names == {f"check_{name}" for _, name, _ in BROKEN}


def test_chunks_have_their_size_again_after_a_failure():
    size = sources.CHUNK_BYTES
    with pytest.raises(AssertionError):
        estimator_checks.check_chunk_size("Broken", SeesChunks())
    assert size == sources.CHUNK_BYTES


def test_failures_that_are_expected_are_marked():
    mark = parametrize_with_checks(
        [Plain()], expected_failed_checks=lambda estimator: {"check_refit": "a reason"}
    ).mark
    marked = [parameter for parameter in mark.args[1] if parameter.marks]
    assert [parameter.id for parameter in marked] == ["Plain()-check_refit"]
    assert marked[0].marks[0].kwargs == {"reason": "a reason", "strict": True}
