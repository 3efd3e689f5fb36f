"""What the classic latent class report holds."""

from __future__ import annotations


class LatentClassReports:
    """Stub for now."""
