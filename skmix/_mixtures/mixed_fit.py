"""How a mixture of several kinds of columns is fitted: rows, family, starts, attributes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .._engine import em
from .._families import (
    Categorical,
    CategoricalParams,
    Packing,
    Part,
    Poisson,
    PoissonParams,
    Product,
    ProductParams,
)
from .._interface import chunked_columns, columns, survey, validation
from .._interface.wording import learned_shares, learned_weights
from .._rows.sources import ArraySource
from .._starts.mixed import MixedStarts
from .base import BaseMixture
from .covariance_types import FAMILIES
from .gaussian import GaussianMixture
from .known import Known

# Columns of a source in this order; those of one kind stand together.
ORDER = ("gaussian", "poisson", "categorical")
# Of their covariances a linear combination has the same structure.
EXTRAPOLATED = tuple(FAMILIES[name] for name in ("full", "tied", "diag", "spherical"))
# What codes and states in float32 may reach.
LARGEST_CODE = 2**24


class MixedSource(ArraySource):
    """Rows with numbers first, then counts, then packed categories."""

    def __init__(
        self,
        X: np.ndarray,
        sample_weight: np.ndarray | None = None,
        *,
        packing: Packing | None,
        in_order: bool = False,
        incomplete: bool = False,
    ) -> None:
        super().__init__(X, sample_weight, in_order=in_order, incomplete=incomplete)
        self.packing = packing


class MixedFit(BaseMixture):
    """What a mixture of several kinds of columns tells the fit that all mixtures share."""

    _fall_remedy = (
        "Drop columns that others nearly determine or categories that next to no row has, "
        "standardise the numbers, pass float64, or raise reg_covar or alpha."
    )

    families_: np.ndarray
    categories_: list[np.ndarray]
    weights_: np.ndarray

    # Rows -------------------------------------------------------------------------------------

    def _places(self, kind: str) -> np.ndarray:
        """Return the positions of the columns of one kind."""
        return np.flatnonzero(self.families_ == kind)

    def _fit_source(self, X, sample_weight):
        chunks = self._chunks_of(X, sample_weight)
        if chunks is not None:
            return chunks, None, self._fit_chunks(chunks)
        rows, sample_weight = self._encoded(X, sample_weight)
        weight, X = validation.drop_unweighted(sample_weight, rows)
        if validation.has_missing(X):
            weight, X = validation.drop_empty_rows(self, weight, X)
        self._check_fit_parameters(X.shape, weight is not None)
        return rows, sample_weight, self._laid_out(X, weight)

    def _fit_chunks(self, chunks):
        """Learn what the columns of all chunks are; return a source of their rows."""
        if self._continues():
            self._check_continues(chunks._n_columns())
        else:
            self.families_ = chunked_columns.kinds_of(self, chunks)
            self.categories_ = chunked_columns.mixed_categories(self, chunks, self.families_)
        encode = partial(chunked_columns.encode_chunk, self)
        found = survey.find(self, chunks, encode)
        self._check_fit_parameters((found.n_samples, found.n_features), chunks.weighted)
        packing = self._packing(found.missing)
        kinds = ("gaussian", "poisson")
        numbers = np.concatenate([self._places(kind) for kind in kinds])
        large = packing is not None and packing.n_states > LARGEST_CODE
        source: Any = found.source_of(
            chunks,
            encode,
            partial(self._arranged, packing),
            incomplete=bool(found.missing[numbers].any()),
            n_features=len(numbers) + (packing.n_packs if packing is not None else 0),
            dtype=np.float64 if large else found.dtype,
        )
        source.packing = packing
        return source

    def _encoded(self, X, sample_weight):
        """Learn what the columns are; return rows of floats and checked weights."""
        if not self._continues():
            learned = columns.learn_rows(self, X, sample_weight)
            rows, self.families_, self.categories_, sample_weight = learned
            return rows, sample_weight
        table = columns.read_table(self, X, reset=True)
        self._check_continues(len(table.columns))
        return self._encoded_as_learned(table, sample_weight, learn=True)

    def _encoded_as_learned(self, table, sample_weight, *, learn):
        """Return rows of floats and checked weights of a table whose columns are known."""
        no_columns = np.empty((table.n_samples, 0))
        sample_weight = validation.check_sample_weight(sample_weight, no_columns)
        rows, _ = columns.encode(
            self,
            table,
            self.families_,
            self.categories_,
            handle_unknown=self.handle_unknown,
            kept=None if sample_weight is None else sample_weight > 0,
            learn=learn,
        )
        return rows, sample_weight

    def _learned_categories(self, X, sample_weight) -> list[np.ndarray]:
        """Return the categories that a fit would learn."""
        self._encoded(X, sample_weight)
        return self.categories_

    def _check_continues(self, n_features: int) -> None:
        if (len(self.weights_), len(self.families_)) != (self.n_components, n_features):
            raise ValueError(
                f"warm_start=True continues from {len(self.weights_)} components of "
                f"{len(self.families_)} columns, but n_components={self.n_components} and X has "
                f"{n_features} columns. Set warm_start=False to start afresh."
            )

    def _check_fit_parameters(self, shape, weighted):
        super()._check_fit_parameters(shape, weighted)
        numbers = self._places("gaussian")
        if len(numbers):
            self._numbers()._check_fit_parameters((shape[0], len(numbers)), weighted)

    def _laid_out(
        self,
        rows: np.ndarray,
        sample_weight: np.ndarray | None = None,
        *,
        in_order: bool = False,
        missing: np.ndarray | None = None,
    ) -> MixedSource:
        """Return a source of encoded rows, which have their columns as users have them.

        `missing` says in which columns cells may be missing, if not those where some are.
        """
        packing = self._packing(np.isnan(rows).any(axis=0) if missing is None else missing)
        X = self._arranged(packing, rows)
        incomplete = validation.has_missing(X)
        return MixedSource(
            X, sample_weight, packing=packing, in_order=in_order, incomplete=incomplete
        )

    def _packing(self, missing: np.ndarray) -> Packing | None:
        """Return how categories are packed, given which columns have missing cells."""
        answers = self._places("categorical")
        if len(answers) == 0:
            return None
        return Packing([len(known) for known in self.categories_], missing[answers])

    def _arranged(self, packing: Packing | None, rows: np.ndarray) -> np.ndarray:
        """Return encoded rows as numbers, counts and packed categories."""
        numbers, counts, answers = map(self._places, ORDER)
        if packing is None and len(counts) == 0:
            return rows
        blocks = [rows[:, np.concatenate([numbers, counts])]]
        if packing is not None:
            codes = np.nan_to_num(rows[:, answers], nan=-1.0).astype(np.int64)
            blocks.append(packing.pack(codes))
            if packing.n_states > LARGEST_CODE:
                blocks[0] = blocks[0].astype(np.float64)
        dtype = blocks[0].dtype
        return np.concatenate([block.astype(dtype, copy=False) for block in blocks], axis=1)

    # Family -----------------------------------------------------------------------------------

    def _numbers(self, learned: dict[str, Any] | None = None) -> GaussianMixture:
        """Return a Gaussian mixture with the settings, and learned attributes, of the numbers."""
        mixture = GaussianMixture(
            self.n_components,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            shrinkage=self.shrinkage,
            prior=self.prior,
        )
        names = getattr(self, "feature_names_in_", None)
        if names is not None:
            mixture.feature_names_in_ = names[self._places("gaussian")]
        mixture._known = self._known
        for name, value in (learned or {}).items():
            setattr(mixture, name, value)
        return mixture

    def _product(self, of_kind: dict[str, Any], packing: Packing | None) -> Product:
        """Return the product of families, given by kind, in the order of the columns."""
        parts, start = [], 0
        for kind in ORDER:
            width = len(self._places(kind))
            if kind == "categorical" and packing is not None:
                width = packing.n_packs
            if width:
                parts.append(Part(kind, of_kind[kind], slice(start, start + width)))
            start += width
        return Product(parts)

    def _make_family(self, source):
        numbers, counts = (len(self._places(kind)) for kind in ("gaussian", "poisson"))
        of_kind: dict[str, Any] = {}
        if numbers:
            block = source.block(slice(0, numbers))
            of_kind["gaussian"] = self._numbers()._make_family(block)
        if counts:
            block = source.block(slice(numbers, numbers + counts))
            of_kind["poisson"] = Poisson(counts).for_rows(block)
        if source.packing is not None:
            of_kind["categorical"] = Categorical(source.packing, self.alpha)
        return self._product(of_kind, source.packing)

    def _fitted_family(self, packing=None):
        """Return the product that the attributes describe, for rows packed in this way."""
        weights = learned_weights(self, "weights_", (None,))
        of_kind: dict[str, Any] = {}
        params = []
        if len(self._places("gaussian")):
            learned = {name: getattr(self, name) for name in ("weights_", "means_")}
            learned["precisions_cholesky_"] = self.precisions_cholesky_
            of_kind["gaussian"], own = self._numbers(learned)._fitted_family()
            params.append(own)
        if n_counts := len(self._places("poisson")):
            of_kind["poisson"] = Poisson(n_counts)
            params.append(
                PoissonParams(weights, learned_shares(self, "rates_", (len(weights), n_counts)))
            )
        if self.categories_:
            packing = packing or Packing([len(known) for known in self.categories_])
            of_kind["categorical"] = Categorical(packing, self.alpha)
            tables = [np.asarray(table, dtype=np.float64) for table in self.probabilities_]
            params.append(CategoricalParams(weights, np.concatenate(tables, axis=1)))
        family = self._product(of_kind, packing)
        return family, ProductParams(weights, tuple(params))

    @property
    def _accelerate(self) -> bool:  # type: ignore[override]
        return FAMILIES[self.covariance_type] in EXTRAPOLATED

    # Fitting ----------------------------------------------------------------------------------

    def _given_start(self, family, n_features):
        if not self._continues():
            return {}
        return {"params": family.to_frame(self._in_units())}

    def _in_units(self) -> ProductParams:
        """Return the parameters that were learned, in the units of the rows."""
        family, params = self._fitted_family()
        return family.from_frame(params)

    def _starts(self) -> MixedStarts:
        hard = self.assignment == "hard"
        return MixedStarts(
            self.n_components, self.init_params, self.tol, hard, self._accelerate and not hard
        )

    def _start(self, source, family, given, random_state):
        if given:
            return given["params"], []
        source.release()
        return self._starts().start(source, family, random_state), []

    def _reseed(self, source, family, given, params, random_state):
        if given:
            return None
        return self._starts().second_try(source, family, params, random_state)

    def _rank(self, source, family, result):
        return self._starts().rank(source, family, result.params, result.lower_bound)

    def _known_of_fit(self):
        names = ("reg_covar_", "shrinkage_")
        if not len(self._places("gaussian")) or not hasattr(self, names[0]):
            return super()._known_of_fit()
        return self._numbers({name: getattr(self, name) for name in names})._known_of_fit()

    def _is_flattered(self, X, sample_weight):
        source = self._fit_source(X, sample_weight)[2]
        with source, self._knowing(Known(reg_covar=self.reg_covar_)):
            family = self._make_family(source)
            params = family.to_frame(self._in_units())
            return self._starts().is_flattered(source, family, params)

    def _repairs(self, source, family, params):
        params = self._in_order(family, params)
        repairs = super()._repairs(source, family, params)
        numbers = family.part("gaussian")
        if numbers is None:
            return repairs
        observed: Any = 1.0
        if source.incomplete and numbers.family.regularised:
            observed = em.observed_shares(source, family, params)[:, numbers.columns]
        own = family.of_part(params, "gaussian")
        return repairs + self._numbers()._collapses(numbers.family, own, observed)

    def _in_order(self, family, params):
        """Return the components by size, or as they were labelled."""
        return params if self._labelling is not None else _by_size(family, params)

    def _attributes(self, family, params, dtype):
        params = self._in_order(family, params)
        learned: dict[str, Any] = {"weights_": params.weights.astype(dtype)}
        learned |= self._attributes_of_numbers(family, params, dtype)
        counts, answers = family.part("poisson"), family.part("categorical")
        learned["rates_"] = np.empty((len(params.weights), 0), dtype)
        if counts is not None:
            learned["rates_"] = family.of_part(params, "poisson").rates.astype(dtype)
        learned["probabilities_"] = []
        if answers is not None:
            cuts = answers.family.packing.level_offsets[1:-1]
            table = family.of_part(params, "categorical").probabilities.astype(dtype)
            learned["probabilities_"] = np.split(table, cuts, axis=1)
        return learned

    def _attributes_of_numbers(self, family, params, dtype):
        numbers = family.part("gaussian")
        if numbers is not None:
            own = family.of_part(params, "gaussian")
            return self._learned_numbers(numbers.family, own, dtype)
        return self._without_numbers(len(params.weights), dtype)

    def _learned_numbers(self, family: Any, params: Any, dtype: Any) -> dict[str, Any]:
        """Return the attributes of numbers alone."""
        learned = self._numbers()._attributes(family, params, dtype)
        for name in ("weights_", "noise_weight_", "noise_box_"):
            del learned[name]
        return learned

    def _without_numbers(self, n_components: int, dtype: Any) -> dict[str, Any]:
        """Return the attributes of numbers where there are none."""
        shape = FAMILIES[self.covariance_type].covariance_shape(n_components, 0)
        nothing = np.full(shape, np.nan, dtype)
        covariances = ("covariances_", "precisions_cholesky_", "precisions_")
        learned: dict[str, Any] = {name: nothing.copy() for name in covariances}
        learned["means_"] = np.empty((n_components, 0), dtype)
        return {**learned, "reg_covar_": np.empty(0), "shrinkage_": 0.0}

    # Using a fit ------------------------------------------------------------------------------

    def _validate_rows(self, X):
        validation.check_fitted(self)
        return columns.encode_seen(self, X, self.families_, self.categories_)

    def _score_rows(self, score, X):
        """Apply one of the engine's row-wise functions to encoded rows."""
        with self._laid_out(X) as source:
            return score(source, *self._fitted_family(source.packing))

    def _sample(self, n_samples, random_state, shuffle=False):
        drawn, labels = super()._sample(n_samples, random_state, shuffle)
        return self._as_users_have_them(self._in_order_of_columns(drawn)), labels

    def _as_fitted(self, X):
        return X

    def _in_order_of_columns(self, drawn: np.ndarray) -> np.ndarray:
        """Return numbers, counts and codes side by side in the order of the columns."""
        rows = np.empty_like(drawn)
        rows[:, np.concatenate([self._places(kind) for kind in ORDER])] = drawn
        return rows

    def _as_users_have_them(self, rows: np.ndarray) -> Any:
        return columns.as_users_have_them(rows, self.families_, self.categories_, self._template)


def _by_size(family: Product, params: ProductParams) -> ProductParams:
    return family.take(params, np.argsort(-params.weights, kind="stable"))
