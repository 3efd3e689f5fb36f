"""What one component is: families of densities in the form that EM needs.

`protocols.py` says what EM asks of a family and of its form (open it first). Gaussians share
`gaussian.py`, `gaussian_form.py` (log densities and statistics as matrix products) and
`incomplete.py` (rows with missing cells). What a covariance is, `structure.py` and
`structures.py` say; what of the rows is summed for it, `moments.py`; `decomposition.py` and
`constrained.py` are the structures that components share in part, `prior.py` draws them to what
the rows suggest, `uniform.py` adds one of constant density; `linear.py` is the base for families
of one's own, and `poisson.py` one of them; `product.py` puts families of several kinds of columns
together. Imports numpy, scipy, `_rows` and `_linalg`, never scikit-learn.
the rows suggest; `linear.py` is the base for families of one's own, and
`poisson.py` one of them; `product.py` puts families of several kinds of columns together,
of which `labels.py` keeps components of known classes apart.
Imports numpy, scipy, `_rows` and `_linalg`, never scikit-learn.
"""

from .categorical import Categorical, CategoricalParams, Packing
from .constrained import CONSTRAINED
from .diagonal import DiagonalGaussian
from .fixed import FixedGaussian, Held
from .frame import Frame
from .full import FullGaussian
from .gaussian import GaussianFamily
from .gaussian_form import GaussianForm, GaussianParams, log_of_weights
from .labels import LabelParams, Labels
from .linear import LinearFamily
from .linear_form import LinearStatistics
from .poisson import Poisson, PoissonParams
from .prior import ConjugatePrior
from .product import Part, Product, ProductParams
from .protocols import Extrapolating, Family, Form, Streaming, guarded, visits_blocks
from .scales import ScaleFamily, ScaleParams, spread_scales
from .spherical import SphericalGaussian
from .tied import TiedGaussian, TiedRuns
from .uniform import Box, WithUniform, WithUniformParams

__all__ = [
    "CONSTRAINED",
    "Box",
    "Categorical",
    "CategoricalParams",
    "ConjugatePrior",
    "DiagonalGaussian",
    "Extrapolating",
    "Family",
    "FixedGaussian",
    "Form",
    "Frame",
    "FullGaussian",
    "GaussianFamily",
    "GaussianForm",
    "GaussianParams",
    "Held",
    "LabelParams",
    "Labels",
    "LinearFamily",
    "LinearStatistics",
    "Packing",
    "Part",
    "Poisson",
    "PoissonParams",
    "Product",
    "ProductParams",
    "ScaleFamily",
    "ScaleParams",
    "SphericalGaussian",
    "Streaming",
    "TiedGaussian",
    "TiedRuns",
    "WithUniform",
    "WithUniformParams",
    "guarded",
    "log_of_weights",
    "spread_scales",
    "visits_blocks",
]
