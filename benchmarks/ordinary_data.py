"""Default fits to ordinary generated data, beside scikit-learn's default and its n_init=10.

    python benchmarks/ordinary_data.py                      # every kind, type and 10 seeds
    python benchmarks/ordinary_data.py --kinds line atoms --types full --seeds 3 --verbose

Every kind of data draws its own number of rows, features and clusters. Fits are compared by the
likelihood at the data's own resolution: h²/12 is added to the variances of a column whose values
lie h apart, so that a component that stands on one value of a rounded column wins nothing. Fits
with a component on at most n_features + 1 distinct rows, none of which carries 1 / (2 K) of the
weight, are spikes and left out (a spike of skmix's own where a peer has none counts as below).
A fit is clearly below the best of the three where it ends more than 0.02 nats per row below it,
and its labels are worse where the adjusted Rand index with the clusters is lower by 0.1.

scikit-learn gets integer weights as repeated rows. It takes no missing cells: there, both peers
are EM from the clusters that the data were drawn from. `reg_covar` is 1e-6 on all sides. Times are
of the whole fit, in one process, one library after the other.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np
import sklearn.mixture
from results import json_option, record
from sklearn.metrics import adjusted_rand_score

import skmix

TYPES = ("full", "tied", "diag", "spherical")
BELOW, WORSE, LESS = 0.02, 0.1, 0.005


class Sample(NamedTuple):
    """Rows drawn from clusters."""

    X: np.ndarray
    labels: np.ndarray
    n_components: int
    weight: np.ndarray | None = None


def _shape(rng, n=(300, 3000), d=(1, 9), k=(2, 9)):
    n_rows = int(np.exp(rng.uniform(*np.log(n))))
    return n_rows, int(rng.integers(*d)), int(rng.integers(*k))


def _clusters(rng, n, d, k, *, separation=4.0, shares=None):
    """Round clusters of unit spread around random centres, and which row is whose."""
    labels = rng.choice(k, size=n, p=shares)
    centres = separation * rng.normal(size=(k, d))
    return rng.normal(size=(n, d)), labels, centres


def line(rng):
    """Equal round clusters in a line along the diagonal."""
    n, d, k = _shape(rng, d=(2, 13), k=(2, 6))
    labels = np.arange(n) % k
    return Sample(rng.normal(size=(n, d)) + 5.0 * labels[:, None], labels, k)


def line_of_one_column(rng):
    """A line along one column, others noise."""
    n, d, k = _shape(rng, d=(2, 13), k=(2, 6))
    labels = np.arange(n) % k
    X = rng.normal(size=(n, d))
    X[:, 0] += 6.0 * labels
    return Sample(X, labels, k)


def blobs(rng):
    """Round clusters at random places."""
    n, d, k = _shape(rng)
    Z, labels, centres = _clusters(rng, n, d, k)
    return Sample(Z + centres[labels], labels, k)


def overlapping_blobs(rng):
    """Round clusters that overlap."""
    n, d, k = _shape(rng, k=(2, 6))
    Z, labels, centres = _clusters(rng, n, d, k, separation=2.0)
    return Sample(Z + centres[labels], labels, k)


def sheared(rng):
    """Clusters of one sheared shape."""
    n, d, k = _shape(rng, d=(2, 9))
    Z, labels, centres = _clusters(rng, n, d, k)
    shear = rng.normal(size=(d, d)) / np.sqrt(d) + np.eye(d)
    return Sample(Z @ shear + centres[labels], labels, k)


def own_shapes(rng):
    """Clusters of a sheared shape each."""
    n, d, k = _shape(rng, d=(2, 7))
    Z, labels, centres = _clusters(rng, n, d, k, separation=5.0)
    shears = rng.normal(size=(k, d, d))
    return Sample(np.einsum("nd,nde->ne", Z, shears[labels]) + centres[labels], labels, k)


def unequal_sizes(rng):
    """Clusters from frequent to rare."""
    n, d, k = _shape(rng, n=(600, 3000))
    shares = 0.6 ** np.arange(k)
    Z, labels, centres = _clusters(rng, n, d, k, shares=shares / shares.sum())
    return Sample(Z + centres[labels], labels, k)


def unequal_spreads(rng):
    """Clusters from narrow to wide."""
    n, d, k = _shape(rng, k=(2, 7))
    Z, labels, centres = _clusters(rng, n, d, k, separation=5.0)
    spreads = rng.uniform(0.3, 2.5, size=k)
    return Sample(Z * spreads[labels, None] + centres[labels], labels, k)


def unequal_units(rng):
    """Round clusters with columns in different units."""
    sample = blobs(rng)
    return sample._replace(X=sample.X * 10.0 ** rng.uniform(-1, 1.5, size=sample.X.shape[1]))


def bootstrap(rng):
    """A resample of round clusters: most rows come twice or more."""
    n, d, k = _shape(rng, d=(2, 7), k=(2, 6))
    Z, labels, centres = _clusters(rng, n, d, k)
    drawn = rng.integers(n, size=n)
    return Sample((Z + centres[labels])[drawn], labels[drawn], k)


def atom(rng):
    """One value that is a cluster of its own."""
    n, d, k = _shape(rng, d=(1, 6), k=(2, 5))
    Z, labels, _ = _clusters(rng, n, d, k)
    return Sample(np.where(labels[:, None] == 0, 0.0, Z + 5.0 * labels[:, None]), labels, k)


def dense(rng):
    """A dense cluster inside a wide one."""
    n, d, _ = _shape(rng, n=(1000, 5000), d=(2, 6))
    labels = (rng.random(n) < rng.uniform(0.04, 0.2)).astype(int)
    at = 0.7 * rng.normal(size=d)
    Z = rng.normal(size=(n, d))
    return Sample(np.where(labels[:, None] == 1, 0.1 * Z + at, Z), labels, 2)


def clipped(rng):
    """Clusters clipped at zero."""
    sample = blobs(rng)
    return sample._replace(X=np.maximum(sample.X, 0.0))


def integers(rng):
    """Clusters rounded to integers."""
    sample = blobs(rng)
    return sample._replace(X=np.round(2.0 * sample.X))


def one_decimal(rng):
    """Clusters of own shapes with one decimal, as in measured flowers."""
    sample = own_shapes(rng)
    return sample._replace(X=np.round(sample.X, 1))


def binary_column(rng):
    """Two clusters told by a binary column and by a number."""
    n, d, _ = _shape(rng, d=(2, 6))
    labels = rng.integers(2, size=n)
    X = rng.normal(size=(n, d))
    X[:, 0] += 3.0 * labels
    return Sample(np.column_stack([X, labels]), labels, 2)


def skewed(rng):
    """Clusters with long tails to one side."""
    n, d, k = _shape(rng, d=(1, 5), k=(2, 5))
    Z, labels, centres = _clusters(rng, n, d, k, separation=6.0)
    return Sample(rng.gamma(2.0, size=Z.shape) + centres[labels], labels, k)


def heavy_tails(rng):
    """Clusters of Student's t with five degrees of freedom."""
    n, d, k = _shape(rng, d=(1, 7), k=(2, 5))
    Z, labels, centres = _clusters(rng, n, d, k, separation=6.0)
    return Sample(rng.standard_t(5, size=Z.shape) + centres[labels], labels, k)


