"""What a latent class analysis reports: fit statistics, standard errors, profiles of classes."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2
from sklearn.utils.validation import check_is_fitted

from .._engine import em
from .._interface import validation
from .._interface.wording import learned, truth
from .._rows.merge import merge_rows
from .._rows.threads import one_blas_thread
from . import estimates, information
from .estimates import Estimate, matched
from .fitted import FittedMixture
from .report import Line, Style, column_names, show

CLASSES = Style("class", "category", width=9, probabilities=True)


class GoodnessOfFit(NamedTuple):
    """Fit of a latent class model to the table of all answer patterns."""

    g2: float  # likelihood ratio statistic
    x2: float  # Pearson's statistic
    df: int  # degrees of freedom; below 1 the model has too many parameters to be tested
    p_g2: float  # probability of a larger statistic if the model holds; NaN where df < 1
    p_x2: float
    n_complete: float  # rows without missing answers, which alone are compared


class StandardErrors(NamedTuple):
    """Standard errors of the parameters of a latent class model."""

    weights: np.ndarray  # (n_components,)
    probabilities: list[np.ndarray]  # per column (n_components, n_categories)


class LatentClassReports(FittedMixture):
    """Adds what users of latent class analysis ask of a categorical mixture."""

    weights_: np.ndarray
    probabilities_: list[np.ndarray]
    categories_: list[np.ndarray]

    def goodness_of_fit(self, X: Any, sample_weight: Any = None) -> GoodnessOfFit:
        r"""Compare the observed and the expected numbers of all answer patterns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, as a rule those of the fit. Rows with a missing answer are left out.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        fit : GoodnessOfFit
            A named tuple of the likelihood ratio statistic `g2`
            (:math:`G^2 = 2 \sum O \log(O / E)`), Pearson's `x2`
            (:math:`X^2 = \sum (O - E)^2 / E`, patterns that nobody gave included), the degrees
            of freedom `df` (patterns - 1 - parameters), the probabilities `p_g2` and `p_x2` of
            larger values under the chi-squared distribution, and the number `n_complete` of rows
            compared. The distribution is a poor guide where most patterns are rare; see
            :func:`bootstrap_lrt`.

        Raises
        ------
        ValueError
            If no row is complete.

        References
        ----------
        L. A. Goodman, "Exploratory latent structure analysis using both identifiable and
        unidentifiable models", Biometrika 61(2), 1974. :doi:`10.1093/biomet/61.2.215`

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [[0, 0]] * 3 + [[0, 1]] + [[1, 0]] + [[1, 1]] * 3
        >>> fit = CategoricalMixture().fit(X).goodness_of_fit(X)
        >>> round(fit.g2, 4), round(fit.x2, 4), fit.df
        (2.093, 2.0, 1)
        """
        codes = self._validate_rows(X)
        weight, codes = validation.drop_unweighted(
            validation.check_sample_weight(sample_weight, codes), codes
        )
        complete = (codes >= 0).all(axis=1)
        if not complete.any():
            raise ValueError(
                "Every row of X has a missing answer; goodness_of_fit compares complete rows. "
                "Leave out columns with many missing answers."
            )
        observed, rows = self._patterns(
            codes[complete], None if weight is None else weight[complete]
        )
        log_expected = np.log(observed.sum()) + self._score_rows(em.score_samples, rows)
        log_ratio = np.log(observed) - log_expected  # patterns were seen, so that it is finite
        g2 = 2.0 * float(observed @ log_ratio)
        with np.errstate(over="ignore"):  # in a large table a pattern may be next to impossible
            x2 = float(observed @ np.expm1(log_ratio))  # patterns that nobody gave included
        df = prod(len(known) for known in self.categories_) - 1 - self._n_parameters()
        p_g2, p_x2 = (chi_squared_tail(statistic, df) for statistic in (g2, x2))
        return GoodnessOfFit(g2, x2, df, p_g2, p_x2, float(observed.sum()))

    def bivariate_residuals(self, X: Any, sample_weight: Any = None) -> np.ndarray:
        r"""Compare observed and expected answers to every pair of columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows, as a rule those of the fit. For a pair, rows count that answer both columns.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        residuals : ndarray of shape (n_features, n_features)
            Pearson's :math:`X^2` of the table of two columns under the fitted mixture, divided by
            its (C_j - 1) (C_l - 1) degrees of freedom for C_j and C_l categories. Values far
            above 1, say above 4, show pairs that are dependent within the classes. The diagonal
            is NaN, as are pairs that no row answers both of or with a column of one category.

        References
        ----------
        J. K. Vermunt, J. Magidson, "Latent class models", in: D. Kaplan (ed.), The Sage Handbook
        of Quantitative Methodology for the Social Sciences, 2004.

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]] * 10  # two columns say the same
        >>> CategoricalMixture().fit(X).bivariate_residuals(X).round(1)
        array([[nan, 40.,  0.],
               [40., nan,  0.],
               [ 0.,  0., nan]])
        """
        codes = self._validate_rows(X)
        weight = self._effective_weight(codes, sample_weight)
        n_features = codes.shape[1]
        residuals = np.full((n_features, n_features), np.nan)
        for j in range(n_features):
            for other in range(j):
                value = self._residual(codes[:, [j, other]], weight, j, other)
                residuals[j, other] = residuals[other, j] = value
        return residuals

    def _residual(self, codes: np.ndarray, weight: np.ndarray, j: int, other: int) -> float:
        """Pearson's statistic per degree of freedom of the answers to two columns."""
        tables = self.probabilities_[j], self.probabilities_[other]
        sizes = tables[0].shape[1], tables[1].shape[1]
        both = (codes >= 0).all(axis=1)
        df = (sizes[0] - 1) * (sizes[1] - 1)
        if df == 0 or not weight[both].any():
            return float("nan")
        cells = codes[both, 0].astype(np.int64) * sizes[1] + codes[both, 1]
        observed = np.bincount(cells, weight[both], minlength=sizes[0] * sizes[1])
        expected = np.einsum("k,ki,kj->ij", self.weights_, *tables).ravel() * observed.sum()
        possible = expected > 0
        if np.any(observed[~possible] > 0):
            return float("inf")
        deviation = observed[possible] - expected[possible]
        return float(np.sum(deviation**2 / expected[possible])) / df

    @one_blas_thread()
    def standard_errors(
        self, X: Any, sample_weight: Any = None, *, robust: bool = False
    ) -> StandardErrors:
        """Return standard errors of weights and probabilities from the observed information.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows of the fit.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen; with `robust`, how much it counts.

        robust : bool, default=False
            Whether to return sandwich errors, from the information and the scatter of the scores
            of the rows. They hold for sampling weights of a survey, in any unit, where a heavy row
            is one observation and not many, and where the model is not quite right.

        Returns
        -------
        errors : StandardErrors
            A named tuple of `weights` (n_components,) and `probabilities`, one array
            (n_components, n_categories) per column. NaN marks probabilities on the boundary (the
            most likely value is 0), infinity those that the rows do not identify.

        Notes
        -----
        The observed information is exact, in log-odds, and carried to probabilities by the delta
        method. It costs about n P² operations and 8 P² bytes for n distinct rows and P
        parameters, twice that if `robust`. `alpha` is not taken into account. A probability of
        which less than one answer is expected is on the boundary where the likelihood, as a
        function of it, falls from 0 on.

        References
        ----------
        T. A. Louis, "Finding the observed information matrix when using the EM algorithm",
        Journal of the Royal Statistical Society B 44(2), 1982.
        :doi:`10.1111/j.2517-6161.1982.tb01203.x`

        H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50(1),
        1982. :doi:`10.2307/1912526`

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [["yes"], ["yes"], ["yes"], ["no"]] * 25
        >>> mixture = CategoricalMixture().fit(X)
        >>> mixture.standard_errors(X).probabilities[0].round(4)  # sqrt(0.25 * 0.75 / 100)
        array([[0.0433, 0.0433]])
        >>> weight = [1.0] * 100  # any unit of the weights gives the same
        >>> mixture.standard_errors(X, weight, robust=True).probabilities[0].round(4)
        array([[0.0433, 0.0433]])
        """
        codes = self._validate_rows(X)
        weight, codes = validation.drop_unweighted(
            validation.check_sample_weight(sample_weight, codes), codes
        )
        counts, rows = self._patterns(codes, weight)
        squares = None
        if truth(robust, "robust"):  # equal rows come in the same order whatever their weights
            squares, _ = self._patterns(codes, None if weight is None else weight**2)
        family, params = self._fitted_family()
        weights, probabilities = information.standard_errors(
            family.packing.one_hot(family.packing.pack(rows)),
            counts,
            self._score_rows(em.predict_proba, rows),
            params,
            family.packing,
            squares,
        )
        cuts = family.packing.level_offsets[1:-1]
        return StandardErrors(weights, np.split(probabilities, cuts, axis=1))

    def report(
        self, as_frame: bool = False, *, standard_errors: StandardErrors | None = None
    ) -> Any:
        """Return the sizes of the classes and the probabilities of the answers in each.

        Parameters
        ----------
        as_frame : bool, default=False
            Whether to return a pandas DataFrame instead of text.

        standard_errors : StandardErrors, default=None
            What `standard_errors` of this mixture returned, to stand behind each number.

        Returns
        -------
        report : str or DataFrame
            A line, or row, with the weights of the classes, and one for every category of every
            column with its probability in every class. Classes come in order of decreasing
            weight. Standard errors are in brackets, or in columns of their own.

        Raises
        ------
        ImportError
            If `as_frame` is true and pandas is not installed.

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [["a", 0], ["a", 0], ["a", 0], ["b", 1]]
        >>> mixture = CategoricalMixture(2, random_state=0).fit(X)
        >>> print(mixture.report())
                          class 0  class 1
        weight              0.750    0.250
        column 0
          a                 1.000    0.000
          b                 0.000    1.000
        column 1
          0                 1.000    0.000
          1                 0.000    1.000
        >>> errors = mixture.standard_errors(X)
        >>> print(mixture.report(standard_errors=errors).splitlines()[1])
        weight            0.750 (0.217)    0.250 (0.217)
        """
        check_is_fitted(self)
        errors = standard_errors
        if not (errors is None or isinstance(errors, StandardErrors)):
            raise TypeError(
                "standard_errors must be what the method standard_errors returns, or None, but is "
                f"{errors!r}."
            )
        tables = zip(
            column_names(self, len(self.categories_)),
            self.categories_,
            self.probabilities_,
            [None] * len(self.categories_) if errors is None else errors.probabilities,
            strict=True,
        )
        lines = [
            Line(
                "weight",
                None,
                learned(self, "weights_", (len(self.probabilities_[0]),)),
                None if errors is None else errors.weights,
            )
        ]
        for name, known, table, own in tables:
            of_categories = [None] * len(known) if own is None else own.T
            lines += map(Line, [name] * len(known), known.tolist(), table.T, of_categories)
        return show(lines, CLASSES, as_frame=as_frame)

    def align(self, other: Any) -> Any:
        """Put the classes into the order of the most similar ones of another mixture, in place.

        Classes have no order of their own: those of a refit come by weight, which two classes of
        similar size exchange by chance.

        Parameters
        ----------
        other : CategoricalMixture
            A fitted mixture with as many classes and the same categories.

        Returns
        -------
        self : CategoricalMixture
            The same mixture. Classes are matched so that the squared differences between
            probabilities, summed over all columns, are least in all.

        Raises
        ------
        TypeError
            If `other` is no `CategoricalMixture`.

        ValueError
            If the numbers of classes or the categories differ.

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> one = CategoricalMixture(2, random_state=0).fit([["a"] * 2] * 3 + [["b"] * 2] * 2)
        >>> two = CategoricalMixture(2, random_state=0).fit([["a"] * 2] * 2 + [["b"] * 2] * 3)
        >>> two.weights_.round(1), two.align(one).weights_.round(1)
        (array([0.6, 0.4]), array([0.4, 0.6]))
        """
        check_is_fitted(self)
        if not isinstance(other, LatentClassReports):
            raise TypeError(f"align needs another CategoricalMixture, but other is {other!r}.")
        check_is_fitted(other)
        shapes = [table.shape for table in self.probabilities_]
        same = shapes == [table.shape for table in other.probabilities_] and all(
            np.array_equal(known, known_there)
            for known, known_there in zip(self.categories_, other.categories_, strict=True)
        )
        if not same:
            raise ValueError(
                f"align needs a mixture with {len(self.weights_)} classes and the same categories "
                "of the same columns. Refit one of them with categories=other.categories_."
            )
        mine, theirs = (np.concatenate(m.probabilities_, axis=1) for m in (self, other))
        distances = np.sum((theirs[:, None] - mine) ** 2, axis=2)
        order = matched(distances)
        self.weights_ = self.weights_[order]
        self.probabilities_ = [table[order] for table in self.probabilities_]
        return self

    def _estimates(self) -> list[Estimate]:
        names = column_names(self, len(self.categories_))
        return [
            estimates.of_weights(self.weights_),
            estimates.of_categories(self.probabilities_, self.categories_, names),
        ]

    def _patterns(self, codes: np.ndarray, weight: np.ndarray | None) -> tuple:
        """Return how often each distinct row of codes was seen, and the rows."""
        width = max(len(known) for known in self.categories_) + 1
        offsets = 1 + width * np.arange(codes.shape[1])  # codes start at -1
        rows, counts = merge_rows(codes + offsets, weight, width * codes.shape[1])
        return counts, rows - offsets


def chi_squared_tail(statistic: float, df: int) -> float:
    """Return the probability of a larger value; NaN without degrees of freedom."""
    # A table of many columns has more cells than a float can count.
    return float(chi2.sf(statistic, float(min(df, 10**300)))) if df > 0 else float("nan")
