"""How Sphinx builds the documentation: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from dictionary import write_dictionary  # noqa: E402 - it lies beside this file

from rtm_pipeline import __version__  # noqa: E402

project = "rtm_pipeline"
author = "the authors of rtm_pipeline"
version = release = __version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "formulas"]
html_math_renderer = "mathtext"
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# Single backquotes in docstrings name things of the code; they are set as code, whether or not they have a page.
default_role = "code"
suppress_warnings = ["myst.xref_missing"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Risk terrain modeling for cities. Rates places, never persons.",
    "page_width": "1100px",
    "sidebar_width": "260px",
}
autosummary_generate = False  # numpydoc loads autosummary; there is nothing to generate

write_dictionary(ROOT / "docs" / "dictionary_of_outputs.md")
