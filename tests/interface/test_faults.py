"""What is left where a fit is interrupted, or a file is broken."""

import multiprocessing
import threading

import numpy as np
import pytest
from faults import (
    HOSTILE,
    fitting,
    in_child,
    interrupted,
    lines,
    load_chunk,
    load_damaged,
    load_hostile,
    scores,
    surroundings,
)
from sklearn.base import clone

from skmix import CategoricalMixture, GaussianMixture, GMMBayesClassifier, GMMDenoiser
from skmix._rows.threads import blas_threads
from skmix.image import CompressedImage, compress, load_prior, save_prior

pytestmark = [
    pytest.mark.usefixtures("few_starts"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
Y = np.arange(30) % 3
X = np.random.default_rng(0).normal(size=(30, 2)) + 4.0 * np.eye(3)[Y][:, :2]


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianMixture(2, random_state=0),
        GaussianMixture(2, noise=True, covariance_type="diag", random_state=0),
        GMMBayesClassifier(2, random_state=0),
        CategoricalMixture(2, random_state=0),
    ],
    ids=repr,
)
def test_an_interrupted_fit_leaves_the_earlier_one(estimator):
    rows = np.clip(np.round(X - X.min()), 0, 3)
    fitted = clone(estimator).fit(rows, Y)
    expected = fitted.score_samples(rows)
    learned, outside = dict(vars(fitted)), surroundings()
    n_lines = lines(lambda: clone(estimator).fit(rows[:20], Y[:20]))
    rng = np.random.default_rng(0)
    for line in rng.integers(1, n_lines + 1, size=12):
        for error in (KeyboardInterrupt, MemoryError):
            with pytest.raises(error):
                interrupted(lambda: fitted.fit(rows[:20], Y[:20]), error, int(line))
            assert vars(fitted).keys() == learned.keys()
            assert all(vars(fitted)[name] is value for name, value in learned.items())
            assert surroundings() == outside
    np.testing.assert_array_equal(fitted.score_samples(rows), expected)


@pytest.fixture(params=["prior", "image", "rows"])
def loader(request, tmp_path):
    """A function that reads files of a kind, one of them, and how many damaged ones it refuses."""
    path = tmp_path / "file.npy"
    if request.param == "prior":
        save_prior(path, GMMDenoiser.from_parameters([1.0], [np.zeros(9)], [np.eye(9)]))
        return load_prior, path, 30
    if request.param == "image":
        compress(np.random.default_rng(0).random((20, 20)), 4, random_state=0).save(path)
        return CompressedImage.load, path, 30
    np.save(path, X)
    return load_chunk, path, 20  # of 60: other bits of a number are another number


def test_damaged_files_are_refused_or_read(loader):
    load, path, least = loader
    content, rng = path.read_bytes(), np.random.default_rng(0)
    found = [load_damaged(load, content, path, rng) for _ in range(60)]
    assert sum(refused for refused, _ in found) > least
    assert max(beyond for _, beyond in found) < 400_000  # of the reader itself


def test_hostile_files_are_refused(loader):
    load, path, _ = loader
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for harm in HOSTILE:
        refused, beyond = load_hostile(load, content, path, rng, harm)
        assert refused, harm[:80]
        assert beyond < 400_000


def others_open(_):
    return blas_threads._n_open


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_child_forked_amid_a_fit_knows_of_no_other_threads():
    with fitting(X):
        assert in_child("fork", scores, X) == scores(X)
    begun, end = threading.Event(), threading.Event()

    def hold():
        with blas_threads:
            begun.set()
            end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    assert in_child("fork", others_open, X) == 0
    with blas_threads:  # of the thread that forks
        assert in_child("fork", others_open, X) == 1
    end.set()
    thread.join()
