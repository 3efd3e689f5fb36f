"""What hatchling asks for when it builds: README.md with links that lead somewhere from anywhere.

README.md links to files of the checkout, so that it can be read there. On a package index these
links lead to the documentation and the repository, at the address that pyproject.toml gives as
`site` of this hook; `[project.urls]` is made of the same one.
"""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(\]\()(?!https?:|#)([^)\s]+)(?=\))")


def absolute(text: str, site: str) -> str:
    """The text with every relative link made absolute: pages, pictures, and all other files."""

    def address(match: re.Match) -> str:
        path, _, anchor = match[2].partition("#")
        name = re.sub(r"\.(md|rst)$", ".html", path)
        if path.startswith("docs/"):
            target = f"{site}/{name.removeprefix('docs/')}"
        else:
            target = f"{site}/source/{path}"
        return match[1] + target + ("#" + anchor if anchor else "")

    return LINK.sub(address, text)


class CustomMetadataHook(MetadataHookInterface):
    """Fills in the fields `urls` and `readme`."""

    def update(self, metadata: dict) -> None:
        """Set the links and the description that a package index shows."""
        site = self.config["site"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["urls"] = {
            "Documentation": f"{site}/",
            "Source": f"{site}/source",
            "Changelog": f"{site}/changelog.html",
        }
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, site)}
