"""Whole images, in scikit-image's conventions: restored by their patches, and compressed."""

from ._compress import CompressedImage, compress
from ._denoise import denoise, fit_patch_prior
from ._inpaint import inpaint
from ._noise import estimate_noise_std
from ._patches import extract_patches, reconstruct

__all__ = [
    "CompressedImage",
    "compress",
    "denoise",
    "estimate_noise_std",
    "extract_patches",
    "fit_patch_prior",
    "inpaint",
    "reconstruct",
]
