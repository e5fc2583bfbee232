"""The site: ``python -m sphinx -W --keep-going docs site``, with the extra `docs` installed.

The pages in Markdown are read as they are on a code host; what only the site has (its first page,
the lists of pages, the API) is reStructuredText. Building needs no network, nor does reading.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cnn_core

project = "cnn_core"
version = release = cnn_core.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "site_api",
    "site_math",
    "site_pages",
]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4

highlight_language = "none"  # of blocks that name none, such as rules of optimizers
default_role = "py:obj"  # single backticks in docstrings: a link where the name is known
smartquotes = False  # 'relu' is Python
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = "cnn_core"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["sphinx-version"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
# Pages that belong to no section have nothing to list at the left.
alone = [
    "index",
    "getting-started",
    "performance",
    "reliability",
    "scale",
    "faq",
    "glossary",
    "changelog",
]
html_sidebars = {"**": ["sidebar-nav-bs"], **{page: [] for page in alone}}