def many_features(rng):
    """Round clusters in 8 to 16 features."""
    n, d, k = _shape(rng, n=(600, 3000), d=(8, 17))
    Z, labels, centres = _clusters(rng, n, d, k, separation=2.0)
    return Sample(Z + centres[labels], labels, k)


def elongated(rng):
    """Parallel clusters, many times as long as wide."""
    n, d, k = _shape(rng, d=(2, 6), k=(2, 5))
    labels = np.arange(n) % k
    Z = rng.normal(size=(n, d)) * np.r_[10.0, np.ones(d - 1)]
    Z[:, -1] += 8.0 * labels
    rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return Sample(Z @ rotation, labels, k)


def crossing(rng):
    """Two long clusters that cross."""
    n, d, _ = _shape(rng, d=(2, 6))
    labels = rng.integers(2, size=n)
    Z = rng.normal(size=(n, d))
    Z[np.arange(n), labels] *= 8.0
    return Sample(Z, labels, 2)


def nested(rng):
    """Clusters about one centre, each several times as wide as the last."""
    n, d, k = _shape(rng, n=(600, 3000), d=(2, 9), k=(2, 4))
    labels = rng.integers(k, size=n)
    return Sample(rng.normal(size=(n, d)) * 5.0 ** labels[:, None], labels, k)


