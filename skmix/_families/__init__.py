"""What one component is: families of densities in the form that EM needs."""

from ._base import Family, Form
from ._diagonal import DiagonalGaussian
from ._frame import Frame
from ._full import FullGaussian
from ._gaussian import GaussianFamily
from ._gaussian_form import GaussianForm, GaussianParams
from ._scales import ScaleFamily, ScaleParams, spread_scales
from ._spherical import SphericalGaussian
from ._tied import TiedGaussian

__all__ = [
    "DiagonalGaussian",
    "Family",
    "Form",
    "Frame",
    "FullGaussian",
    "GaussianFamily",
    "GaussianForm",
    "GaussianParams",
    "ScaleFamily",
    "ScaleParams",
    "SphericalGaussian",
    "TiedGaussian",
    "spread_scales",
]
