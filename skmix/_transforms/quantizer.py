"""Vector quantisation by k-means."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from .._interface import validation
from .._interface.validation import NON_NEGATIVE
from .._interface.versions import VersionedMixin
from .._interface.wording import learned, naming
from .._rows.threads import one_thread

MAX_DISTANCES = 50_000_000  # rows times codes; beyond it a fit takes ten seconds and more
MINI_BATCH = 4096
MAX_STARTS = 8


class KMeansQuantizer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, VersionedMixin, BaseEstimator
):
    r"""Replace every row by the nearest of a few codes, learned by k-means.

    `transform` gives the index of the code of every row, `inverse_transform` the code itself:
    the lossy reconstruction. The codes are those of scikit-learn's
    :class:`~sklearn.cluster.KMeans` on the distinct rows, each weighted by how often it occurs,
    which is the same problem as k-means on all rows.

    Parameters
    ----------
    n_codes : int, default=16
        The largest number of codes. Rows with fewer distinct values than that are reproduced
        exactly, with one code for each value.

    n_init : int or 'auto', default='auto'
        The number of runs of k-means, each from its own k-means++ start; the best is kept.
        'auto' takes ``100 // n_codes``, at least 1 and at most 8: few codes have local optima
        that differ, and cost little.

    max_iter : int, default=300
        The largest number of k-means iterations of a run.

    tol : float, default=1e-4
        A run stops when the codes move by less than this, relative to the variance of the rows.

    batch_size : int, 'auto' or None, default='auto'
        An int fits :class:`~sklearn.cluster.MiniBatchKMeans` on batches of this many rows, None
        fits :class:`~sklearn.cluster.KMeans` on all rows at once. 'auto' takes batches of 4096
        where (distinct rows) x (codes) exceeds 5e7, and all rows otherwise.

    random_state : int, RandomState instance or None, default=None
        Controls the starts and the batches. Pass an int for reproducible output.

    Attributes
    ----------
    codebook_ : ndarray of shape (`n_codes_`, n_features)
        The codes, in units of `X`.

    n_codes_ : int
        The number of codes: `n_codes`, or the number of distinct rows if that is smaller.

    n_iter_ : int
        The number of k-means iterations of the best run (passes over all rows with batches); 0
        where the codes are the distinct rows.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where `X` has names that are all strings.

    See Also
    --------
    skmix.image.compress : Images as palettes or codebooks of blocks.
    sklearn.cluster.KMeans : The algorithm inside; its `transform` gives distances.
    sklearn.preprocessing.KBinsDiscretizer : Each feature quantised by itself.

    Notes
    -----
    A fit sorts the rows once to merge those that coincide, so that a weight of 2 equals a row
    that is there twice exactly, and images with few colours cost little. An iteration of k-means
    then costs about 2 n K d floating-point operations for n distinct rows, K codes and d
    features, and so does `transform`; a fit runs on one thread. In the language of coding, the
    codes are a full-search vector quantiser of rate :math:`\log_2 K` bits per row, and k-means is
    the generalised Lloyd algorithm.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory
    28(2), 1982. :doi:`10.1109/TIT.1982.1056489`

    Y. Linde, A. Buzo, R. M. Gray, "An algorithm for vector quantizer design", IEEE Transactions
    on Communications 28(1), 1980. :doi:`10.1109/TCOM.1980.1094577`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix import KMeansQuantizer
    >>> X = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> quantizer = KMeansQuantizer(2, random_state=0).fit(X)
    >>> codes = quantizer.transform(X)
    >>> quantizer.inverse_transform(codes).ravel()
    array([ 0.5,  0.5, 10.5, 10.5])
    >>> quantizer.score(X)  # the negative mean squared error
    -0.25
    """

    _parameter_constraints: dict = {
        "n_codes": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [NON_NEGATIVE],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "random_state": ["random_state"],
    }

    _n_features_out = 1  # a column of codes

    def __init__(
        self,
        n_codes=16,
        *,
        n_init="auto",
        max_iter=300,
        tol=1e-4,
        batch_size="auto",
        random_state=None,
    ):
        self.n_codes = n_codes
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights: a row of weight w counts as w rows. Rows of weight 0 are left
            out.

        Returns
        -------
        self : object
            The fitted quantiser.

        Raises
        ------
        ValueError
            If `X` is not finite, or weights are negative or all zero. An earlier fit is kept.

        Examples
        --------
        >>> from skmix import KMeansQuantizer
        >>> KMeansQuantizer(1).fit([[0.0], [4.0]], sample_weight=[3, 1]).codebook_
        array([[1.]])
        """
        with validation.earlier_fit_kept(self):
            X = validation.validate_rows(self, X, ensure_all_finite=True)
            sample_weight = validation.check_sample_weight(sample_weight, X)
            sample_weight, X = validation.drop_unweighted(sample_weight, X)
            rows, positions = distinct_rows(X)
            if len(rows) <= self.n_codes:
                self.codebook_, self.n_iter_ = np.unique(rows, axis=0), 0
            else:
                weight = np.bincount(positions, sample_weight, minlength=len(rows))
                kmeans = self._make_kmeans(len(rows))
                # Threads would wait for each other thousands of times: on a busy machine with
                # 4 cores a palette took up to 40 times as long.
                with one_thread():
                    kmeans.fit(rows, sample_weight=weight)
                self.codebook_, self.n_iter_ = kmeans.cluster_centers_, int(kmeans.n_iter_)
            self.n_codes_ = len(self.codebook_)
        return self

    def _make_kmeans(self, n_rows: int) -> Any:
        """Return the estimator of scikit-learn that suits so many distinct rows."""
        options = {name: getattr(self, name) for name in ("max_iter", "tol", "random_state")}
        options["n_init"] = self.n_init
        if self.n_init == "auto":
            options["n_init"] = min(max(1, 100 // self.n_codes), MAX_STARTS)
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = MINI_BATCH if n_rows * self.n_codes > MAX_DISTANCES else None
        if batch_size is None:
            return KMeans(int(self.n_codes), **options)
        return MiniBatchKMeans(int(self.n_codes), batch_size=int(batch_size), **options)

    def transform(self, X):
        """Return the index of the nearest code of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        codes : ndarray of shape (n_samples, 1)
            Indices into `codebook_`, one column of integers.

        Examples
        --------
        >>> from skmix import KMeansQuantizer
        >>> KMeansQuantizer().fit([[0.0], [4.0]]).transform([[3.0], [-1.0]])
        array([[1],
               [0]])
        """
        check_is_fitted(self)
        X = validation.validate_rows(self, X, reset=False, ensure_all_finite=True)
        return nearest(X, self._codebook())[:, None]

    def inverse_transform(self, X):
        """Return the code that each index stands for.

        Parameters
        ----------
        X : array-like of shape (n_samples, 1) or (n_samples,)
            Indices, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The rows of `codebook_` at these indices.

        Raises
        ------
        ValueError
            If `X` has more than one column, or holds anything but indices of codes.

        Examples
        --------
        >>> from skmix import KMeansQuantizer
        >>> KMeansQuantizer().fit([[0.0], [4.0]]).inverse_transform([[1], [1], [0]])
        array([[4.],
               [4.],
               [0.]])
        """
        check_is_fitted(self)
        with naming("X", "an array of codes"):
            codes = check_array(X, ensure_2d=False, input_name="X")
        if codes.ndim > 1 and codes.shape[1] != 1:
            raise ValueError(
                f"X must be one column of indices, as transform returns it, but has shape "
                f"{codes.shape}."
            )
        codes = codes.reshape(-1)
        wrong = (codes < 0) | (codes >= self.n_codes_) | (codes != np.floor(codes))
        if wrong.any():
            raise ValueError(
                f"X must hold indices from 0 to n_codes_ - 1 = {self.n_codes_ - 1}, but holds "
                f"{codes[wrong][0]}."
            )
        return self._codebook()[codes.astype(np.intp)]

    def score(self, X, y=None, sample_weight=None):
        """Return the negative mean squared error of the reconstruction; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows in the mean.

        Returns
        -------
        score : float
            Minus the mean over all cells of the squared difference between `X` and its
            reconstruction, in squared units of `X`.

        Examples
        --------
        >>> from skmix import KMeansQuantizer
        >>> KMeansQuantizer().fit([[0.0], [4.0]]).score([[0.0], [2.0]])
        -2.0
        """
        check_is_fitted(self)
        X = validation.validate_rows(self, X, reset=False, ensure_all_finite=True)
        sample_weight = validation.check_sample_weight(sample_weight, X)
        codebook = self._codebook()
        error = X.astype(np.float64) - codebook[nearest(X, codebook)]
        mean_squares = np.einsum("ij,ij->i", error, error) / X.shape[1]
        return -float(np.average(mean_squares, weights=sample_weight))

    def _codebook(self):
        finite = learned(self, "codebook_", (None, self.n_features_in_))
        codebook = np.asarray(self.codebook_)
        return codebook if codebook.dtype.kind == "f" else finite

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def distinct_rows(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows of X, in any order, and for every row its position in them."""
    # Rows as strings of bytes sort several times faster than column by column; + 0 turns -0.0
    # into 0.0.
    X = np.ascontiguousarray(X + np.zeros((), X.dtype))
    as_bytes = X.view(np.dtype((np.void, X.dtype.itemsize * X.shape[1]))).ravel()
    _, first, positions = np.unique(as_bytes, return_index=True, return_inverse=True)
    return X[first], positions


def nearest(X: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Return the index of the code nearest to every row."""
    # Distances come from squared norms, which lose digits far from zero.
    centre = codebook.mean(axis=0, dtype=np.float64)
    return pairwise_distances_argmin(X - centre, codebook - centre)
