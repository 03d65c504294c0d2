"""Draw images/modules.svg: the way data goes, and which part of the package imports from which.

``python docs/draw_modules.py`` in a checkout, when tests/test_site.py says that it is out of date.
Arrows are read from the code; one that follows from others is left out.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.test_architecture import MODULES, ORDER, _imports  # noqa: E402  the checkout's

PICTURE = ROOT / "docs" / "images" / "modules.svg"

FLOW = ["files", "ImageDataset", "Pipeline", "evaluate", "Evaluation", "views of it"]
BELOW = [
    "IDX, PNG, .npy",
    "rows of pixels, labels",
    "preprocess, classify",
    "compare: same folds",
    "Comparison",
    "text, pages, pictures",
]

# A part is every module from the one before it, in ORDER, to the one named here.
# part: last module, a word on it, column and row of its middle, width
PARTS = {
    "Ground": ("_compiled", "names, rows, files, progress", 1.5, 5, 3.9),
    "Data": ("datasets", "IDX, MNIST, images", 0, 4, 0.9),
    "Preprocessing": ("preprocessing", "Deskew, HogFeatures", 1, 4, 0.9),
    "Logistic regression": ("linear", "a faster solver", 3, 3, 0.9),
    "Random forest": ("forest", "trees grown by counting", 2, 3, 0.9),
    "Network": ("network", "Keras, trained by our loop", 1, 3, 0.9),
    "Models": ("models", "make_model, search_space", 2.7, 1, 0.9),
    "Rendering": ("_report.fold_scores", "plain data in, pictures out", 4, 5, 0.9),
    "Results": ("comparison", "Evaluation, Significance", 4, 4, 0.9),
    "Fits": ("_running.engine", "here, in workers, on Dask", 4, 3, 0.9),
    "Checkpoints": ("_running.checkpoint", "finished fits, kept", 4, 2, 0.9),
    "Evaluation": ("evaluation", "folds, warnings, evaluate", 4, 1, 0.9),
    "Model files": ("persistence", "save_model, load_model", 1.55, 1, 0.9),
    "Command line": ("__main__", "mnist-models COMMAND", 1, 0, 0.9),
}

WIDE, HIGH, LEFT, TOP = 190, 92, 110, 190
BOX = 52


def arrows() -> list[tuple[str, str]]:
    """(who imports, from whom), without those that follow from others."""
    part_of, start = {}, 0
    for part, (last, *_) in PARTS.items():
        end = ORDER.index(last) + 1
        part_of |= dict.fromkeys(ORDER[start:end], part)
        start = end
    direct: dict[str, set[str]] = {part: set() for part in PARTS}
    for module in ORDER:
        direct[part_of[module]] |= {part_of[each] for each in _imports(MODULES[module])}
    reach: dict[str, set[str]] = {}
    for part, others in direct.items():  # in ORDER, so whatever it imports from is there
        others.discard(part)
        reach[part] = others.union(*(reach[each] for each in others))
    return [
        (part, other)
        for part, others in direct.items()
        for other in sorted(others)
        if not any(other in reach[each] for each in others)
    ]


def draw() -> str:
    """The picture, as SVG."""
    width, height = LEFT * 2 + 4 * WIDE, TOP + 5 * HIGH + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" text-anchor="middle">',
        "<title>Where data goes, and what imports from what</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#565b66"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    step = width / len(FLOW)
    for i, (name, word) in enumerate(zip(FLOW, BELOW, strict=True)):
        x = step * (i + 0.5)
        lines += _box(x, 45, step - 28, name, word, "#1d4e89", "#fff")
        if i:
            lines.append(_line(x - step / 2 - 13, 45, x - step / 2 + 12, 45))
    lines.append(
        f'<text x="{width / 2}" y="{TOP - 62}" font-size="14" fill="#565b66">'
        "What imports from what: arrows point to what is used</text>"
    )
    for part, (_, word, column, row, wide) in PARTS.items():
        x, y = LEFT + column * WIDE, TOP + row * HIGH
        lines += _box(x, y, wide * WIDE, part, word, "#eeebe4", "#14161a")
    lines += [_arrow(*pair) for pair in arrows()]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _box(x: float, y: float, wide: float, name: str, word: str, fill: str, ink: str) -> list[str]:
    return [
        f'<rect x="{x - wide / 2:.1f}" y="{y - BOX / 2:.1f}" width="{wide:.1f}" height="{BOX}" '
        f'rx="7" fill="{fill}"/>',
        f'<text x="{x:.1f}" y="{y - 3:.1f}" font-size="15" font-weight="600" fill="{ink}">'
        f"{name}</text>",
        f'<text x="{x:.1f}" y="{y + 15:.1f}" font-size="11.5" fill="{ink}">{word}</text>',
    ]


def _arrow(user: str, used: str) -> str:
    _, _, column, row, wide = PARTS[user]
    _, _, to_column, to_row, to_wide = PARTS[used]
    x, y = LEFT + column * WIDE, TOP + row * HIGH
    to_x, to_y = LEFT + to_column * WIDE, TOP + to_row * HIGH
    if row == to_row:
        side = wide * WIDE / 2 * (1 if to_x > x else -1)
        return _line(x + side, y, to_x - side, to_y)
    reach = max(0.0, to_wide * WIDE / 2 - 20)  # where the lower box is wide, straight down
    inside = min(max(x, to_x - reach), to_x + reach) if to_wide > 1 else to_x
    start = x + max(-0.35 * WIDE, min(0.35 * WIDE, (inside - x) / 3))
    return _line(start, y + BOX / 2, inside, to_y - BOX / 2 - 2)


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="#565b66" stroke-width="1.4" '
        'marker-end="url(#tip)"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
