"""How the site is built, offline: ``sphinx-build -W --keep-going -n docs docs/_build/html``."""

import sys
from pathlib import Path
from typing import Any

import mnist_models

HERE = Path(__file__).parent
MADE = HERE / "_made"
sys.path.insert(0, str(HERE))

from make_extras import make_notebook, make_page  # noqa: E402 - it is in this folder

project = "mnist_models"
author = "The mnist_models developers"
copyright = author
version = release = mnist_models.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_made", "examples", "_templates"]
templates_path = ["_templates"]
highlight_language = "none"  # of blocks that name none
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(sklearn|scikeras|collections)\..*"),  # looking others up would need a network
    ("py:obj", "feature_importances_"),  # numpydoc links it, and it is scikit-learn's
]

# A page, and headings that may be linked to as page.md#heading.
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]

# Types and defaults stand in the docstrings, in words; there, members are described too.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = True
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,  # a page that would load a script from elsewhere
    "min_reported_time": 0,
    "show_signature": False,
    "abort_on_example_error": True,
    "matplotlib_animations": False,
    "image_scrapers": ("scrape_figures.scrape_figures",),
    "ignore_repr_types": r"matplotlib\..*",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "mnist_models"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_made"]  # what make_extras makes
html_show_sourcelink = False
html_copy_source = False
_ALONE = ("index", "tutorial", "report", "benchmarks", "why", "architecture", "security")
html_sidebars = {page: [] for page in _ALONE}  # sections of one page need none
html_theme_options: dict[str, Any] = {
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "article_footer_items": [],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "github-dark",
}


def _leave_out(_app: Any, _what: str, name: str, member: Any, skip: bool, _options: Any) -> Any:
    """Whether a member of a class is somebody else's, and so documented there."""
    function = getattr(member, "fget", None) or getattr(member, "func", None) or member
    ours = str(getattr(function, "__module__", "")).startswith("mnist_models")
    routing = name.startswith("set_") and name.endswith("_request")  # made by scikit-learn
    return None if ours and not routing else True


def _make_extras(_app: Any) -> None:
    tutorial = (HERE / "tutorial.md").read_text(encoding="utf-8")
    (MADE / "tutorial.ipynb").write_text(make_notebook(tutorial), encoding="utf-8")
    if not (MADE / "page.html").exists():
        make_page(MADE / "page.html")


def setup(app: Any) -> None:
    """What Sphinx calls first."""
    MADE.mkdir(exist_ok=True)
    app.connect("autodoc-skip-member", _leave_out)
    app.connect("builder-inited", _make_extras)
