"""Scorers for searches."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmix import GMMDenoiser, GSMDenoiser, ICADenoiser, MVNDenoiser
from skmix.metrics import psnr_scorer


def test_psnr_is_that_of_the_restored_rows():
    X = load_digits().data[:500] / 16
    denoiser = MVNDenoiser(noise_std=7.0).fit(X)
    noisy = X + 0.3 * np.random.RandomState(5).standard_normal(X.shape)
    error = np.mean((denoiser.transform(noisy, row_noise_std=0.3) - X) ** 2)
    score = psnr_scorer(0.3, random_state=5)(denoiser, X)
    assert score == pytest.approx(-10 * np.log10(error), abs=1e-9)
    wider = psnr_scorer(0.3, data_range=255.0, random_state=5)(denoiser, X)
    assert wider == pytest.approx(score + 20 * np.log10(255), abs=1e-9)
    assert psnr_scorer(0.3)(denoiser, X) == psnr_scorer(0.3)(denoiser, X, y=X)
    assert psnr_scorer(0.3, random_state=1)(denoiser, X) != psnr_scorer(0.3)(denoiser, X)
    assert psnr_scorer(0.0)(denoiser, X) == np.inf
    single = psnr_scorer(0.3, random_state=5)(denoiser, X.astype(np.float32))
    assert single == pytest.approx(score, abs=1e-4)


def test_search_over_the_number_of_components():
    rng = np.random.default_rng(0)
    X = rng.choice([0.1, 5.0], size=(400, 1)) * rng.normal(size=(400, 4))
    for denoiser in (GSMDenoiser(), GMMDenoiser(random_state=0)):
        search = GridSearchCV(
            denoiser, {"n_components": [1, 2]}, scoring=psnr_scorer(1.0), cv=3, n_jobs=2
        ).fit(X)
        assert search.best_params_ == {"n_components": 2}
        assert np.ptp(search.cv_results_["mean_test_score"]) > 0.1


def test_pipelines_are_scored_in_units_of_the_rows():
    X = load_digits().data / 16
    inside = MVNDenoiser(noise_std=0.3)
    alone = cross_val_score(inside, X, scoring=psnr_scorer(0.3))
    rotated = cross_val_score(make_pipeline(PCA(), inside), X, scoring=psnr_scorer(0.3))
    np.testing.assert_allclose(rotated, alone, atol=1e-3)
    few = make_pipeline(PCA(10), inside)
    assert 15.0 < np.mean(cross_val_score(few, X, scoring=psnr_scorer(0.3))) < np.mean(alone)
    rng = np.random.default_rng(0)
    X = 10.0 * rng.normal(size=(600, 5)) @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    scaled = make_pipeline(StandardScaler(), MVNDenoiser(noise_std=0.3)).fit(X)
    alone = MVNDenoiser().fit(X)
    assert psnr_scorer(3.0)(scaled, X) == pytest.approx(psnr_scorer(3.0)(alone, X), abs=0.05)


def test_psnr_of_frames_with_names():
    X = pd.DataFrame(load_digits().data[:300] / 16).add_prefix("pixel")
    denoiser = ICADenoiser(2).fit(X)
    bare = ICADenoiser(2).fit(X.to_numpy())
    assert psnr_scorer(0.2)(denoiser, X) == psnr_scorer(0.2)(bare, X.to_numpy())


def test_psnr_scorer_is_pickled():
    X = load_digits().data[:100] / 16
    scorer, denoiser = psnr_scorer(0.2), MVNDenoiser().fit(X)
    assert pickle.loads(pickle.dumps(scorer))(denoiser, X) == scorer(denoiser, X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_std": -1.0}, "noise_std must be finite and not negative"),
        ({"noise_std": [0.1, 0.2]}, "noise_std must be a number"),
        ({"data_range": 0.0}, "data_range must be positive and finite, but is 0.0"),
    ],
)
def test_bad_psnr(options, message):
    with pytest.raises(ValueError, match=message):
        psnr_scorer(**options)
