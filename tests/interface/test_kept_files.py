"""Files that version 0.1.0 wrote: later versions load them, or warn.

They hold ``GaussianMixture(2, covariance_type="diag", random_state=0)``, fitted to the rows below.
"""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

import skmix
from skmix.exceptions import InconsistentVersionWarning

FILES = Path(__file__).parent / "kept"
WRITTEN_BY = "0.1.0"
X = np.array([[0.0, 0.1], [0.3, -0.2], [5.0, 5.5], [5.2, 4.9], [0.1, 0.0], [5.1, 5.2]])


def from_pickle():
    return pickle.loads((FILES / "mixture.pkl").read_bytes())


def from_skops():
    io = pytest.importorskip("skops.io")
    unknown = io.get_untrusted_types(file=FILES / "mixture.skops")
    assert unknown == ["skmix._mixtures.gaussian.GaussianMixture"]
    return io.load(FILES / "mixture.skops", trusted=unknown)


@pytest.mark.parametrize("load", [from_pickle, from_skops])
def test_kept_files_are_loaded_or_warned_of(load):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mixture = load()
    warned = [w for w in caught if issubclass(w.category, InconsistentVersionWarning)]
    assert len(warned) == (skmix.__version__ != WRITTEN_BY)
    assert all(WRITTEN_BY in str(w.message) for w in warned)
    np.testing.assert_allclose(np.sort(mixture.means_[:, 0]), [0.4 / 3, 5.1], rtol=1e-6)
    sd = np.sqrt(mixture.covariances_)[:, None, :]
    density = norm.pdf(X, mixture.means_[:, None, :], sd).prod(axis=2)
    expected = np.log(mixture.weights_ @ density)
    np.testing.assert_allclose(mixture.score_samples(X), expected, rtol=1e-9)
    assert mixture.sample(3)[0].shape == (3, 2)


def test_a_file_of_another_version_is_warned_of():
    content = (FILES / "mixture.pkl").read_bytes()
    assert content.count(WRITTEN_BY.encode()) == 1
    with pytest.warns(InconsistentVersionWarning, match=r"pickled by skmix 9\.9\.9"):
        mixture = pickle.loads(content.replace(WRITTEN_BY.encode(), b"9.9.9"))
    assert mixture.n_features_in_ == 2
