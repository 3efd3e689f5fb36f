"""skmix.utils.estimator_checks: every density estimator passes, every broken one fails."""

from estimators import ESTIMATORS
from sklearn.base import is_classifier

from skmix.utils.estimator_checks import parametrize_with_checks

DENSITIES = [
    estimator
    for estimator in ESTIMATORS
    if hasattr(estimator, "score_samples") and not is_classifier(estimator)
]


def expected_failures(estimator):
    if any(estimator.get_params().get(name) for name in ("shrinkage", "alpha")):
        reason = "more weight counts for more beside a fixed number of pseudo-observations"
        return {"check_sample_weight_factor": reason}
    return {}


@parametrize_with_checks(DENSITIES, expected_failed_checks=expected_failures)
def test_every_density_estimator(estimator, check):
    check(estimator)