def weighted(rng):
    """Rows with integer weights."""
    sample = blobs(rng)
    weight = rng.integers(1, 4, size=len(sample.X)).astype(float)
    return sample._replace(weight=weight)


def _with_holes(rng, sample, share):
    X = np.where(rng.random(sample.X.shape) < share, np.nan, sample.X)
    kept = ~np.isnan(X).all(axis=1)
    return sample._replace(X=X[kept], labels=sample.labels[kept])


def missing_cells(rng):
    """Round clusters with 10 to 20 % of the cells missing."""
    n, d, k = _shape(rng, n=(300, 1200), d=(3, 7), k=(2, 6))
    Z, labels, centres = _clusters(rng, n, d, k)
    return _with_holes(rng, Sample(Z + centres[labels], labels, k), rng.uniform(0.1, 0.2))


def missing_cells_of_a_line(rng):
    """Clusters in a line with 20 % of the cells missing."""
    sample = line(np.random.default_rng(rng.integers(2**31)))
    few = slice(0, 1000)
    return _with_holes(rng, sample._replace(X=sample.X[few, :6], labels=sample.labels[few]), 0.2)


KINDS = {
    kind.__name__: kind
    for kind in (
        line,
        line_of_one_column,
        blobs,
        overlapping_blobs,
        sheared,
        own_shapes,
        unequal_sizes,
        unequal_spreads,
        unequal_units,
        bootstrap,
        atom,
        dense,
        clipped,
        integers,
        one_decimal,
        binary_column,
        skewed,
        heavy_tails,
        many_features,
        elongated,
        crossing,
        nested,
        weighted,
        missing_cells,
        missing_cells_of_a_line,
    )
}
SEPARATED = {  # clusters that no fit of theirs may miss, by the types that can follow them
    "line": TYPES,
    "line_of_one_column": TYPES,
    "sheared": ("full", "tied"),
    "bootstrap": TYPES,
    "atom": ("full", "diag", "spherical"),
    "binary_column": ("full", "diag"),
    "elongated": ("full", "tied"),
    "weighted": TYPES,
    "missing_cells_of_a_line": TYPES,
}


def resolution(X, weight):
    """The distance of neighbouring values of each column, that of a tenth of the rows at most."""
    return np.array([_spacing(column, weight) for column in X.T])


def _spacing(column, weight):
    seen = ~np.isnan(column)
    values, place = np.unique(column[seen], return_inverse=True)
    gaps = np.diff(values)
    gaps = np.where(gaps > 1e-9 * (values[-1] - values[0] + 1e-300), gaps, np.inf)
    if not np.any(np.isfinite(gaps)):
        return 0.0
    nearest = np.minimum(np.r_[np.inf, gaps], np.r_[gaps, np.inf])
    mass = np.bincount(place, weight[seen])
    order = np.argsort(nearest)
    at = np.searchsorted(np.cumsum(mass[order]), 0.1 * mass.sum())
    return nearest[order][min(at, len(order) - 1)]


