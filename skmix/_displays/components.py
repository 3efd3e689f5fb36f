"""The components of a Gaussian mixture as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.utils._optional_dependencies import check_matplotlib_support

from .._interface import frames, validation
from .._mixtures.covariance_types import family_in_units
from .._mixtures.criteria import names_of_last_step, rows_of_last_step
from .._mixtures.mixed import MixedMixture
from .axes import fitted_mixture, get_ax

MAX_COLUMNS = 10


class ComponentsDisplay:
    r"""The components of a Gaussian mixture: images, ellipses, or curves.

    Make it by :meth:`from_estimator`.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
        The weights of the components.

    means : array-like of shape (n_components, n_features)
        Their means: all features for images, two for ellipses, one for curves.

    covariances : array-like
        Their covariances: of shape (n_components, n_features, n_features) or, for images of
        variances, (n_components, n_features).

    kind : {'images', 'ellipses', 'curves'}
        What is drawn.

    labels : list of int, default=None
        What the components are called; None counts from 0.

    image_shape : tuple of two int, default=None
        Height and width of images (pixels).

    feature_names : list of str, default=None
        Names of the one or two features of curves or ellipses.

    rows : array-like of shape (n_samples, n_features), default=None
        Rows to draw below ellipses and curves, of the same features.

    row_labels : array-like of shape (n_samples,), default=None
        Which of these components, counted from 0, a row belongs to and takes its colour from; -1
        for none of them, gray. None draws all rows in gray.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture was drawn; the first of them for images.

    axes_ : ndarray of matplotlib Axes
        All of them. For images of shape (2, n_components): means, then covariances.

    figure_ : matplotlib Figure
        The figure of these axes.

    See Also
    --------
    SelectionDisplay : The choice of the number of components.
    GaussianMixture, MixedMixture : The mixtures that are drawn.

    Notes
    -----
    Means are gray and covariances viridis, each with one colour scale for all components. Diagonal
    and spherical covariances are drawn as images of the variances, full and tied ones as matrices.

    An ellipse that contains the share p of a component lies :math:`\sqrt{-2 \log (1 - p)}`
    standard deviations from its mean.

    References
    ----------
    G. McLachlan, D. Peel, "Finite Mixture Models", Wiley, 2000. :doi:`10.1002/0471721182`

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmix import ComponentsDisplay, DiagonalGMM
    >>> mixture = DiagonalGMM(3, random_state=0).fit(load_digits().data)
    >>> display = ComponentsDisplay.from_estimator(mixture, image_shape=(8, 8))
    >>> display.axes_.shape
    (2, 3)
    """

    def __init__(
        self,
        weights: Any,
        means: Any,
        covariances: Any,
        *,
        kind: str,
        labels: Any = None,
        image_shape: Any = None,
        feature_names: Any = None,
        rows: Any = None,
        row_labels: Any = None,
    ) -> None:
        self.weights = np.asarray(weights)
        self.means = np.asarray(means)
        self.covariances = np.asarray(covariances)
        self.kind = kind
        self.labels = list(range(len(self.weights))) if labels is None else list(labels)
        self.image_shape = image_shape
        self.feature_names = feature_names
        self.rows = rows
        self.row_labels = row_labels

    def plot(self, ax: Any = None, *, coverage: Any = (0.5, 0.95)) -> ComponentsDisplay:
        """Draw the components.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure. Images divide these axes.

        coverage : tuple of float, default=(0.5, 0.95)
            Shares of a component that its ellipses contain.

        Returns
        -------
        display : ComponentsDisplay
            The display itself.

        Examples
        --------
        >>> from skmix import ComponentsDisplay
        >>> one = ComponentsDisplay([1.0], [[0.0]], [[[1.0]]], kind="curves").plot()
        >>> one.ax_.get_ylabel()
        'density'
        """
        check_matplotlib_support("ComponentsDisplay.plot")
        if self.kind == "images":
            return self._plot_images(ax)
        ax = get_ax(self, ax)
        self.axes_ = np.array([ax])
        names = self.feature_names or [f"feature {j}" for j in range(self.means.shape[1])]
        ax.set_xlabel(names[0])
        if self.kind == "ellipses":
            _plot_ellipses(ax, self, coverage)
            ax.set_ylabel(names[1])
        else:
            _plot_curves(ax, self)
            ax.set_ylabel("density")
        if len(self.weights) <= 2 * MAX_COLUMNS:
            ax.legend()
        return self

    def _plot_images(self, ax: Any) -> ComponentsDisplay:
        """Draw a row of means above a row of covariances, as often as there are components."""
        import matplotlib.pyplot as plt

        n_components = len(self.weights)
        n_columns = min(n_components, MAX_COLUMNS)
        n_rows = 2 * -(-n_components // n_columns)
        if ax is None:
            size = (1.6 * n_columns + 1.2, 2.1 * n_rows)
            figure: Any = plt.figure(figsize=size, layout="constrained")
            figure.get_layout_engine().set(h_pad=0.1)
            grid = figure.add_gridspec(n_rows, n_columns)
        else:
            figure = ax.figure
            grid = ax.get_subplotspec().subgridspec(n_rows, n_columns)
            ax.set_axis_off()
        cells = [figure.add_subplot(grid[i, j]) for i in range(n_rows) for j in range(n_columns)]
        table = np.array(cells).reshape(n_rows // 2, 2, n_columns)
        for cell in cells:
            cell.set_axis_off()
        self.axes_ = table.transpose(1, 0, 2).reshape(2, -1)[:, :n_components]
        self.figure_, self.ax_ = figure, self.axes_[0, 0]
        means = self.means.reshape(-1, *self.image_shape)
        matrices = self.covariances.ndim == 3
        spreads = self.covariances if matrices else self.covariances.reshape(means.shape)
        self._fill(table[:, 0], means, "mean", "gray")
        self._fill(table[:, 1], spreads, "covariance" if matrices else "variances", "viridis")
        return self

    def _fill(self, rows: np.ndarray, pictures: np.ndarray, what: str, cmap: str) -> None:
        """Draw one picture per component, on one colour scale that every row shows."""
        limits = {"vmin": pictures.min(), "vmax": pictures.max()}
        for k, (one, picture) in enumerate(zip(rows.flat, pictures, strict=False)):
            shown = one.imshow(picture, cmap=cmap, **limits)
            title = f"{what} {self.labels[k]}\nweight {self.weights[k]:.3g}"
            one.set_title(title, fontsize="small")
        for row in rows:
            self.figure_.colorbar(shown, ax=list(row), shrink=0.7, pad=0.02)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        kind: str = "auto",
        image_shape: Any = None,
        features: Any = None,
        components: Any = None,
        coverage: Any = (0.5, 0.95),
        ax: Any = None,
    ):
        """Draw the components of a fitted mixture.

        Parameters
        ----------
        estimator : estimator
            A fitted Gaussian mixture, a Pipeline that ends in one, or an estimator that keeps one
            as `mixture_`. Of a :class:`MixedMixture`, what it says of columns of numbers is drawn.

        X : array-like of shape (n_samples, n_features), default=None
            Rows to draw below ellipses and curves, as `estimator` takes them; below ellipses in
            the colour of their most probable component.

        kind : {'auto', 'images', 'ellipses', 'curves'}, default='auto'
            - 'images': every mean and every covariance as an image;
            - 'ellipses': where the components lie in the plane of two features;
            - 'curves': the densities of a single feature, times their weights;
            - 'auto': images where `image_shape` is given, curves where there is a single
              feature, ellipses elsewhere.

        image_shape : tuple of two int, default=None
            Height and width of images (pixels).

        features : list of int or str, default=None
            Which features ellipses and curves show: two, or one. None takes the first two, or the
            only one, of those that are numbers.

        components : array-like of int, default=None
            Which components to draw, in this order, such as ``np.argsort(mixture.weights_)``.
            None takes all that have a weight.

        coverage : tuple of float, default=(0.5, 0.95)
            Shares of a component that its ellipses contain.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure. Images divide these axes.

        Returns
        -------
        display : ComponentsDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator is no Gaussian mixture.

        ValueError
            If `kind` is unknown, or `image_shape`, `features` or `components` do not suit the
            mixture.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmix import ComponentsDisplay, GaussianMixture
        >>> X = load_iris().data
        >>> mixture = GaussianMixture(3, random_state=0).fit(X)
        >>> display = ComponentsDisplay.from_estimator(mixture, X, features=[2, 3])
        >>> display.kind
        'ellipses'
        """
        check_matplotlib_support("ComponentsDisplay.from_estimator")
        mixture = fitted_mixture(estimator, "covariances_", cls.__name__)
        n_features = mixture.means_.shape[1]
        places = _places_of_numbers(mixture)
        kind, features = _check_kind(mixture, places, kind, image_shape, features)
        components = _check_components(mixture, components)
        options: dict[str, Any] = {"kind": kind, "labels": components}
        family, params = family_in_units(mixture)
        params = params._replace(covariances=np.asarray(mixture.covariances_))
        if kind == "images":
            options["image_shape"] = _check_image_shape(image_shape, n_features)
            means = mixture.means_
            covariances = family.matrices(params) if family.dense else family.variances(params)
        else:
            means = mixture.means_[:, features]
            covariances = family.matrices(params)[:, features][:, :, features]
            names = names_of_last_step(estimator, mixture)
            options["feature_names"] = [names[j] for j in places[features]]
            if X is not None:
                rows = rows_of_last_step(estimator, X)
                options["rows"] = _numeric_rows(mixture, rows)[:, places[features]]
                options["row_labels"] = _ranks(mixture.predict(rows), components)
        display = cls(
            mixture.weights_[components], means[components], covariances[components], **options
        )
        return display.plot(ax, coverage=coverage)


def _places_of_numbers(mixture: Any) -> np.ndarray:
    """Return the positions in a row of the features that have means."""
    if not isinstance(mixture, MixedMixture):
        return np.arange(mixture.means_.shape[1])
    places = np.flatnonzero(mixture.families_ == "gaussian")
    if len(places) == 0:
        raise ValueError(
            "ComponentsDisplay draws columns of numbers, but the MixedMixture was fitted to none "
            f"(families_ is {mixture.families_.tolist()}). Use its report() instead."
        )
    return places


def _ranks(labels: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return which of some components have these labels, -1 where none has."""
    same = labels[:, None] == components
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def _numeric_rows(mixture: Any, rows: Any) -> np.ndarray:
    """Return rows as floats, NaN where a cell is missing."""
    if isinstance(mixture, MixedMixture):
        return np.asarray(mixture._validate_rows(rows), dtype=np.float64)
    return np.asarray(frames.as_array(rows) if frames.is_frame(rows) else rows, dtype=np.float64)


