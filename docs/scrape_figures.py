"""How pictures get from a gallery example onto its page."""

from typing import Any

from matplotlib.axes import Axes
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper


def scrape_figures(block: Any, names: dict[str, Any], conf: dict[str, Any]) -> str:
    """Show pyplot's figures, as Sphinx-Gallery does, and those that pyplot knows nothing of.

    The library draws on figures of its own, so that pyplot's state is left alone. They are found
    by the variable ``ax``, which an example gives to what it draws.

    Parameters
    ----------
    block : tuple
        The block of code that has run.
    names : dict
        What Sphinx-Gallery knows of the example, with its variables.
    conf : dict
        The settings of the gallery.

    Returns
    -------
    str
        What shows the pictures, in reStructuredText.
    """
    shown = matplotlib_scraper(block, names, conf)
    ax = names["example_globals"].pop("ax", None)
    if shown or not isinstance(ax, Axes):
        return str(shown)
    path = names["image_path_iterator"].next()
    ax.figure.savefig(path, dpi=120, bbox_inches="tight")
    return str(figure_rst([path], conf["src_dir"], ax.get_title()))
