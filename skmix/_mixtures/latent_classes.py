"""What a latent class analysis reports: fit statistics, standard errors, profiles of classes."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy
from scipy.stats import chi2
from sklearn.utils.validation import check_is_fitted

from .._engine import em
from .._interface import validation
from .._rows.merge import merge_rows
from .._rows.threads import one_blas_thread
from . import information
from .fitted import FittedMixture


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
    """Adds `goodness_of_fit`, `standard_errors` and `report` to a categorical mixture."""

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
        weight = validation.check_sample_weight(sample_weight, codes)
        complete = (codes >= 0).all(axis=1)
        if not complete.any():
            raise ValueError(
                "Every row of X has a missing answer; goodness_of_fit compares complete rows. "
                "Leave out columns with many missing answers."
            )
        observed, rows = self._patterns(
            codes[complete], None if weight is None else weight[complete]
        )
        expected = observed.sum() * np.exp(self._score_rows(em.score_samples, rows))
        g2 = 2.0 * float(np.sum(xlogy(observed, observed / expected)))
        unseen = float(observed.sum() - expected.sum())
        x2 = float(np.sum((observed - expected) ** 2 / expected)) + unseen
        df = prod(len(known) for known in self.categories_) - 1 - self._n_parameters()
        p_g2, p_x2 = (float(chi2.sf(s, df)) if df > 0 else float("nan") for s in (g2, x2))
        return GoodnessOfFit(g2, x2, df, p_g2, p_x2, float(observed.sum()))

    @one_blas_thread()
    def standard_errors(self, X: Any, sample_weight: Any = None) -> StandardErrors:
        """Return standard errors of weights and probabilities from the observed information.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows of the fit.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row was seen.

        Returns
        -------
        errors : StandardErrors
            A named tuple of `weights` (n_components,) and `probabilities`, one array
            (n_components, n_categories) per column. NaN marks probabilities on the boundary (of
            which fewer than 0.01 answers are expected), infinity those that the rows do not
            identify.

        Notes
        -----
        The observed information is exact, in log-odds, and carried to probabilities by the delta
        method. It costs about n P² operations and 8 P² bytes for n distinct rows and P
        parameters. `alpha` is not taken into account.

        References
        ----------
        T. A. Louis, "Finding the observed information matrix when using the EM algorithm",
        Journal of the Royal Statistical Society B 44(2), 1982.
        :doi:`10.1111/j.2517-6161.1982.tb01203.x`

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [["yes"], ["yes"], ["yes"], ["no"]] * 25
        >>> errors = CategoricalMixture().fit(X).standard_errors(X)
        >>> errors.probabilities[0].round(4)  # sqrt(0.25 * 0.75 / 100)
        array([[0.0433, 0.0433]])
        """
        codes = self._validate_rows(X)
        weight, codes = validation.drop_unweighted(
            validation.check_sample_weight(sample_weight, codes), codes
        )
        counts, rows = self._patterns(codes, weight)
        family, params = self._fitted_family()
        weights, probabilities = information.standard_errors(
            family.packing.one_hot(family.packing.pack(rows)),
            counts,
            self._score_rows(em.predict_proba, rows),
            params,
            family.packing,
        )
        cuts = family.packing.level_offsets[1:-1]
        return StandardErrors(weights, np.split(probabilities, cuts, axis=1))

    def report(self, as_frame: bool = False) -> Any:
        """Return the sizes of the classes and the probabilities of the answers in each.

        Parameters
        ----------
        as_frame : bool, default=False
            Whether to return a pandas DataFrame instead of text.

        Returns
        -------
        report : str or DataFrame
            A line, or row, with the weights of the classes, and one for every category of every
            column with its probability in every class. Classes come in order of decreasing
            weight.

        Raises
        ------
        ImportError
            If `as_frame` is true and pandas is not installed.

        Examples
        --------
        >>> from skmix import CategoricalMixture
        >>> X = [["a", 0], ["a", 0], ["a", 0], ["b", 1]]
        >>> print(CategoricalMixture(2, random_state=0).fit(X).report())
                          class 0  class 1
        weight              0.750    0.250
        column 0
          a                 1.000    0.000
          b                 0.000    1.000
        column 1
          0                 1.000    0.000
          1                 0.000    1.000
        """
        check_is_fitted(self)
        default = [f"column {j}" for j in range(len(self.categories_))]
        names = [str(name) for name in getattr(self, "feature_names_in_", default)]
        if as_frame:
            return self._report_frame(names)
        labels = [[str(value) for value in known] for known in self.categories_]
        width = max(16, *(len(name) for name in names), *(2 + len(s) for ss in labels for s in ss))
        lines = [" " * width + "".join(f"{f'class {k}':>9}" for k in range(len(self.weights_)))]
        lines.append(f"{'weight':{width}}" + "".join(f"{w:9.3f}" for w in self.weights_))
        for name, known, table in zip(names, labels, self.probabilities_, strict=True):
            lines.append(name)
            for label, row in zip(known, table.T, strict=True):
                lines.append(f"  {label:{width - 2}}" + "".join(f"{p:9.3f}" for p in row))
        return "\n".join(lines)

    def _report_frame(self, names: list[str]) -> Any:
        import pandas as pd

        rows = [("weight", "")] + [
            (name, value)
            for name, known in zip(names, self.categories_, strict=True)
            for value in known.tolist()
        ]
        table = np.concatenate([self.weights_[:, None], *self.probabilities_], axis=1).T
        index = pd.MultiIndex.from_tuples(rows, names=["column", "category"])
        classes = [f"class {k}" for k in range(len(self.weights_))]
        return pd.DataFrame(table, index=index, columns=classes)

    def _patterns(self, codes: np.ndarray, weight: np.ndarray | None) -> tuple:
        """Return how often each distinct row of codes was seen, and the rows."""
        width = max(len(known) for known in self.categories_) + 1
        offsets = 1 + width * np.arange(codes.shape[1])  # codes start at -1
        rows, counts = merge_rows(codes + offsets, weight, width * codes.shape[1])
        return counts, rows - offsets
