"""Settings and fixtures of all tests."""

import os

# Before anything imports scipy: scikit-learn then checks array API inputs too.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

from pathlib import Path

import pytest
from hypothesis import settings

from skmix._mixtures import categorical_fit
from skmix._starts import mixed

collect_ignore = ["conftest.py"]  # it has no examples

# The same examples in every run: a red test is a bug, never bad luck.
settings.register_profile(
    "skmix", derandomize=True, deadline=None, database=None, max_examples=25, print_blob=True
)
# Other and more examples each time, printed where they fail: pytest --hypothesis-profile=nightly
settings.register_profile(
    "nightly", derandomize=False, deadline=None, database=None, max_examples=100, print_blob=True
)
settings.load_profile("skmix")


def _import_or_fail(name, *args, **options):
    """Import what a test needs, as `pytest.importorskip` does; it is there."""
    try:
        return _import_or_skip(name, *args, **options)
    except pytest.skip.Exception as skipped:
        if name in os.environ["SKMIX_MAY_LACK"].split():
            raise
        pytest.fail(f"{skipped}; SKMIX_MAY_LACK does not name it", pytrace=False)


if "SKMIX_MAY_LACK" in os.environ:  # where nothing may be skipped for want of a package
    _import_or_skip, pytest.importorskip = pytest.importorskip, _import_or_fail


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data that SKMIX_DATA names; tests that ask for it skip without."""
    folder = os.environ.get("SKMIX_DATA")
    if not folder:
        pytest.skip("SKMIX_DATA is not set")
    return Path(folder)


@pytest.fixture
def few_starts(monkeypatch):
    """Search little for optima of categories, where only interfaces and laws are tested."""
    monkeypatch.setattr(categorical_fit, "N_SHORT_RUNS", 6)
    monkeypatch.setattr(mixed, "MAX_STARTS", 3)
