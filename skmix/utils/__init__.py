"""Tools for developers: checks of density estimators in :mod:`skmix.utils.estimator_checks`."""

from importlib import import_module as _import_module


def __getattr__(name: str):
    if name == "estimator_checks":  # imported when first used
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
