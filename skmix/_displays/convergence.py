"""The likelihood at each iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._interface.wording import check_random_state
from .axes import fitted_mixture, get_ax


class ConvergenceDisplay:
    """The likelihood at each iteration of EM, for one run or several.

    Make it by :meth:`from_estimator` or :meth:`from_restarts`.

    Parameters
    ----------
    lower_bounds : list of array-like of shape (n_iter,)
        For every run the mean log-likelihood per row (nats) at each iteration.

    converged : list of bool, default=None
        Whether each run converged; None means that all did.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure of these axes.

    lines_ : list of matplotlib Line2D
        One line per run.

    See Also
    --------
    SelectionDisplay : Criteria against the number of components.
    GaussianMixture : A mixture whose `lower_bounds_` are drawn.

    Notes
    -----
    The run that ends highest is drawn in colour, the others in gray. A run that stopped at
    `max_iter` ends in a cross. Where the first tenth of the iterations lies far below all others,
    the picture begins above it.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), 1977.
    :doi:`10.1111/j.2517-6161.1977.tb01600.x`

    Examples
    --------
    >>> from skmix import ConvergenceDisplay
    >>> display = ConvergenceDisplay([[-3.0, -2.5, -2.4], [-3.1, -2.9]])
    >>> display.best
    0
    """

    def __init__(
        self, lower_bounds: Sequence[Any], *, converged: Sequence[bool] | None = None
    ) -> None:
        self.lower_bounds = [np.asarray(bounds, dtype=np.float64) for bounds in lower_bounds]
        if not self.lower_bounds or any(b.ndim != 1 or b.size == 0 for b in self.lower_bounds):
            raise ValueError(
                "lower_bounds must hold one non-empty list of likelihoods per run, but its shapes "
                f"are {[bounds.shape for bounds in self.lower_bounds]}. A mixture that was made "
                "from parameters, or fitted with max_iter=0, has seen no iterations."
            )
        self.converged = [True] * len(self.lower_bounds) if converged is None else list(converged)

    @property
    def best(self) -> int:
        """Index of the run that ends at the highest likelihood."""
        return int(np.argmax([bounds[-1] for bounds in self.lower_bounds]))

    def plot(self, ax: Any = None, **line_kw: Any) -> ConvergenceDisplay:
        """Draw the likelihood against the iteration.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.plot`.

        Returns
        -------
        display : ConvergenceDisplay
            The display itself.

        Examples
        --------
        >>> from skmix import ConvergenceDisplay
        >>> display = ConvergenceDisplay([[-3.0, -2.5, -2.4]]).plot()
        >>> display.ax_.get_xlabel()
        'iteration'
        """
        check_matplotlib_support("ConvergenceDisplay.plot")
        ax = get_ax(self, ax)
        n_runs, best = len(self.lower_bounds), self.best
        name = "likelihood" if n_runs == 1 else f"best of {n_runs} restarts"
        self.lines_ = []
        for run, bounds in enumerate(self.lower_bounds):
            style: dict[str, Any] = {"color": "0.6", "linewidth": 1.0, "zorder": 2}
            if run == best:
                style = {"color": "C0", "linewidth": 2.0, "zorder": 3, "label": name}
            elif run == (1 if best == 0 else 0):
                style["label"] = "the others"
            style |= {"marker": "o" if self.converged[run] else "x", "markevery": [-1]}
            iterations = np.arange(1, len(bounds) + 1)
            self.lines_ += ax.plot(iterations, bounds, **{**style, **line_kw})
        if not all(self.converged):
            ax.plot([], [], "x", color="0.3", label="stopped at max_iter")
        self._leave_out_poor_starts(ax)
        ax.set_xlabel("iteration")
        ax.set_ylabel("mean log-likelihood per row (nats)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        if n_runs > 1 or not all(self.converged):
            ax.legend(loc="lower right")
        return self

    def _leave_out_poor_starts(self, ax: Any) -> None:
        """Begin the picture above first iterations that would hide all others."""
        lowest = min(bounds.min() for bounds in self.lower_bounds)
        # A tenth of the iterations at least, but the last one always counts.
        skipped = [min(-(-len(bounds) // 10), len(bounds) - 1) for bounds in self.lower_bounds]
        runs = [bounds[n:] for bounds, n in zip(self.lower_bounds, skipped, strict=True)]
        low, high = min(run.min() for run in runs), max(run.max() for run in runs)
        if high - lowest > 5 * (high - low) > 0:
            margin = 0.1 * (high - low)
            ax.set_ylim(low - margin, high + margin)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **line_kw: Any):
        """Draw the iterations of a fit, of its best run.

        Parameters
        ----------
        estimator : estimator
            A fitted mixture, a Pipeline that ends in one, or an estimator that keeps one as
            `mixture_`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.plot`.

        Returns
        -------
        display : ConvergenceDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator keeps no `lower_bounds_`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import ConvergenceDisplay, GaussianMixture
        >>> mixture = GaussianMixture(3, random_state=0).fit(load_iris().data)
        >>> display = ConvergenceDisplay.from_estimator(mixture)
        >>> len(display.lower_bounds[0]) == mixture.n_iter_
        True
        """
        check_matplotlib_support("ConvergenceDisplay.from_estimator")
        mixture = fitted_mixture(estimator, "lower_bounds_", cls.__name__)
        return cls([mixture.lower_bounds_], converged=[mixture.converged_]).plot(ax, **line_kw)

    @classmethod
    def from_restarts(
        cls,
        estimator: Any,
        X: Any,
        *,
        n_restarts: int = 10,
        sample_weight: Any = None,
        random_state: Any = None,
        ax: Any = None,
        **line_kw: Any,
    ):
        """Fit a mixture from several starts and draw the iterations of each.

        Parameters
        ----------
        estimator : estimator
            A mixture. It is cloned, not fitted, and every clone has a `random_state` of its own
            and ``n_init=1``.

        X : array-like of shape (n_samples, n_features)
            The rows.

        n_restarts : int, default=10
            The number of fits.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        random_state : int, RandomState instance or None, default=None
            Controls the seeds of the fits. Pass an int for reproducible output.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.plot`.

        Returns
        -------
        display : ConvergenceDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If `n_restarts` is less than 1.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import ConvergenceDisplay, GaussianMixture
        >>> display = ConvergenceDisplay.from_restarts(
        ...     GaussianMixture(3, init_params="random_from_data"),
        ...     load_iris().data,
        ...     n_restarts=3,
        ...     random_state=0,
        ... )
        >>> len(display.lines_)
        3
        """
        check_matplotlib_support("ConvergenceDisplay.from_restarts")
        if n_restarts < 1:
            raise ValueError(f"n_restarts={n_restarts} must be at least 1, the number of fits.")
        random_state = check_random_state(random_state)
        seeds = random_state.randint(np.iinfo(np.int32).max, size=n_restarts)
        runs = [clone(estimator).set_params(n_init=1, random_state=int(seed)) for seed in seeds]
        for run in runs:
            run.fit(X, sample_weight=sample_weight)
        converged = [run.converged_ for run in runs]
        return cls([run.lower_bounds_ for run in runs], converged=converged).plot(ax, **line_kw)