def _check_kind(
    mixture: Any, places: np.ndarray, kind: str, image_shape: Any, features: Any
) -> tuple[str, Any]:
    """Return what to draw, and which of the means curves and ellipses show."""
    known = ("auto", "images", "ellipses", "curves")
    if kind not in known:
        raise ValueError(f"kind={kind!r} is unknown; use one of {known}.")
    if kind == "auto" and image_shape is not None:
        kind = "images"
    if kind == "images":
        return kind, None
    features = places[:2] if features is None else validation.check_features(mixture, features)
    other = features[~np.isin(features, places)]
    if len(other):
        raise ValueError(
            f"ComponentsDisplay draws numbers, but column {other[0]} is "
            f"{mixture.families_[other[0]]!r}. Name features that are numbers: the columns "
            f"{places.tolist()}."
        )
    features = np.searchsorted(places, features)
    if kind == "auto":
        kind = "curves" if len(features) == 1 else "ellipses"
    n_shown = {"curves": 1, "ellipses": 2}[kind]
    if len(features) != n_shown:
        raise ValueError(
            f"kind={kind!r} shows {n_shown} feature(s), but features={features.tolist()} has "
            f"{len(features)}. Name {n_shown}, or use another kind."
        )
    return kind, features


def _check_components(mixture: Any, components: Any) -> np.ndarray:
    if components is None:
        return np.flatnonzero(mixture.weights_ > 0)
    components = np.atleast_1d(np.asarray(components))
    n_components = len(mixture.weights_)
    whole = components.ndim == 1 and components.size > 0 and components.dtype.kind in "iu"
    if not whole or components.min() < 0 or components.max() >= n_components:
        raise ValueError(
            f"components={components.tolist()} must be one or more indices from 0 to "
            f"{n_components - 1}."
        )
    return components


