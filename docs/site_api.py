"""What the API pages show of docstrings and signatures."""

import inspect
import re

from cnn_core._foreign_attributes import ForeignAttribute
from cnn_core._names import Keywords
from sphinx.util.nodes import make_refnode

#: Of a constructor with more parameters than `MANY` the signature shows the first `SHOWN`; the list
#: below it has all.
MANY, SHOWN = 12, 2
PAGE = re.compile(r"`?\bdocs/([a-z-]+)\.md`?")


def skip(app, what, name, item, skipped, options):
    """Leave out hints to names of other libraries, and what scikit-learn's own classes have."""
    if isinstance(item, ForeignAttribute) or (getattr(item, "__module__", None) or "").startswith(
        "sklearn."
    ):
        return True
    return None


def signature(app, what, name, item, options, shown, returned):
    """The parameters of the constructor instead of those of `Keywords.__new__`."""
    if what not in ("class", "exception") or not isinstance(item, type):
        return None
    if not issubclass(item, Keywords):
        return None
    found = inspect.signature(item)
    parameters = [one.replace(annotation=one.empty) for one in found.parameters.values()]
    if len(parameters) > MANY:
        return f"({', '.join(map(str, parameters[:SHOWN]))}, **others)", None
    return str(found.replace(parameters=parameters, return_annotation=found.empty)), None


def docstring(app, what, name, item, options, lines):
    """Make links of pages that a docstring names, and say nothing of fields but their names."""
    if any(line.startswith("Alias for field number") for line in lines):
        lines.clear()
    lines[:] = [PAGE.sub(r":doc:`/\1`", line) for line in lines]


def reference(app, env, node, shown):
    """The link for a name without its module, such as `MLP.fit`, or with arguments."""
    if node.get("refdomain") != "py":
        return None
    name = f"cnn_core.{node['reftarget'].partition('(')[0]}"
    found = env.domains.python_domain.objects.get(name)
    if found is None:
        return None
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, shown, name)


def setup(app):
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-process-docstring", docstring)
    app.connect("missing-reference", reference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
