"""Bad parameters and weights are named in an error."""

import numpy as np
import pytest
from estimators import TABLE
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from skmix import GaussianMixture, GSMDenoiser, ICADenoiser, KMeansQuantizer

pytestmark = pytest.mark.usefixtures("few_starts")
FIRSTS = [row.instances[0] for row in TABLE.values()]
each_class = pytest.mark.parametrize("estimator", FIRSTS, ids=lambda e: type(e).__name__)


def rows(estimator):
    y = np.arange(36) % 3
    X = np.random.default_rng(0).normal(size=(36, 2)) + 3.0 * np.eye(3)[y][:, :2]
    return (
        np.fmin(np.round(X - X.min()), 3) if get_tags(estimator).input_tags.categorical else X
    ), y


@pytest.mark.parametrize("weight", [1e308, 1e-320])
@each_class
def test_weights_whose_sums_do_not_fit_are_named(estimator, weight):
    X, y = rows(estimator)
    if not has_fit_parameter(estimator, "sample_weight") or hasattr(estimator, "transformer"):
        pytest.skip("hands its weights on")
    with pytest.raises(ValueError, match=r"sample_weight.*Divide all weights"):
        clone(estimator).fit(X, y, sample_weight=np.full(len(X), weight))


@pytest.mark.parametrize("cls", [GSMDenoiser, ICADenoiser])
def test_more_scales_than_rows(cls):
    with pytest.raises(ValueError, match=r"n_components=1000000000000 .* rows, 36"):
        cls(10**12).fit(rows(cls())[0])


def test_a_batch_of_true_is_one_row():
    KMeansQuantizer(2, batch_size=True, random_state=0).fit(rows(KMeansQuantizer())[0])


def test_numbers_of_draws_are_whole():
    mixture = GaussianMixture(2, random_state=0).fit([[0.0], [0.5], [5.0], [6.0]])
    with pytest.raises(ValueError, match=r"n_samples=2\.5 must be a whole number"):
        mixture.sample(2.5)
    with pytest.raises(ValueError, match="n_samples='3' must be a whole number"):
        mixture.sample("3")
    assert len(mixture.sample(1e1, shuffle=True)[0]) == 10  # as scikit-learn takes it
