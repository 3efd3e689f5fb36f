"""Settings of the documentation site; CONTRIBUTING.md names the command that builds it."""

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))
# Examples run side by side, each on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import skmix  # noqa: E402

project = "skmix"
author = "the skmix developers"
copyright = author
version = release = skmix.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "benchmark_tables",
    "code_blocks",
    "external_names",
    "gallery",
    "mathml",
]
exclude_patterns = ["_build", "README.md", "gallery/**/*.ipynb", "gallery/**/*.md5"]
default_role = "literal"  # single backticks in docstrings
nitpicky = True

# Pages
templates_path = ["_templates"]
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # a function in the gallery's settings is not pickled

# Reference
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}

# Code on pages
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


# Gallery
def runs(name):
    """Whether an example has what it needs here; if not, its picture is the one that is kept."""
    needs = {
        "plot_brain_segmentation": (Path(os.environ.get("SKMIX_DATA", "")) / "mri-brain").is_dir(),
        "plot_vae_gan": importlib.util.find_spec("torch") is not None,
    }
    return needs.get(name, True)


EXAMPLES = HERE.parent / "examples"
NAMES = ["quickstart", *sorted(path.stem for path in EXAMPLES.glob("plot_*.py"))]
gallery_without_run = [name for name in NAMES if not runs(name)]

sphinx_gallery_conf = {
    "examples_dirs": str(EXAMPLES),
    "gallery_dirs": "gallery",
    "filename_pattern": "/(" + "|".join(filter(runs, NAMES)) + r")\.py$",
    "ignore_pattern": "make_images",
    "copyfile_regex": "",
    "within_subsection_order": "gallery.AsListed",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skmix",),
    "parallel": 2,
    "plot_gallery": "True",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 3600,  # how busy the machine of the build was is no news
}

# Site
html_theme = "pydata_sphinx_theme"
html_title = f"skmix {version}"
html_static_path = ["_static"]
html_css_files = ["skmix.css"]
html_js_files = ["offline.js"]
html_context = {"default_mode": "auto"}
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
html_sidebars = {"start": [], "changelog": [], "benchmarks/index": []}
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