def dense_covariances(mixture):
    """Covariance matrices of all components of a fit of either library."""
    k, d = mixture.means_.shape
    covariances = np.asarray(mixture.covariances_, dtype=float)
    if mixture.covariance_type == "tied":
        return np.broadcast_to(covariances, (k, d, d))
    if mixture.covariance_type == "full":
        return covariances
    return np.broadcast_to(covariances.reshape(k, -1, 1), (k, d, 1)) * np.eye(d)


def likelihood(mixture, X, weight):
    """Mean log-likelihood per row at the resolution of the rows."""
    blurred = dense_covariances(mixture) + np.diag(resolution(X, weight) ** 2 / 12.0)
    at_resolution = skmix.GaussianMixture.from_parameters(
        mixture.weights_ / np.sum(mixture.weights_), mixture.means_, blurred
    )
    return np.average(at_resolution.score_samples(X), weights=weight)


def has_spike(mixture, X, labels, weight):
    """Whether a component stands on a few rows, none of them heavy."""
    k, d = mixture.means_.shape
    if mixture.covariance_type == "tied":
        return False
    rows, place = np.unique(np.nan_to_num(X, nan=1e300), axis=0, return_inverse=True)
    mass, owner = np.bincount(place.ravel(), weight), np.empty(len(rows), int)
    owner[place.ravel()] = labels
    for component in range(k):
        own = mass[owner == component]
        if 0 < len(own) <= d + 1 and own.max() < weight.sum() / (2 * k):
            return True
    return False


class Outcome(NamedTuple):
    likelihood: float
    spiked: bool
    ari: float
    seconds: float
    dead: bool


def evaluate(mixture, sample, seconds):
    X = sample.X
    weight = np.ones(len(X)) if sample.weight is None else sample.weight
    ours = skmix.GaussianMixture.from_parameters(
        mixture.weights_ / np.sum(mixture.weights_), mixture.means_, dense_covariances(mixture)
    )
    labels = ours.predict(X)
    return Outcome(
        likelihood(mixture, X, weight),
        has_spike(mixture, X, labels, weight),
        adjusted_rand_score(sample.labels, labels),
        seconds,
        bool(np.any(mixture.weights_ < 1e-9)),
    )


def from_the_truth(sample, covariance_type):
    """EM from the clusters that the rows were drawn from."""
    X, d = sample.X, sample.X.shape[1]
    of = [X[sample.labels == k] for k in range(sample.n_components)]
    variances = [np.nanvar(rows, axis=0) + 1e-3 for rows in of]
    pooled = np.mean(variances, axis=0)
    precisions = {
        "full": lambda: np.array([np.diag(1 / v) for v in variances]),
        "tied": lambda: np.diag(1 / pooled),
        "diag": lambda: np.array([1 / v for v in variances]),
        "spherical": lambda: np.array([1 / v.mean() for v in variances]),
    }[covariance_type]()
    return skmix.GaussianMixture(
        sample.n_components,
        covariance_type=covariance_type,
        reg_covar=1e-6,
        weights_init=np.bincount(sample.labels, minlength=sample.n_components) / len(X),
        means_init=np.array([np.nanmean(rows, axis=0) for rows in of]),
        precisions_init=precisions + np.zeros((1,) * np.ndim(precisions)) + 0.0 * d,
    )


RIVALS = ("skmix", "scikit-learn", "n_init=10")


def fit_all(sample, covariance_type, seed):
    """Fit by all three; an outcome each."""
    options = {
        "n_components": sample.n_components,
        "covariance_type": covariance_type,
        "reg_covar": 1e-6,
        "random_state": seed,
    }
    rows = sample.X
    if sample.weight is not None:
        rows = np.repeat(rows, sample.weight.astype(int), axis=0)
    if np.isnan(sample.X).any():
        peers = [from_the_truth(sample, covariance_type)] * 2
    else:
        peers = [sklearn.mixture.GaussianMixture(**options, n_init=n) for n in (1, 10)]
    outcomes = []
    for mixture in (skmix.GaussianMixture(**options), *peers):
        ours = not outcomes
        started = time.process_time()
        if ours:
            mixture.fit(sample.X, sample_weight=sample.weight)
        else:
            mixture.fit(rows)
        outcomes.append(evaluate(mixture, sample, time.process_time() - started))
    return outcomes


