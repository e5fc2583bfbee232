"""Formulas as MathML, made while the site is built: browsers set it by themselves, so pages need
neither a script nor the network."""

import html
import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)

#: What docutils writes, and what browsers set as a printer would: a prime of its size, := in
#: one, no space around slashes and bars, and a thin one beside the name of a function.
TYPOGRAPHY = [
    (r"<mo>'</mo>", "<mo>&prime;</mo>"),
    (r"<mo[^>]*>([/|])</mo>", r'<mo lspace="0" rspace="0" stretchy="false">\1</mo>'),
    (r"<mo>\u2236</mo>\s*<mo>=</mo>", "<mo>:=</mo>"),
    (r"<mo>(max|min)</mo>", r'<mo lspace="0.17em" rspace="0">\1</mo>'),
    (
        r"<mi([^>]*)>(\w{2,})</mi>\s*<mo>&ApplyFunction;</mo>(?=\s*<mo[^>]*>\()",
        r'<mo\1 lspace="0.17em" rspace="0">\2</mo>',
    ),
    (
        r"<mi([^>]*)>(\w{2,})</mi>\s*<mo>&ApplyFunction;</mo>",
        r'<mo\1 lspace="0.17em" rspace="0.17em">\2</mo>',
    ),
]


def mathml(node, *, block):
    """The MathML of a node; of a formula that cannot be read its source, with a warning."""
    source = node.astext()
    try:
        text = tex2mathml(source, as_block=block)
    except MathError as error:
        logger.warning("%s in the formula %r", error, source, location=node)
        return f"<code>{html.escape(source)}</code>"
    for written, better in TYPOGRAPHY:
        text = re.sub(written, better, text)
    return text


def visit_inline(translator, node):
    translator.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_block(translator, node):
    translator.body.append(f'<div class="formula">{mathml(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    if app.config.html_math_renderer:
        raise ExtensionError("formulas are written by site_math")
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
