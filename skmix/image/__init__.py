"""Whole images, in scikit-image's conventions: denoised by their patches, and compressed."""

from ._compress import CompressedImage, compress
from ._denoise import denoise, estimate_noise_std, fit_patch_prior
from ._patches import extract_patches, reconstruct

__all__ = [
    "CompressedImage",
    "compress",
    "denoise",
    "estimate_noise_std",
    "extract_patches",
    "fit_patch_prior",
    "reconstruct",
]
