"""The page: a result as one HTML file that fetches nothing, with the digits behind each cell."""

import base64
import hashlib
import io
import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from mnist_models import _text as text
from mnist_models._files import atomic_writer
from mnist_models._plots import (
    BY_CLASS,
    IMPURITY,
    MOST_CLASSES,
    Matrix,
    Panel,
    as_images,
    metrics_of,
    new_axes,
    plot_cost,
    plot_cv_scores,
    plot_panels,
    rows_by_confidence,
)

if TYPE_CHECKING:
    from mnist_models.results import Evaluation
    from mnist_models.significance import Significance

_LARGEST = 2_900_000  # bytes of the whole page, for any number of rows
_HEATS = 20  # shades of a cell

# Digits are packed, or left out, in blocks: of so many rows, or fewer where images are large.
_BLOCK_ROWS, _BLOCK_PIXELS = 1024, 2**20
_SHEET_COLUMNS = 32
_GREYS = 16  # four bits: more make no visible difference at this size

# What a reader of the page may not know.
_WORDS = {
    "fold": "one of several equal parts of the training rows; each is read by a fit on the others",
    "accuracy": "the share that is read right; 0.97 is 970 of 1,000",
    "± std": "how much the score differs from fold to fold",
    "95 % interval": "a range made by a method that is right 95 times in 100",
    "recall": "of the images that are of a class, the share that is read as it",
    "precision": "of the images that are read as a class, the share that is of it",
    "f1-score": "the harmonic mean of precision and recall",
    "support": "how many images of the class there are",
    "macro avg": "the mean over the classes, each counting alike; weighted avg: by support",
    "confidence": "the probability that a model gives to its answer",
    "p": "how often chance alone would make a difference at least as large, if there were none",
    "Holm-corrected": "larger, to make up for testing several pairs of models",
    "simultaneous": "of intervals: all of them hold at once, 95 times in 100",
    "no difference shown": "the images are too few to tell; it does not mean that two are equal",
}


def write_page(
    path: str | PathLike[str],
    evaluations: "Mapping[str, Evaluation]",
    images: Any = None,
    significance: "Significance | None" = None,
) -> None:
    """Write the page of one model, or of several evaluated on the same rows and folds.

    It has at most ``_LARGEST`` bytes, unless tables and charts alone take more, as those of
    hundreds of classes do. The best model comes first. ``images`` are the pixels of the reported
    rows. ``significance`` has what is known of the differences between models.
    """
    first = next(iter(evaluations.values()))
    pictures, ink = (None, 1.0)
    if images is not None:
        pictures, ink = as_images(images, len(first.y_true), first.test is not None)
    classes = np.unique(np.concatenate([model.classes for model in evaluations.values()]))
    environment = make_environment()
    content = _content(evaluations, classes, significance)
    for name in ("css", "js"):
        content[name] = environment.get_template(f"page.{name}").render()
        digest = hashlib.sha256(content[name].encode()).digest()
        content[f"{name}_hash"] = f"sha256-{_base64(digest)}"

    def fill(blocks: Sequence[dict[str, Any]]) -> bytes:
        n_packed = sum(block["count"] for block in blocks)
        data = {
            "labels": [text.legible(str(label)) for label in classes],
            "models": [text.legible(name) for name in evaluations],
            "image": None if pictures is None else pictures.shape[1:],
            "columns": _SHEET_COLUMNS,
            "complete": n_packed == len(first.y_true),
            "blocks": blocks,
        }
        template = environment.get_template("page.html")
        return text.legible(template.render(content, n_packed=n_packed, data=data)).encode()

    packed, room = [], _LARGEST - len(fill([]))
    for block in _blocks(list(evaluations.values()), classes, pictures, ink):
        room -= len(block["numbers"]) + len(block["sheet"] or "") + 100  # for the names of these
        if room < 0:
            break
        packed.append(block)
    page = fill(packed)
    with atomic_writer(path) as file:
        file.write(page)


