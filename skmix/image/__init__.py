"""Whole images, in scikit-image's conventions: restored by their patches, and compressed."""

from ._compress import compress
from ._compressed_image import CompressedImage
from ._denoise import denoise
from ._inpaint import inpaint
from ._inversion import deblur, upscale
from ._noise import estimate_noise_std
from ._patch_prior import fit_patch_prior
from ._patches import extract_patches, reconstruct
from ._prior_files import load_prior, save_prior

__all__ = [
    "CompressedImage",
    "compress",
    "deblur",
    "denoise",
    "estimate_noise_std",
    "extract_patches",
    "fit_patch_prior",
    "inpaint",
    "load_prior",
    "reconstruct",
    "save_prior",
    "upscale",
]