def _below(outcomes, i):
    """By how much an outcome is below the best of those without spikes, nats per row."""
    honest = [o.likelihood for o in outcomes if not o.spiked]
    if not honest:
        return 0.0
    if outcomes[i].spiked:
        return np.inf
    return max(honest) - outcomes[i].likelihood


class Tally:
    def __init__(self):
        self.fits = 0
        self.below = np.zeros(3, int)
        self.below_default = self.worse = self.worse_separated = self.less = self.dead = 0
        self.ari, self.seconds = np.zeros(3), np.zeros(3)

    def add(self, outcomes, separated, incomplete):
        self.fits += 1
        ours, default, best = outcomes
        self.below += [_below(outcomes, i) > BELOW for i in range(3)]
        self.below_default += _below(outcomes[:2], 0) > BELOW
        worse = ours.ari < max(default.ari, best.ari) - WORSE
        self.worse += worse
        self.worse_separated += worse and separated
        self.dead += ours.dead and not (default.dead and best.dead)
        self.ari += [o.ari for o in outcomes]
        if not incomplete:
            self.seconds += [o.seconds for o in outcomes]

    def merge(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def record(self, name):
        rivals = ("skmix", "scikit-learn", "scikit-learn, n_init=10")
        record(
            "kinds",
            kind=name,
            fits=self.fits,
            below_default=self.below_default,
            **{f"{rival}: below": b for rival, b in zip(rivals, self.below, strict=True)},
            **{f"{rival}: ari": a / self.fits for rival, a in zip(rivals, self.ari, strict=True)},
            **{f"{rival}: seconds": s for rival, s in zip(rivals, self.seconds, strict=True)},
        )

    def line(self, name):
        below = " ".join(f"{b:4d}" for b in self.below)
        ari = " ".join(f"{a / max(self.fits, 1):.3f}" for a in self.ari)
        seconds = " ".join(f"{s:7.2f}" for s in self.seconds)
        ratio = self.seconds[0] / self.seconds[1] if self.seconds[1] else np.nan
        return (
            f"{name:26}{self.fits:5d} |{below} |{self.below_default:4d} |{self.worse:4d} "
            f"{self.worse_separated:4d} |{self.dead:4d} | {ari} | {seconds} | {ratio:5.2f}"
        )


HEADER = (
    f"{'':26} fits | below best   |<skl |ARI -.1  |dead | mean ARI          | "
    "seconds                 | ratio\n"
    f"{'':26}      |ours  skl x10  |     |all  sep |     | ours  skl   x10   | "
    "   ours     skl     x10 |"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--types", nargs="+", default=list(TYPES), choices=TYPES)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="name every fit that falls short")
    json_option(parser)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(HEADER)
    total = Tally()
    for kind in args.kinds:
        tally = Tally()
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            sample = KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind)]))
            incomplete = bool(np.isnan(sample.X).any())
            for covariance_type in args.types:
                outcomes = fit_all(sample, covariance_type, seed)
                separated = covariance_type in SEPARATED.get(kind, ())
                tally.add(outcomes, separated, incomplete)
                short = _below(outcomes, 0) > BELOW
                worse = outcomes[0].ari < max(o.ari for o in outcomes) - WORSE
                if args.verbose and (short or worse):
                    shape = f"{sample.X.shape} K={sample.n_components}"
                    cells = "  ".join(
                        f"{o.likelihood:.3f}{'*' * o.spiked} {o.ari:.2f}" for o in outcomes
                    )
                    print(f"    {kind} {seed} {covariance_type} {shape}: {cells}", flush=True)
        total.merge(tally)
        tally.record(kind)
        print(tally.line(kind), flush=True)
    total.record("total")
    print(total.line("total"))


if __name__ == "__main__":
    main()
