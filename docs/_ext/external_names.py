"""Links to names of other projects, made by rule, so that a build asks no other host.

scikit-learn, NumPy, SciPy, pandas and joblib give every public name a page whose address follows
from the name. Names of other projects stay text.
"""

import sys

from docutils import nodes

SITES = {
    "sklearn": "https://scikit-learn.org/stable/modules/generated/{name}.html",
    "numpy": "https://numpy.org/doc/stable/reference/generated/{name}.html",
    "scipy": "https://docs.scipy.org/doc/scipy/reference/generated/{name}.html",
    "pandas": "https://pandas.pydata.org/docs/reference/api/{name}.html",
    "skimage": "https://scikit-image.org/docs/stable/api/{module}.html#{name}",
}
# Where the docstrings that are inherited from scikit-learn lead.
GUIDE = "https://scikit-learn.org/stable/"
LABELS = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "df_output_transform": "modules/df_output_transform.html",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}
UNLINKED = ("joblib.", "skmix._")


def address(name):
    """The page of a dotted name; that of the class, at the method, for a method."""
    site = SITES.get(name.partition(".")[0])
    if site is None:
        return None
    module = name.rpartition(".")[0]
    if module.rpartition(".")[2][:1].isupper():
        return f"{address(module)}#{name}"
    return site.format(name=name, module=module)


def is_attribute(node):
    """Whether a name is that of a property in the list of attributes where it is described."""
    owner = getattr(sys.modules.get(node.get("py:module")), node.get("py:class") or "", None)
    return owner is not None and hasattr(owner, node["reftarget"].rpartition(".")[2])


def resolve(app, env, node, content):
    """The node that takes the place of a name or label which no page here has."""
    target = node["reftarget"]
    if node.get("refdomain") == "py":
        if target.startswith(UNLINKED) or is_attribute(node):
            return content
        uri = address(target)
    elif node["reftype"] == "term":
        uri = f"{GUIDE}glossary.html#term-{target.replace(' ', '-')}"
    elif node["reftype"] == "ref" and target in LABELS:
        uri = GUIDE + LABELS[target]
    else:
        return None
    if uri is None:
        return None
    return nodes.reference("", "", content, internal=False, refuri=uri, reftitle=target)


def setup(app):
    """Ask here for every name that no page of this site describes."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
