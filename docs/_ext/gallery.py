"""The order of the gallery, and the pictures of examples that did not run."""

import re
from pathlib import Path

from sphinx_gallery.sorting import _SortKey


class AsListed(_SortKey):
    """Sort examples as examples/README.md lists them."""

    def __call__(self, filename):
        """Return the place in the list, after its end where it is not there."""
        page = (Path(self.src_dir) / "README.md").read_text(encoding="utf-8")
        listed = re.findall(r"\]\((\w+\.py)\)", page)
        return listed.index(filename) if filename in listed else len(listed)


def show_kept_picture(app, docname, source):
    """Put the picture that is kept on the page of an example which did not run."""
    folder, _, name = docname.partition("/")
    if folder == "gallery" and name in app.config.gallery_without_run:
        mark = ".. GENERATED FROM PYTHON SOURCE LINES"
        first, second, rest = source[0].split(mark, 2)
        picture = f".. image:: /pictures/{name}.png\n   :alt: what the example draws\n\n"
        source[0] = f"{first}{mark}{second}{picture}{mark}{rest}"


def setup(app):
    """Show pictures when pages are read."""
    app.add_config_value("gallery_without_run", [], "env")
    app.connect("source-read", show_kept_picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
