"""The site of the documents: it builds without a warning, has every public name, finds what people
look for, and its first page says what its example prints."""

import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from cnn_core._settings import Settings

import cnn_core

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

#: Public modules whose `__all__` says what they have.
LISTED = (
    "dask", "datasets", "distributed", "explanations", "functional", "inspection", "io", "many",
    "plot", "profile", "sklearn", "tabular",
)  # fmt: skip
#: Those whose public names are the settings that users make.
OF_SETTINGS = ("activations", "embeddings", "initializers", "losses", "optimizers", "schedules")
#: What people look for, and pages that the search must find.
LOOKED_FOR = {
    "imbalanced": {"howto/imbalance", "losses"},
    "several targets": {"howto/several-targets", "losses"},
    "resume": {"howto/resume", "training"},
    "SHAP": {"howto/explain", "explanations"},
}


def public_names():
    """Every public name, with the path by which users import it."""
    names = {f"cnn_core.{name}" for name in cnn_core.__all__}
    for module in LISTED:
        listed = importlib.import_module(f"cnn_core.{module}").__all__
        names |= {f"cnn_core.{module}.{name}" for name in listed}
    for module in OF_SETTINGS:
        for name, item in vars(importlib.import_module(f"cnn_core.{module}")).items():
            if isinstance(item, type) and issubclass(item, Settings) and item is not Settings:
                names.add(f"cnn_core.{module}.{name}")
    return names


def test_the_first_page_says_what_its_example_prints():
    page = (DOCS / "index.rst").read_text()
    blocks = re.findall(r"^\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", page, re.MULTILINE)
    code, printed = (inspect.cleandoc(text) for kind, text in blocks if kind in ("python", "text"))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    assert out.getvalue().strip() == printed


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_is_whole(tmp_path):
    for name in ("myst_parser", "numpydoc", "pydata_sphinx_theme", "sklearn", "matplotlib"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", DOCS, tmp_path / "site"]
    done = subprocess.run(
        [*command, "-d", tmp_path / "trees"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    site = tmp_path / "site"
    assert missing_names(site) == set()
    assert dead_links(site) == []
    assert loaded_from_elsewhere(site) == []
    index = Index(site)
    for words, pages in LOOKED_FOR.items():
        assert pages <= index.pages_with(words), words


def missing_names(site):
    """Public names that the API pages have not, under the name of any module that shows them."""
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    shown = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    items = {id(resolve(name)) for name in shown if name.startswith("cnn_core.")} - {id(None)}
    return {name for name in public_names() - shown if id(resolve(name)) not in items}


def resolve(name):
    """What a dotted name is, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        owner, _, last = name.rpartition(".")
        return getattr(resolve(owner), last, None) if owner else None


def pages(site):
    """The files with pages; in `_static` are templates of the theme."""
    return [page for page in site.rglob("*.html") if "_static" not in page.parts]


def dead_links(site):
    """Links between the pages that lead to no file, or to no place in it."""
    places = {page: set(re.findall(r'\bid="([^"]+)"', page.read_text())) for page in pages(site)}
    dead = []
    for page in places:
        for link in re.findall(r'\b(?:href|src)="([^"]+)"', page.read_text()):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            path = unquote(path.partition("?")[0])
            target = Path(os.path.normpath(page.parent / path)) if path else page
            if not target.exists() or (anchor and unquote(anchor) not in places.get(target, ())):
                dead.append((page.relative_to(site).as_posix(), link))
    return dead


def loaded_from_elsewhere(site):
    """What a page would take from the network when it is read."""
    pattern = r'<(?:script|img|link)\b[^>]*\b(?:src|href)="((?:https?:)?//[^"]+)"'
    return [link for page in pages(site) for link in re.findall(pattern, page.read_text())]


class Index:
    """The index that the site's search reads."""

    def __init__(self, site):
        text = (site / "searchindex.js").read_text()
        self.index = json.loads(text[text.index("{") : text.rindex("}") + 1])

    def pages_with(self, words):
        """Names of the pages that have all words, by their stems."""
        from sphinx.search.en import SearchEnglish

        english, found = SearchEnglish({}), []
        for word in words.split():
            stem = english.stem(word.lower())
            entries = [self.index[part].get(stem, []) for part in ("terms", "titleterms")]
            found.append(
                {
                    self.index["docnames"][one]
                    for entry in entries
                    for one in ([entry] if isinstance(entry, int) else entry)
                }
            )
        return set.intersection(*found)
