"""What one component is: families of densities in the form that EM needs."""

from ._base import Extrapolating, Family, Form
from ._categorical import Categorical, CategoricalParams, Packing
from ._diagonal import DiagonalGaussian
from ._frame import Frame
from ._full import FullGaussian
from ._gaussian import GaussianFamily
from ._gaussian_form import GaussianForm, GaussianParams
from ._linear import LinearFamily, LinearStatistics
from ._scales import ScaleFamily, ScaleParams, spread_scales
from ._spherical import SphericalGaussian
from ._tied import TiedGaussian, TiedRuns

__all__ = [
    "Categorical",
    "CategoricalParams",
    "DiagonalGaussian",
    "Extrapolating",
    "Family",
    "Form",
    "Frame",
    "FullGaussian",
    "GaussianFamily",
    "GaussianForm",
    "GaussianParams",
    "LinearFamily",
    "LinearStatistics",
    "Packing",
    "ScaleFamily",
    "ScaleParams",
    "SphericalGaussian",
    "TiedGaussian",
    "TiedRuns",
    "spread_scales",
]
