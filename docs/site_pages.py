"""Pages of the site that are files elsewhere in the checkout, and the links that lead to them.

docs/contributing.md, for one, says on a code host where CONTRIBUTING.md is, and in the site has
its text. A link such as ``../CONTRIBUTING.md`` leads to that page.
"""

import os
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

#: File -> page of the site. Those of STANDING_FOR have the text of the file.
STANDING_FOR = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/RESULTS.md": "performance.md",
}
PAGES = {**STANDING_FOR, "README.md": "index.rst"}
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
#: A link whose text is the name of the page's file; the site shows the title instead.
NAMED = re.compile(r"\[[\w./-]+\.md\](\([^)\s#:]+\.md[)#])")

#: A line of a list of pages that takes all that there are; Sphinx warns where there are none.
GLOB = re.compile(r"^   (\S+\*)\n", re.MULTILINE)
#: Pages that stand below another one in the list at the left, by caption. Those of its own folder
#: come first, in the order of its links.
BELOW = {
    "contributing": {"The code": ("architecture", "one-epoch", "building")},
    "tutorial/index": {"Scripts": ("examples",)},
    "howto/index": {
        "Data in, models out": (
            "tables",
            "command-line",
            "files",
            "export",
            "interchange",
            "scikit-learn",
        )
    },
}

#: It names everything, and would stand before the pages that explain it.
NOT_SEARCHED = {"changelog"}


def page_of(path):
    """The page for a path below ROOT and its anchor there, or None."""
    if path in PAGES:
        return PAGES[path], ""
    folder, _, name = path.rpartition("/")
    if folder == "examples" and name.endswith(".py"):
        return "examples.md", "#" + name.removesuffix(".py")
    return None


def with_links(text, folder, page_folder):
    """A text that stood in `folder`, with its links as a page in `page_folder` needs them."""

    def link(found):
        target = Path(os.path.normpath(folder / found[2]))
        if not target.is_relative_to(ROOT) or not target.exists():
            return found[0]
        page = page_of(target.relative_to(ROOT).as_posix())
        anchor = found[3] or ""
        if page:
            target, anchor = DOCS / page[0], anchor or page[1]
        elif folder == page_folder:
            return found[0]
        return f"{found[1]}{os.path.relpath(target, page_folder)}{anchor}{found[4]}"

    return NAMED.sub(r"[]\1", LINK.sub(link, text))


def examples():
    """The scripts and what they print, as one page."""
    parts = ["# Examples\n\nEach script runs by itself, such as `python examples/neurons.py`.\n"]
    for script in sorted((ROOT / "examples").glob("*.py")):
        parts.append(f"## {script.stem}\n\n```python\n{script.read_text().rstrip()}\n```\n")
        printed = script.with_suffix(".txt")
        if printed.exists():
            parts.append(f"It prints:\n\n```text\n{printed.read_text().rstrip()}\n```\n")
    return "\n".join(parts)


def lists_below(docname, text):
    """The lists of the pages below a page, which the text itself shows as links."""
    groups = dict(BELOW.get(docname, {}))
    folder, _, name = docname.rpartition("/")
    if name == "index":
        pages = {path.stem for path in (DOCS / folder).glob("*.md")} - {"index"}
        linked = dict.fromkeys(re.findall(r"\]\(([\w-]+)\.md\)", text))
        order = [page for page in linked if page in pages] + sorted(pages - linked.keys())
        groups = {"": [f"{folder}/{page}" for page in order], **groups}
    for caption, pages in groups.items():
        shown = f":caption: {caption}\n" if caption else ""
        listed = "\n".join(f"/{page}" for page in pages)
        yield f"\n```{{toctree}}\n:hidden:\n{shown}\n{listed}\n```\n"


def read(app, docname, source):
    """Give a page its text and links."""
    file = Path(app.env.doc2path(docname))
    if file.suffix != ".md":
        source[0] = GLOB.sub(lambda found: found[0] * any(DOCS.glob(found[1] + ".*")), source[0])
        return
    original = {page: name for name, page in STANDING_FOR.items()}.get(docname + ".md")
    if original:
        app.env.note_dependency(str(ROOT / original))
        source[0] = with_links((ROOT / original).read_text(), (ROOT / original).parent, DOCS)
    elif docname == "examples":
        source[0] = examples()
    else:
        source[0] = with_links(source[0], file.parent, file.parent)
    if docname in NOT_SEARCHED:
        source[0] = "---\nnosearch: true\n---\n" + source[0]
    source[0] += "".join(lists_below(docname, source[0]))


def setup(app):
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
