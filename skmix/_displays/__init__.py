"""Pictures of fits, in scikit-learn's Display convention; matplotlib is imported when drawing.

Open `components.py` first; what displays share is in `axes.py`. Imports `_mixtures`, `_selection`
and `_interface`.
"""

from .components import ComponentsDisplay
from .convergence import ConvergenceDisplay
from .merging import MergingDisplay
from .profile import ProfileDisplay
from .selection import SelectionDisplay

__all__ = [
    "ComponentsDisplay",
    "ConvergenceDisplay",
    "MergingDisplay",
    "ProfileDisplay",
    "SelectionDisplay",
]
