"""The entropy of clusters of components against their number."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._selection.merging import MergedComponents, elbow, merge_components
from .axes import get_ax

NUMBER, ROWS = "n_clusters", "merged_rows"
LABELS = {NUMBER: "number of clusters", ROWS: "rows of merged clusters, summed over mergers"}


class MergingDisplay:
    """The entropy of the cluster probabilities, from one cluster to all components.

    Make it by :meth:`from_merging` or :meth:`from_estimator`.

    Parameters
    ----------
    merging : MergedComponents
        What :func:`merge_components` returned.

    x : {'n_clusters', 'merged_rows'}, default='n_clusters'
        The horizontal axis: the number of clusters, or how many rows were in the clusters merged
        so far, which does not let a merger of large clusters look costly for its size.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn.

    figure_ : matplotlib Figure
        The figure of these axes.

    line_ : matplotlib Line2D
        The entropies.

    fits_ : list of matplotlib Line2D
        The two lines that meet at the elbow; none where there are fewer than three components.

    suggested_ : matplotlib Line2D
        The ring around the suggested number of clusters.

    See Also
    --------
    merge_components : Merges the components.
    ComponentsDisplay : The components themselves.

    Notes
    -----
    Read it from the right: as long as components that overlap are merged the entropy falls
    steeply; beyond the elbow clusters are merged that are distinct, and little is gained. The two
    lines are fitted on the axis that is drawn; the ring is where :func:`merge_components` says.

    References
    ----------
    J.-P. Baudry, A. E. Raftery, G. Celeux, K. Lo, R. Gottardo, "Combining mixture components for
    clustering", Journal of Computational and Graphical Statistics 19(2), 2010.
    :doi:`10.1198/jcgs.2010.08111`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmix import GaussianMixture, MergingDisplay, merge_components
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(4, covariance_type="diag", random_state=0).fit(X)
    >>> display = MergingDisplay.from_merging(merge_components(mixture, X))
    >>> display.line_.get_xdata().tolist()
    [1, 2, 3, 4]
    """

    def __init__(self, merging: MergedComponents, *, x: str = NUMBER) -> None:
        if x not in LABELS:
            raise ValueError(f"x must be one of {list(LABELS)}, but is {x!r}.")
        self.merging = merging
        self.x = x

    def plot(self, ax: Any = None, **line_kw: Any) -> MergingDisplay:
        """Draw the entropy.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.plot`, for the entropies.

        Returns
        -------
        display : MergingDisplay
            The display itself.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import GaussianMixture, MergingDisplay, merge_components
        >>> X = load_iris().data
        >>> merging = merge_components(GaussianMixture(2, random_state=0).fit(X), X)
        >>> MergingDisplay(merging).plot().suggested_.get_label()
        'suggested: 2 clusters'
        """
        check_matplotlib_support("MergingDisplay.plot")
        ax = get_ax(self, ax)
        entropies, suggested = self.merging.entropies, self.merging.n_clusters
        numbers = np.arange(1, len(entropies) + 1)
        places = numbers if self.x == NUMBER else self._rows_so_far()
        (self.line_,) = ax.plot(
            places, entropies, **{"marker": "o", "label": "entropy", "zorder": 3, **line_kw}
        )
        self.fits_ = []
        if len(entropies) > 2:
            knot = elbow(entropies, places)
            for points in (slice(0, knot), slice(knot - 1, None)):
                fit = np.polynomial.Polynomial.fit(places[points], entropies[points], 1)
                ends = places[points][[0, -1]]
                (line,) = ax.plot(ends, fit(ends), "--", color="0.5", linewidth=1)
                self.fits_.append(line)
            self.fits_[0].set_label("two lines")
        plural = "" if suggested == 1 else "s"
        (self.suggested_,) = ax.plot(
            places[suggested - 1],
            entropies[suggested - 1],
            "o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor="k",
            label=f"suggested: {suggested} cluster{plural}",
        )
        if self.x == NUMBER:
            step = -(-len(numbers) // 12)
            ax.set_xticks(numbers[::-step][::-1])
        else:
            ax.invert_xaxis()  # fewer clusters on the left, as on the other axis
            for place, entropy, number in zip(places, entropies, numbers, strict=True):
                ax.annotate(f"{number}", (place, entropy), (5, 7), textcoords="offset points")
        ax.set_xlabel(LABELS[self.x])
        ax.set_ylabel("entropy of the cluster probabilities (nats)")
        ax.grid(alpha=0.3)
        ax.legend()
        return self

    def _rows_so_far(self) -> np.ndarray:
        return np.cumsum(self.merging.merged_rows[::-1])[::-1]

    @classmethod
    def from_merging(
        cls, merging: Any, *, x: str = NUMBER, ax: Any = None, **line_kw: Any
    ) -> MergingDisplay:
        """Draw the outcome of `merge_components`.

        Parameters
        ----------
        merging : MergedComponents
            What :func:`merge_components` returned.

        x : {'n_clusters', 'merged_rows'}, default='n_clusters'
            The horizontal axis.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.plot`, for the entropies.

        Returns
        -------
        display : MergingDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If `merging` is something else.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import GaussianMixture, MergingDisplay, merge_components
        >>> X = load_iris().data
        >>> merging = merge_components(GaussianMixture(3, random_state=0).fit(X), X)
        >>> MergingDisplay.from_merging(merging, x="merged_rows").ax_.get_xlabel()
        'rows of merged clusters, summed over mergers'
        """
        check_matplotlib_support("MergingDisplay.from_merging")
        if not isinstance(merging, MergedComponents):
            raise TypeError(
                f"merging must be what merge_components returns, but is {merging!r}. Use "
                "from_estimator to merge the components of a mixture."
            )
        return cls(merging, x=x).plot(ax, **line_kw)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        sample_weight: Any = None,
        x: str = NUMBER,
        ax: Any = None,
        **line_kw: Any,
    ) -> MergingDisplay:
        """Merge the components of a fitted mixture and draw the outcome.

        Parameters
        ----------
        estimator : estimator
            A fitted mixture, or a Pipeline that ends in one.

        X : array-like of shape (n_samples, n_features)
            The rows of the fit.

        sample_weight : array-like of shape (n_samples,), default=None
            The weights of these rows.

        x : {'n_clusters', 'merged_rows'}, default='n_clusters'
            The horizontal axis.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **line_kw : dict
            Options of `ax.plot`, for the entropies.

        Returns
        -------
        display : MergingDisplay
            The display, drawn.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import GaussianMixture, MergingDisplay
        >>> X = load_iris().data
        >>> mixture = GaussianMixture(4, random_state=0).fit(X)
        >>> MergingDisplay.from_estimator(mixture, X).ax_.get_xlabel()
        'number of clusters'
        """
        check_matplotlib_support("MergingDisplay.from_estimator")
        merging = merge_components(estimator, X, sample_weight)
        return cls.from_merging(merging, x=x, ax=ax, **line_kw)
