"""What calls are told that were once answered badly, as random ones found."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

import skmix
from skmix import CategoricalBayesClassifier, GaussianMixture, GMMBayesClassifier
from skmix.image import compress, denoise, estimate_noise_std, extract_patches, fit_patch_prior
from skmix.metrics import class_coverage, psnr_scorer

pytestmark = pytest.mark.usefixtures("few_starts")
Y = np.arange(12) % 3
X = np.random.default_rng(0).normal(size=(12, 2)) + 4.0 * np.eye(3)[Y][:, :2]
COUNTS = np.clip(np.round(X - X.min()), 0, 3)


def edited(fitted, **learned):
    vars(fitted).update(learned)
    return fitted


FITTED = GaussianMixture(2, random_state=0).fit(X)
WRONG = {
    "a denoiser for a mixture": (
        lambda: skmix.bootstrap_lrt(skmix.GMMDenoiser(), X),
        "estimator must be a mixture of skmix, .* but is a GMMDenoiser",
    ),
    "several labels for no label": (
        lambda: GMMBayesClassifier(unlabeled=[0, 1]).fit(X, Y),
        "unlabeled must be one label",
    ),
    "weights that are a word": (
        lambda: edited(skmix.CategoricalMixture().fit(COUNTS), weights_="abc").report(),
        "weights_ must be an array of numbers",
    ),
    "means of another shape to go on from": (
        lambda: edited(GaussianMixture().fit(X), means_=[]).partial_fit(X),
        "means_ of GaussianMixture must have shape",
    ),
    "bounds in the wrong order": (
        lambda: skmix.MixtureImputer(min_value=3.0, max_value=2.0).fit(X),
        "min_value=3.0 is larger than max_value=2.0 for column 0: give the smaller one",
    ),
    "a prior that cannot learn": (
        lambda: fit_patch_prior([np.eye(12)], 3),
        "estimator must have fit, as GMMDenoiser",
    ),
    "an option that is several": (
        lambda: FITTED.entropy(X, relative=np.array([0.5, 1.0])),
        "relative must be True or False",
    ),
    "means without a shape": (
        lambda: edited(GaussianMixture().fit(X), means_=np.nan).cdf(X),
        "means_ of GaussianMixture must have shape",
    ),
    "complex labels": (
        lambda: GMMBayesClassifier().fit(X, Y.astype(complex)),
        "Complex data not supported.*y must be one target per row",
    ),
    "complex labels of categories": (
        lambda: CategoricalBayesClassifier().fit(COUNTS, Y.astype(complex)),
        "y must be one class label per row: Complex",
    ),
    "measurements for labels": (
        lambda: GMMBayesClassifier().fit(X, Y + 0.5),
        "y must be one class label per row, integers or words: Unknown label type",
    ),
    "ragged rows": (lambda: FITTED.predict([[1.0], [1.0, 2.0]]), "X must be an array"),
    "no estimator": (lambda: skmix.bootstrap(3, X), "mixture must be a fitted mixture"),
    "a grid without lists": (
        lambda: skmix.select_mixture(GaussianMixture(), X, {"n_components": 2}),
        "n_components",
    ),
    "a grid without names": (
        lambda: skmix.select_mixture(GaussianMixture(), X, {0: "poisson"}),
        "param_grid must be lists of values by names",
    ),
    "an option that is neither on nor off": (
        lambda: denoise(np.eye(12), remove_mean=np.zeros(0)),
        "remove_mean must be True or False",
    ),
    "a seed beyond 32 bits": (
        lambda: FITTED.sample(3, random_state=10**20),
        "random_state must be None, a whole number from 0",
    ),
    "a level that is no number": (
        lambda: skmix.bootstrap(FITTED, X, n_bootstrap=2, random_state=0).interval({}),
        "level must be a number",
    ),
    "a bound that is no number": (
        lambda: edited(skmix.DiagonalGMM().fit(X), lower_bound_="abc").partial_fit(X),
        "lower_bound_ must be an array of numbers",
    ),
    "missing cells to go back from": (
        lambda: skmix.ConditionalGMMInpainter().fit(X).inverse_transform(np.nan * X),
        "X contains NaN",
    ),
    "missing cells to add noise to": (
        lambda: psnr_scorer(noise_std=1.0, data_range=1.0)(FITTED, np.nan * X),
        "X contains NaN",
    ),
    "scales without weights": (
        lambda: edited(skmix.ICADenoiser(2).fit(X), weights_=np.ones((3, 2)) / 3).score(X),
        r"variances_ of ICADenoiser must have shape \(3, 2\)",
    ),
    "noise of a weight that is no number": (
        lambda: edited(GaussianMixture(noise=True).fit(X), noise_weight_="abc").predict(X),
        "noise_weight_ must be an array of numbers",
    ),
    "complex noise": (
        lambda: skmix.MVNDenoiser().fit(X).transform(X, row_noise_std=np.ones(12) * 1j),
        "row_noise_std must be a number or have one entry per row",
    ),
    "two ranges": (
        lambda: compress(np.eye(12), 2, random_state=0).psnr(np.eye(12) / 2, data_range=[1, 2]),
        "data_range=.* must be a positive number",
    ),
    "a gain that is no number": (
        lambda: denoise(np.eye(12), gain=np.zeros(0)),
        "gain must be a number",
    ),
    "bytes": (
        lambda: skmix.MixedMixture().fit(COUNTS.astype("S4")),
        "Column 0 of X holds bytes, not text. Decode them",
    ),
    "a model that is none": (
        lambda: skmix.bootstrap_lrt(2, X),
        "The 'estimator' parameter of bootstrap_lrt must be",
    ),
    "no target": (
        lambda: skmix.GMMRegressor().fit(pd.DataFrame(X, columns=["a", "b"]), [None] * 12),
        "y has a target that is entirely missing",
    ),
    "means of another shape": (
        lambda: edited(skmix.MixedMixture().fit(X), means_=[]).report(),
        "means_ of MixedMixture must have shape",
    ),
    "sources that do not vary": (
        lambda: edited(skmix.ICADenoiser(2).fit(X), variances_=np.zeros((2, 2))).score(X),
        "variances_ of ICADenoiser must hold numbers above 0",
    ),
    "rows whose squares overflow": (
        lambda: skmix.TransformedDensity(StandardScaler()).fit(1e200 * X),
        "images beyond 1e.75 by StandardScaler",
    ),
    "a rounding that is neither on nor off": (
        lambda: FITTED.impute(X, round_integers=np.zeros(2)),
        "round_integers must be True or False",
    ),
    "a number that no float holds": (
        lambda: GaussianMixture(reg_covar=10**400).fit(X),
        "The 'reg_covar' parameter of GaussianMixture must be",
    ),
    "labels that are a word": (
        lambda: GMMBayesClassifier().partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X, ""),
        "y should be a 1d array",
    ),
    "complex numbers to look up": (
        lambda: GaussianMixture().fit(X[:, :1]).cdf(X[:, 0] * 1j),
        "x must be a number or an array of numbers: complex",
    ),
    "a factory of nothing": (
        lambda: skmix.Mixture(family_factory=object).fit(X),
        "family_factory must be a function",
    ),
    "labels of more components than rows": (
        lambda: GaussianMixture(10**12).fit(X, partial_labels=Y),
        "Use at most as many components as there are rows",
    ),
    "precisions whose squares overflow": (
        lambda: edited(
            skmix.DiagonalGMM().fit(X), precisions_cholesky_=np.full((1, 2), 1e200)
        ).predict(X),
        "precisions_cholesky_ of DiagonalGMM must be finite, and at most 1e.153",
    ),
    "an axis that is no integer": (
        lambda: estimate_noise_std(np.ones((12, 12, 3)), channel_axis=-0.5),
        "channel_axis must be an integer or None",
    ),
    "a method that is no word": (
        lambda: denoise(np.eye(12), method=np.ones(2)),
        "method must be one of",
    ),
    "an infinite image to learn from": (
        lambda: fit_patch_prior([np.full((12, 12), np.inf)], skmix.MVNDenoiser()),
        "infinite pixels; write NaN",
    ),
    "no weight": (
        lambda: skmix.TransformedDensity().fit(X, sample_weight=0),
        "sample_weight is zero for every row",
    ),
    "columns that do not vary": (
        lambda: skmix.ICADenoiser(reg_covar=0).fit(np.ones((12, 2))),
        "Set reg_covar above zero",
    ),
    "an empty column under noise": (
        lambda: skmix.GMMDenoiser(training_noise_std=0.1).fit(X * [1.0, np.nan]),
        r"Column\(s\) 1 of X are entirely missing",
    ),
    "samples in chunks": (
        lambda: class_coverage(skmix.Chunks([X]), FITTED),
        "Chunks are not gathered into one array",
    ),
    "a size that is true": (
        lambda: extract_patches(np.zeros((4, 4)), True),
        "size and stride must be integers, but are True and 1",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_name_what_is_wrong(what):
    call, text = WRONG[what]
    with pytest.raises((TypeError, ValueError), match=re.compile(text, re.DOTALL)):
        call()


def test_means_may_be_lists_and_a_number_of_rows_true():
    listed = edited(GaussianMixture(2, random_state=0).fit(X), means_=FITTED.means_.tolist())
    np.testing.assert_array_equal(listed.predict(X), FITTED.predict(X))
    assert len(skmix.TransformedDensity().fit(X).sample(True)[0]) == 1


def test_words_that_are_no_category_are_filled_with_numbers():
    table = pd.DataFrame({"size": X[:, 0], "class": Y.astype(float)})
    mixture = skmix.MixedMixture(categorical_features=["class"], handle_unknown="ignore").fit(
        table
    )
    words = table.assign(**{"class": ["x", "y"] * 6})
    for filled in (mixture.impute(words), *mixture.sample_conditional(words, 2, random_state=0)):
        assert set(filled["class"].astype(float)) <= {0.0, 1.0, 2.0}
        np.testing.assert_array_equal(filled["size"], table["size"])


def test_rows_of_zeros_have_a_scale_mixture():
    fitted = skmix.GSMDenoiser(learn_covariance=True).fit(np.zeros((12, 2)))
    np.testing.assert_array_equal(fitted.transform(np.zeros((1, 2))), [[0.0, 0.0]])


def test_a_codebook_may_be_text():
    quantizer = skmix.KMeansQuantizer(2, random_state=0).fit(X)
    expected = quantizer.score(X)
    quantizer.codebook_ = quantizer.codebook_.astype(str)
    assert quantizer.score(X) == pytest.approx(expected)


def test_a_truth_is_the_number_that_it_is():
    for estimator in (
        GaussianMixture(True, init_params="kmeans"),
        skmix.GMMDenoiser(covariance_type="spherical", training_noise_std=True, noise_std=1.0),
    ):
        assert np.isfinite(estimator.fit(10.0 * X).score(10.0 * X))
