"""Formulas as MathML, which browsers draw without a script: pages need no other host."""

from docutils.nodes import SkipNode
from docutils.utils.math import wrap_math_code
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import ExtensionError


def element(node, *, block):
    text = node.astext()
    code = wrap_math_code(text, as_block=True) if block and "\\\\" in text else text
    try:
        return tex2mathml(code, as_block=block)
    except Exception as error:
        raise ExtensionError(f"formula {text!r}: {error}") from error


def visit_inline(translator, node):
    translator.body.append(element(node, block=False))
    raise SkipNode


def visit_block(translator, node):
    translator.body.append(
        f'<div class="math-block" tabindex="0">{element(node, block=True)}</div>\n'
    )
    raise SkipNode


def setup(app):
    """Register the renderer that `html_math_renderer` names."""
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(visit_inline, None),
        block_renderers=(visit_block, None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