def _check_image_shape(image_shape: Any, n_features: int) -> tuple[int, int]:
    if image_shape is None:
        side = round(np.sqrt(n_features))
        image_shape = (side, side)
    shape = tuple(int(n) for n in np.atleast_1d(image_shape))
    if len(shape) != 2 or shape[0] * shape[1] != n_features:
        raise ValueError(
            f"image_shape={shape} does not hold the {n_features} features of the mixture; give "
            "height and width, whose product is the number of features."
        )
    return shape


def _plot_ellipses(ax: Any, display: ComponentsDisplay, coverage: Any) -> None:
    from matplotlib.patches import Ellipse

    if display.rows is not None:
        labels = (
            np.full(len(display.rows), -1) if display.row_labels is None else display.row_labels
        )
        for k in np.unique(labels):
            style = {"color": "0.6"} if k < 0 else {"color": f"C{k % 10}", "alpha": 0.5}
            ax.plot(*display.rows[labels == k].T, ".", markersize=3, zorder=1, **style)
    for k, (weight, mean, covariance) in enumerate(
        zip(display.weights, display.means, display.covariances, strict=True)
    ):
        variances, axes = np.linalg.eigh(covariance)
        angle = float(np.degrees(np.arctan2(axes[1, -1], axes[0, -1])))
        color = f"C{k % 10}"
        for share in coverage:
            width, height = 2 * np.sqrt(-2 * np.log1p(-share) * variances[::-1])
            style = {"fill": False, "edgecolor": color, "linewidth": 1.5, "zorder": 3}
            ax.add_patch(Ellipse(mean, width, height, angle=angle, **style))
        label = f"component {display.labels[k]}, weight {weight:.3g}"
        ax.plot(*mean, "+", color=color, markersize=10, zorder=3, label=label)
    ax.autoscale_view()


def _plot_curves(ax: Any, display: ComponentsDisplay) -> None:
    means, deviations = display.means[:, 0], np.sqrt(display.covariances[:, 0, 0])
    low, high = (means - 4 * deviations).min(), (means + 4 * deviations).max()
    if display.rows is not None:
        rows = display.rows[np.isfinite(display.rows)]
        ax.hist(rows, bins="auto", density=True, color="0.85", zorder=1)
    # A grid for each component, so that narrow ones keep their shape.
    near = means[:, None] + deviations[:, None] * np.linspace(-4, 4, 161)
    x = np.unique(np.append(near, np.linspace(low, high, 801)))
    densities = display.weights[:, None] * norm.pdf(x, means[:, None], deviations[:, None])
    for k, density in enumerate(densities):
        label = f"component {display.labels[k]}, weight {display.weights[k]:.3g}"
        ax.plot(x, density, color=f"C{k % 10}", label=label)
    ax.plot(x, densities.sum(axis=0), "k--", linewidth=1, label="their sum")
