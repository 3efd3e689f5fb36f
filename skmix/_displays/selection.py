"""A criterion against the number of components."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._selection.selection import select_mixture
from .axes import get_ax

LABELS = {
    "aic": "AIC (lower is better)",
    "bic": "BIC (lower is better)",
    "icl": "ICL (lower is better)",
    "cv": "held-out log-likelihood per row (nats, higher is better)",
    "log_likelihood": "log-likelihood of all rows (nats)",
    "mean_test_score": "mean test score (higher is better)",
}
# From one line to the next where they have bars, in units of the horizontal axis.
SIDE_BY_SIDE = 0.06
MARKERS = "os^Dvp*<>X"


class SelectionDisplay:
    """A criterion against the number of components, one line per covariance type.

    Make it by :meth:`from_selection` or :meth:`from_estimator`.

    Parameters
    ----------
    cv_results : dict of array-like
        The table of candidates, `cv_results_` of :func:`select_mixture` or of a search of
        scikit-learn.

    criterion : str
        What is drawn: 'aic', 'bic', 'icl', 'cv', or a column of the table.

    best_index : int
        The chosen candidate.

    x : str, default=None
        The parameter on the horizontal axis. None takes `n_components`, of whichever step of a
        Pipeline; where the grid has none, its first parameter. All other parameters make lines.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure of these axes.

    bars_ : list of matplotlib ErrorbarContainer
        One line per combination of the other parameters.

    chosen_ : matplotlib Line2D
        The ring around the chosen candidate.

    See Also
    --------
    select_mixture : Fits the candidates.
    ComponentsDisplay : The components of the chosen mixture.

    Notes
    -----
    Bars are standard errors of the mean over folds; lines stand side by side where they have
    some. Candidates that failed, or are degenerate, are left out, but for the chosen one.

    References
    ----------
    T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", Springer, 2009,
    section 7.10. :doi:`10.1007/978-0-387-84858-7`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmix import GaussianMixture, SelectionDisplay, select_mixture
    >>> grid = {"n_components": [1, 2, 3, 4], "covariance_type": ["full", "diag"]}
    >>> selection = select_mixture(GaussianMixture(random_state=0), load_iris().data, grid)
    >>> display = SelectionDisplay.from_selection(selection)
    >>> [bars.get_label() for bars in display.bars_]
    ['full', 'diag']
    """

    def __init__(
        self, cv_results: dict[str, Any], *, criterion: str, best_index: int, x: str | None = None
    ) -> None:
        self.cv_results = cv_results
        self.criterion = criterion
        self.best_index = int(best_index)
        names = [name[6:] for name in cv_results if name.startswith("param_")]
        self.x = _horizontal(names) if x is None else x
        if self.x not in names:
            raise ValueError(f"x={x!r} is no parameter of the grid; use one of {names}.")
        self.column = "mean_test_score" if criterion == "cv" else criterion
        if self.column not in cv_results:
            raise ValueError(
                f"criterion={criterion!r} is not in the table, whose columns are "
                f"{list(cv_results)}. 'cv' needs a selection by criterion='cv'."
            )
        self.others = [name for name in names if name != self.x]

    def plot(
        self, ax: Any = None, *, difference: bool = False, **line_kw: Any
    ) -> SelectionDisplay:
        """Draw the criterion.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        difference : bool, default=False
            Whether to draw the difference from the chosen candidate, on an axis that is linear up
            to 10 and logarithmic beyond: one bad candidate then hides no others.

        **line_kw : dict
            Options of `ax.errorbar`.

        Returns
        -------
        display : SelectionDisplay
            The display itself.

        Examples
        --------
        >>> from skmix import SelectionDisplay
        >>> table = {
        ...     "param_n_components": [1, 2, 3],
        ...     "params": [{"n_components": k} for k in [1, 2, 3]],
        ...     "bic": [30.0, 20.0, 25.0],
        ... }
        >>> display = SelectionDisplay(table, criterion="bic", best_index=1).plot()
        >>> display.chosen_.get_label()
        'chosen: n_components=2'
        """
        check_matplotlib_support("SelectionDisplay.plot")
        ax = get_ax(self, ax)
        points = self.cv_results["params"]
        values = np.asarray(self.cv_results[self.column], dtype=np.float64)
        if difference:
            values = values - values[self.best_index]
        position, ticks = self._positions()
        errors = _standard_errors(self.cv_results, self.column)
        shown = np.isfinite(values) & ~np.asarray(
            self.cv_results.get("degenerate", np.zeros(len(values), bool)), bool
        )
        shown[self.best_index] = True
        self.bars_ = []
        series = self._series()
        for i, (label, members) in enumerate(series.items()):
            members = sorted((m for m in members if shown[m]), key=lambda m: position[m])
            if errors is not None:  # bars at one place would hide each other
                position[members] += SIDE_BY_SIDE * (i - (len(series) - 1) / 2)
            style = {"marker": MARKERS[i % len(MARKERS)], "label": label, "capsize": 3}
            bars = ax.errorbar(
                position[members],
                values[members],
                None if errors is None else errors[members],
                **{**style, **line_kw},
            )
            self.bars_.append(bars)
        best = self.best_index
        chosen = ", ".join(f"{self._name(name)}={value}" for name, value in points[best].items())
        (self.chosen_,) = ax.plot(
            position[best],
            values[best],
            "o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor="k",
            label=f"chosen: {chosen}",
        )
        ax.set_xlabel(self._name(self.x))
        ax.set_xticks(*ticks)
        label = LABELS.get(self.criterion, self.criterion)
        ax.set_ylabel(f"{label}, less that of the choice" if difference else label)
        if difference:
            ax.set_yscale("symlog", linthresh=10.0)
        ax.grid(alpha=0.3)
        ax.legend(handles=[*self.bars_, self.chosen_])
        return self

    def _name(self, name: str) -> str:
        """Return the name of a parameter, without its step where no other is called the same."""
        others = [name[6:] for name in self.cv_results if name.startswith("param_")]
        alike = [other for other in others if _short(other) == _short(name)]
        return name if len(alike) > 1 else _short(name)

    def _positions(self) -> tuple[np.ndarray, tuple[list, list[str]]]:
        """Return where candidates lie on the horizontal axis, and ticks with labels."""
        given = [point.get(self.x) for point in self.cv_results["params"]]
        known = [value for value in dict.fromkeys(map(_hashable, given)) if value is not None]
        if known and all(isinstance(value, int | float | np.number) for value in known):
            known = sorted(known)
            position = np.array([np.nan if value is None else float(value) for value in given])
            shown = known if len(known) <= 12 else known[:: -(-len(known) // 12)]
            return position, (shown, [f"{value:g}" for value in shown])
        position = np.array(
            [np.nan if value is None else known.index(_hashable(value)) for value in given]
        )
        return position, (list(range(len(known))), [str(value) for value in known])

    def _series(self) -> dict[str, list[int]]:
        """Return candidates by what they have in common but the horizontal axis."""
        series: dict[str, list[int]] = {}
        for i, point in enumerate(self.cv_results["params"]):
            if self.x in point:
                values = [(name, point[name]) for name in self.others if name in point]
                bare = len(self.others) == 1 and values and isinstance(values[0][1], str)
                label = ", ".join(str(v) if bare else f"{self._name(n)}={v}" for n, v in values)
                label = label or LABELS.get(self.criterion, self.criterion).split(" (")[0]
                series.setdefault(label, []).append(i)
        return series

    @classmethod
    def from_selection(
        cls,
        selection: Any,
        *,
        criterion: str | None = None,
        x: str | None = None,
        ax: Any = None,
        difference: bool = False,
        **line_kw: Any,
    ):
        """Draw the outcome of `select_mixture`, or of a fitted search of scikit-learn.

        Parameters
        ----------
        selection : MixtureSelection or estimator
            What :func:`select_mixture` returns, or a fitted
            :class:`~sklearn.model_selection.GridSearchCV`.

        criterion : str, default=None
            What is drawn: 'aic', 'bic', 'icl', 'cv', or a column of the table. None is what the
            choice was made by.

        x : str, default=None
            The parameter on the horizontal axis; None takes `n_components`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        difference : bool, default=False
            Whether to draw the difference from the chosen candidate, on an axis that is linear up
            to 10 and logarithmic beyond: one bad candidate then hides no others.

        **line_kw : dict
            Options of `ax.errorbar`.

        Returns
        -------
        display : SelectionDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `selection` has no table of candidates.

        ValueError
            If `criterion` or `x` is not in that table.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import DiagonalGMM, SelectionDisplay, select_mixture
        >>> selection = select_mixture(DiagonalGMM(), load_iris().data, {"n_components": [1, 2]})
        >>> SelectionDisplay.from_selection(selection, criterion="icl").ax_.get_ylabel()
        'ICL (lower is better)'
        """
        check_matplotlib_support("SelectionDisplay.from_selection")
        if not hasattr(selection, "cv_results_") or not hasattr(selection, "best_index_"):
            raise TypeError(
                "selection must be what select_mixture returns, or a fitted search with "
                f"cv_results_ and best_index_, but is {selection!r}. Use from_estimator to fit "
                "the candidates."
            )
        if criterion is None:
            criterion = getattr(selection, "criterion", "mean_test_score")
        display = cls(
            selection.cv_results_, criterion=str(criterion), best_index=selection.best_index_, x=x
        )
        return display.plot(ax, difference=difference, **line_kw)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        param_grid: Any,
        *,
        criterion: str = "bic",
        cv: Any = None,
        sample_weight: Any = None,
        n_jobs: int | None = None,
        one_standard_error: bool = False,
        x: str | None = None,
        ax: Any = None,
        difference: bool = False,
        **line_kw: Any,
    ):
        """Fit all candidates by `select_mixture` and draw the outcome.

        Parameters
        ----------
        estimator : estimator
            A mixture, or a Pipeline that ends in one. It is cloned, not fitted.

        X : array-like of shape (n_samples, n_features)
            The rows.

        param_grid : dict or list of dict
            Lists of values by names of parameters.

        criterion : {'bic', 'aic', 'icl', 'cv'}, default='bic'
            What the choice is made by.

        cv : int, splitter or iterable, default=None
            How 'cv' splits the rows.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        n_jobs : int, default=None
            Number of candidates that are fitted at the same time.

        one_standard_error : bool, default=False
            Whether 'cv' chooses the smallest candidate within one standard error of the best.

        x : str, default=None
            The parameter on the horizontal axis; None takes `n_components`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        difference : bool, default=False
            Whether to draw the difference from the chosen candidate, on an axis that is linear up
            to 10 and logarithmic beyond: one bad candidate then hides no others.

        **line_kw : dict
            Options of `ax.errorbar`.

        Returns
        -------
        display : SelectionDisplay
            The display, drawn. Use :func:`select_mixture` and :meth:`from_selection` to keep the
            chosen estimator as well.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import DiagonalGMM, SelectionDisplay
        >>> display = SelectionDisplay.from_estimator(
        ...     DiagonalGMM(random_state=0), load_iris().data, {"n_components": [1, 2, 3]}
        ... )
        >>> display.chosen_.get_label()
        'chosen: n_components=3'
        """
        check_matplotlib_support("SelectionDisplay.from_estimator")
        selection = select_mixture(
            estimator,
            X,
            param_grid,
            criterion=criterion,
            cv=cv,
            sample_weight=sample_weight,
            n_jobs=n_jobs,
            one_standard_error=one_standard_error,
        )
        return cls.from_selection(selection, x=x, ax=ax, difference=difference, **line_kw)


def _horizontal(names: list[str]) -> str:
    """Return the parameter for the horizontal axis."""
    counts = [name for name in names if _short(name) == "n_components"]
    if len(counts) > 1:
        raise ValueError(f"x=None is ambiguous: choose one of {counts} for the horizontal axis.")
    return (counts or names)[0]


def _short(name: str) -> str:
    return name.rpartition("__")[2]


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | float | np.number | None) else str(value)


def _standard_errors(table: dict[str, Any], column: str) -> np.ndarray | None:
    """Return standard errors of mean test scores, None for other columns or a single fold."""
    if column != "mean_test_score":
        return None
    folds = [table[name] for name in table if name.startswith("split") and "_test_" in name]
    if len(folds) < 2:
        return None
    return np.std(folds, axis=0, ddof=1) / np.sqrt(len(folds))