def make_environment() -> Any:
    """Jinja with our templates and filters; HTML is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mnist_models"),
        # names of models and classes may be any text; style and script are ours, and have none
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"percent": text.percent, "seconds": text.seconds, "mean": text.mean}
    environment.filters.update(filters, heat=_heat, bytes=_bytes)
    return environment


def _content(
    evaluations: "Mapping[str, Evaluation]",
    classes: NDArray[Any],
    significance: "Significance | None",
) -> dict[str, Any]:
    """What the template shows, all but the digits."""
    first = next(iter(evaluations.values()))
    has_best = len(evaluations) > 1 and bool(np.isfinite(first.cv_scores).all())
    labels = [str(label) for label in classes]
    models, largest_error = [], 0.0
    for name, result in evaluations.items():
        scores = result.cv_scores
        counts = confusion_matrix(result.y_true, result.y_pred, labels=classes)
        largest_error = max(
            largest_error, Matrix(counts, labels, name, counts.sum(axis=1)).largest_error
        )
        seconds = [fit.predict_seconds / fit.n_predicted for fit in result.reported_fits]
        models.append(
            {
                "name": name,
                "result": result,
                "is_best": result is first and has_best,
                "scores": scores.tolist(),
                "spread": f"± {scores.std():.4f}" if np.isfinite(scores).all() else "",
                "counts": counts.tolist(),
                "confusions": result.confusions(3),
                "seconds_per_digit": float(np.median(seconds)),
                "charts": _learning_charts(name, result),
                "evidence": _evidence_chart(name, result),
            }
        )
    return {
        "models": models,
        "first": first,
        "labels": labels,
        "is_crowded": len(classes) > MOST_CLASSES,
        "largest_error": largest_error,
        "folds_chart": _folds_chart(evaluations),
        "cost_chart": _cost_chart(evaluations),
        "significance": significance,
        "words": _WORDS,
        "origin": first.provenance,
    }


def _heat(share: float, most: float) -> int:
    """The shade of a cell from 0 to 20, in proportion to ``most``; 0 for exactly 0 only."""
    return max(1, round(_HEATS * share / most)) if share else 0


def _bytes(value: int) -> str:
    """A size in bytes with a decimal prefix and two digits or three.

    Examples
    --------
    >>> _bytes(450), _bytes(45_001), _bytes(23_154_063)
    ('450 B', '45 kB', '23 MB')
    """
    power = 0
    while value / 1000**power >= 999.5 and power < 3:
        power += 1
    scaled, unit = value / 1000**power, ("B", "kB", "MB", "GB")[power]
    return f"{scaled:.0f} {unit}" if scaled >= 9.5 or power == 0 else f"{scaled:.1f} {unit}"


# -- charts ----------------------------------------------------------------------------------------


def _chart(
    words: str, height: float, draw: Callable[[Any], Any], width: float = 4.8, columns: int = 1
) -> dict[str, str]:
    """A picture, drawn on the Axes that it is given, as the address of an SVG, and in words.

    An image of its own, it shares neither ids nor styles with the page, and its texts are outlines:
    a label can be no markup, and looks the same everywhere.
    """
    from matplotlib import style

    file = io.BytesIO()
    # whatever styles the caller has set; the salt makes the same ids every time
    with style.context(["default", {"svg.hashsalt": "mnist_models"}]):
        axes = new_axes(width, height, columns)
        draw(axes)
        figure = np.ravel(axes)[0].figure
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return {"words": words, "address": f"data:image/svg+xml;base64,{_base64(file.getvalue())}"}


def _folds_chart(evaluations: "Mapping[str, Evaluation]") -> dict[str, str]:
    scoring = next(iter(evaluations.values())).scoring
    in_words = "; ".join(
        f"{name} {' '.join(f'{score:.4f}' for score in model.cv_scores)}"
        for name, model in evaluations.items()
    )
    return _chart(
        f"{scoring} of each fold: {in_words}",
        1 + 0.5 * len(evaluations),
        lambda ax: plot_cv_scores(evaluations, ax).set_title(""),
    )


def _cost_chart(evaluations: "Mapping[str, Evaluation]") -> dict[str, str] | None:
    """Accuracy against the costs in the table of all models; None for one model."""
    if len(evaluations) < 2:
        return None
    words = "accuracy against fit time, prediction time and model size, as in the table"
    return _chart(words, 3.2, partial(plot_cost, evaluations), width=11, columns=3)


def _learning_charts(name: str, result: "Evaluation") -> list[dict[str, str]]:
    """One for every metric that has values."""
    charts, histories = [], [fit.history or {} for fit in result.reported_fits]
    metrics = metrics_of(result)
    if "cross_entropy" in metrics:  # the loss is the same, and the penalty on weights
        metrics = [metric for metric in metrics if metric != "loss"]
    for metric in metrics:
        curves = [
            history.get(key, []) for history in histories for key in (metric, f"val_{metric}")
        ]
        if not np.isfinite(np.concatenate(curves)).any():
            continue
        words = f"{name}: {metric} by epoch"
        if result.test is not None and result.test.best_epoch is not None:
            words += f", best epoch {result.test.best_epoch + 1}"
        charts.append(_chart(words, 3.4, partial(result.plot_learning_curve, metric)))
    return charts


def _evidence_chart(name: str, result: "Evaluation") -> dict[str, str] | None:
    """What the model looks at, if the evaluation kept it."""
    if result.test is None or not result.test.evidence:
        return None
    panels = [Panel(title, np.array(image)) for title, image in result.test.evidence.items()]
    by_class = [*result.test.evidence] != [IMPURITY]
    what = f"evidence for each class: {BY_CLASS}" if by_class else "importances"
    width, height = (9.0, 2.0 + 1.8 * ((len(panels) - 1) // 6)) if by_class else (3.4, 3.6)
    return _chart(f"{name}: {what}", height, lambda ax: plot_panels(panels, "", ax), width)


# -- digits ----------------------------------------------------------------------------------------


def _blocks(
    models: "Sequence[Evaluation]", classes: NDArray[Any], pictures: Any, ink: float
) -> Iterator[dict[str, Any]]:
    """All rows in blocks: first those that any model misread, then those it was least sure of."""
    true = np.searchsorted(classes, models[0].y_true)
    read = [np.searchsorted(classes, model.y_pred) for model in models]
    order = [rows_by_confidence(m.y_true == m.y_pred, m.confidence) for m in models]
    rank = [np.argsort(rows) for rows in order]
    misread = np.any([codes != true for codes in read], axis=0)
    # then by the best rank that any model gives a row: what it shows first is left out last
    kept_first = np.lexsort((np.min(rank, axis=0), ~misread))
    pixels = 1 if pictures is None else pictures.shape[1] * pictures.shape[2]
    step = max(1, min(_BLOCK_ROWS, _BLOCK_PIXELS // pixels))
    for start in range(0, len(true), step):
        rows = kept_first[start : start + step]
        numbers = {
            "rows": rows.tolist(),
            "true": true[rows].tolist(),
            "read": [codes[rows].tolist() for codes in read],
            "rank": [places[rows].tolist() for places in rank],
            "permille": [_permille(model, classes, rows) for model in models],
        }
        written = json.dumps(numbers, separators=(",", ":")).encode()
        sheet = pictures is not None and _base64(_sheet(pictures[rows] / np.float32(ink)))
        packed = _base64(zlib.compress(written, 9))
        yield {"count": len(rows), "numbers": packed, "sheet": sheet or None}


def _permille(
    model: "Evaluation", classes: NDArray[Any], rows: NDArray[np.intp]
) -> list[list[int]] | None:
    """Probabilities in thousandths, of which 0 and 1000 stand for exactly 0 and 1 only."""
    if model.probabilities is None:
        return None
    shares = np.clip(model.probabilities[rows], 0, 1)
    rounded = np.clip(np.rint(1000 * shares), 1, 999)
    thousandths = np.zeros((len(rows), len(classes)), dtype=np.int64)
    between = (shares > 0) & (shares < 1)
    columns = np.searchsorted(classes, model.classes)
    thousandths[:, columns] = np.where(between, rounded, 1000 * shares)
    return thousandths.tolist()


def _sheet(images: NDArray[Any]) -> bytes:
    """Images from 0 (paper) to 1 (ink), in rows of 32, as a PNG of 16 greys."""
    from PIL import Image

    n, height, width = images.shape
    columns = min(n, _SHEET_COLUMNS)
    rows = math.ceil(n / columns)
    cells = np.zeros((rows * columns, height, width), dtype=np.uint8)
    cells[:n] = np.rint(images * (_GREYS - 1))
    side_by_side = cells.reshape(rows, columns, height, width).swapaxes(1, 2)
    sheet = Image.fromarray(side_by_side.reshape(rows * height, columns * width))
    greys = [255 - round(255 * ink / (_GREYS - 1)) for ink in range(_GREYS)]
    sheet.putpalette([grey for grey in greys for _ in "RGB"])
    file = io.BytesIO()
    sheet.save(file, "PNG", compress_level=8, bits=4)
    return file.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
