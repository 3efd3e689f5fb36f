"""skmix.utils.estimator_checks: every density estimator passes, every broken one fails."""

import re
from unittest import SkipTest

import numpy as np
import pytest
import sklearn.mixture
from estimators import ESTIMATORS
from own_families import Poisson
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.neighbors import KernelDensity
from sklearn.utils.validation import validate_data

from skmix import (
    CategoricalMixture,
    GaussianMixture,
    Mixture,
    TransformedDensity,
    _sources,
)
from skmix.utils import estimator_checks
from skmix.utils.estimator_checks import parametrize_with_checks, skmix_checks

DENSITIES = [estimator for estimator in ESTIMATORS if hasattr(estimator, "score_samples")]


def expected_failures(estimator):
    return {}


@parametrize_with_checks(DENSITIES, expected_failed_checks=expected_failures)
def test_every_density_estimator(estimator, check):
    check(estimator)
