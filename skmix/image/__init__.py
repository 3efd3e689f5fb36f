"""Whole images by their patches, in scikit-image's conventions."""

from ._denoise import denoise, estimate_noise_std, fit_patch_prior
from ._patches import extract_patches, reconstruct

__all__ = ["denoise", "estimate_noise_std", "extract_patches", "fit_patch_prior", "reconstruct"]
