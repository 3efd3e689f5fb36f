"""What the classes of a latent class analysis answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._mixtures.report import column_names
from .axes import fitted_mixture, get_ax


class ProfileDisplay:
    """The probabilities of the answers to all columns, a line per class.

    Make it by :meth:`from_estimator`.

    Parameters
    ----------
    names : list of str
        What every answer is called, on the horizontal axis.

    probabilities : ndarray of shape (n_components, n_answers)
        The probability of every answer in every class.

    weights : ndarray of shape (n_components,)
        The sizes of the classes.

    standard_errors : ndarray of shape (n_components, n_answers), default=None
        Half the length of the error bars; where they are not finite there is no bar.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure of these axes.

    bars_ : list of matplotlib ErrorbarContainer
        One line per class.

    See Also
    --------
    CategoricalMixture.report : The same numbers as text or table.
    CategoricalMixture.standard_errors : What the bars are.

    Notes
    -----
    Of a column with two categories the second one is drawn, of others all but the first, whose
    probability follows. Classes stand side by side, so that bars do not hide each other.

    References
    ----------
    L. A. Goodman, "Exploratory latent structure analysis using both identifiable and
    unidentifiable models", Biometrika 61(2), 1974. :doi:`10.1093/biomet/61.2.215`

    Examples
    --------
    >>> from skmix import CategoricalMixture, ProfileDisplay
    >>> X = [[0, 0, 0]] * 20 + [[1, 1, 1]] * 12 + [[0, 1, 1], [1, 0, 0]] * 3
    >>> mixture = CategoricalMixture(2, random_state=0).fit(X)
    >>> display = ProfileDisplay.from_estimator(mixture, X)
    >>> [bars.get_label() for bars in display.bars_]
    ['class 0 (61 %)', 'class 1 (39 %)']
    """

    def __init__(
        self,
        names: list[str],
        probabilities: np.ndarray,
        weights: np.ndarray,
        standard_errors: np.ndarray | None = None,
    ) -> None:
        self.names = names
        self.probabilities = probabilities
        self.weights = weights
        self.standard_errors = standard_errors

    def plot(self, ax: Any = None, **line_kw: Any) -> ProfileDisplay:
        """Draw the profiles.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.errorbar`.

        Returns
        -------
        display : ProfileDisplay
            The display itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skmix import ProfileDisplay
        >>> display = ProfileDisplay(["a", "b"], np.array([[0.1, 0.8]]), np.array([1.0])).plot()
        >>> display.bars_[0].get_label()
        'class 0 (100 %)'
        """
        check_matplotlib_support("ProfileDisplay.plot")
        ax = get_ax(self, ax)
        n_classes, n_answers = self.probabilities.shape
        aside = np.linspace(-0.1, 0.1, n_classes) if n_classes > 1 else np.zeros(1)
        self.bars_ = []
        for k, row in enumerate(self.probabilities):
            errors = None
            if self.standard_errors is not None:
                errors = np.where(
                    np.isfinite(self.standard_errors[k]), self.standard_errors[k], 0.0
                )
            style = {
                "marker": "o",
                "capsize": 3,
                "label": f"class {k} ({self.weights[k]:.0%})".replace("%", " %"),
            }
            bars = ax.errorbar(
                np.arange(n_answers) + aside[k], row, errors, **{**style, **line_kw}
            )
            self.bars_.append(bars)
        turned = 45 if max(map(len, self.names)) * n_answers > 60 else 0
        ax.set_xticks(
            np.arange(n_answers), self.names, rotation=turned, ha="right" if turned else "center"
        )
        ax.set_ylim(0.0, 1.0)
        ax.set_ylabel("probability")
        ax.grid(alpha=0.3)
        ax.legend()
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        sample_weight: Any = None,
        robust: bool = False,
        ax: Any = None,
        **line_kw: Any,
    ) -> ProfileDisplay:
        """Draw the profiles of a fitted mixture of categories.

        Parameters
        ----------
        estimator : CategoricalMixture
            A fitted mixture, or a Pipeline that ends in one.

        X : array-like of shape (n_samples, n_features), default=None
            The rows of the fit, which tell the standard errors. None draws no bars.

        sample_weight : array-like of shape (n_samples,), default=None
            The weights of these rows.

        robust : bool, default=False
            Whether errors are those of sampling weights; see
            :meth:`CategoricalMixture.standard_errors`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.errorbar`.

        Returns
        -------
        display : ProfileDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is no mixture of categories.

        Examples
        --------
        >>> from skmix import CategoricalMixture, ProfileDisplay
        >>> mixture = CategoricalMixture().fit([["no", "a"], ["yes", "b"], ["no", "c"]])
        >>> ProfileDisplay.from_estimator(mixture).names
        ['column 0: yes', 'column 1: b', 'column 1: c']
        """
        check_matplotlib_support("ProfileDisplay.from_estimator")
        mixture = fitted_mixture(estimator, "probabilities_", "ProfileDisplay")
        names = [
            f"{column}: {category}"
            for column, known in zip(
                column_names(mixture, len(mixture.categories_)), mixture.categories_, strict=True
            )
            for category in known[1:]
        ]
        errors = None
        if X is not None:
            found = mixture.standard_errors(X, sample_weight, robust=robust)
            errors = _but_first(found.probabilities)
        display = cls(names, _but_first(mixture.probabilities_), mixture.weights_, errors)
        return display.plot(ax, **line_kw)


def _but_first(tables: list[np.ndarray]) -> np.ndarray:
    """Return all categories but the first of every column side by side."""
    return np.concatenate([table[:, 1:] for table in tables], axis=1)
