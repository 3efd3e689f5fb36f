"""Pictures of fits, in scikit-learn's Display convention; matplotlib is imported when drawing."""

from ._components import ComponentsDisplay
from ._convergence import ConvergenceDisplay
from ._selection import SelectionDisplay

__all__ = ["ComponentsDisplay", "ConvergenceDisplay", "SelectionDisplay"]
