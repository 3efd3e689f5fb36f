"""Rows in chunks that are filled when they are read: what of them is known before."""

from __future__ import annotations

from typing import Any

from sklearn.utils._set_output import _get_output_config


def shape_of_filled(imputer: Any) -> tuple[int]:
    """Return the shape of a filled row of Chunks; refuse settings that have no way for them."""
    if imputer.sample_posterior:
        raise ValueError(
            "sample_posterior=True draws the cells of all rows in one order, and takes no Chunks "
            "or Dask collections. Set it to False, or transform arrays."
        )
    if _get_output_config("transform", imputer)["dense"] != "default":
        raise ValueError(
            "set_output asks for frames, which are not made of Chunks or Dask collections. Use "
            "set_output(transform='default')."
        )
    return (len(imputer.get_feature_names_out()),)
