"""The HTML page of evaluations: their data in the form that the page takes."""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from mnist_models._files import atomic_writer
from mnist_models._report.html import render
from mnist_models._report.page import Digits, History, ModelShown, Page
from mnist_models._results.findings import Findings
from mnist_models._results.intervals import ConfidenceInterval
from mnist_models._results.reported_images import Images

# Digits are packed, or left out, in blocks: of so many rows, or fewer where images are large.
_BLOCK_ROWS, _BLOCK_PIXELS = 1024, 2**20


def write_page(
    path: str | PathLike[str],
    evaluations: Mapping[str, Findings],
    images: Any = None,
    verdicts: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write the page of one model, or of several evaluated on the same rows and folds.

    Parameters
    ----------
    path : str or path-like
        The file to write.
    evaluations : dict of str to Findings
        Best first.
    images : array-like, default=None
        Pixels of the reported rows.
    verdicts : dict of str to sequence of str, default=None
        Sentences on the differences between the models, under headings; the first of each is on
        the two best models.

    Raises
    ------
    ValueError
        If the images are not those of the reported rows.
    """
    found = list(evaluations.values())
    first = found[0]
    n_reported = len(first.y_true)
    pictures = None if images is None else Images(images, n_reported, first.test is not None)
    classes = np.unique(np.concatenate([each.classes for each in found]))
    page = _page(evaluations, classes, verdicts or {})
    blocks = _blocks(found, classes, pictures)
    text = render(page, blocks, None if pictures is None else pictures.shape)
    with atomic_writer(path) as file:
        file.write(text.encode())


def _page(
    evaluations: Mapping[str, Findings],
    classes: NDArray[Any],
    verdicts: Mapping[str, Sequence[str]],
) -> Page:
    first = next(iter(evaluations.values()))
    origin = first.provenance
    has_best = len(evaluations) > 1 and not np.isnan(first.cv_scores).any()
    return Page(
        labels=[str(label) for label in classes],
        models=[
            _model(name, each, classes, is_best=each is first and has_best)
            for name, each in evaluations.items()
        ],
        scoring=first.scoring,
        source=first.source,
        n_rows=len(first.y),
        n_reported=len(first.y_true),
        verdicts=verdicts,
        provenance={}
        if origin is None
        else {
            "Seed of the folds": origin.random_state,
            "SHA-256 of the data": origin.data_sha256,
            "SHA-256 of the folds": origin.folds_sha256,
        },
        versions={} if origin is None else origin.versions,
    )


def _model(name: str, found: Findings, classes: NDArray[Any], is_best: bool) -> ModelShown:
    return ModelShown(
        name=name,
        is_best=is_best,
        cv_scores=found.cv_scores.tolist(),
        accuracy=found.accuracy,
        interval=_bounds(found.confidence_interval()),
        cv_interval=_bounds(found.cv_confidence_interval()),
        counts=confusion_matrix(found.y_true, found.y_pred, labels=classes).tolist(),
        by_class=found.class_figures,
        averages=found.average_figures,
        fit_seconds=found.fit_seconds,
        predict_seconds=found.predict_seconds,
        seconds_per_digit=float(
            np.median([fit.predict_seconds / fit.n_predicted for fit in found.reported_fits])
        ),
        peak_bytes=found.peak_bytes,
        model_bytes=found.model_bytes,
        histories=_histories(found),
        parameters=None if found.provenance is None else found.provenance.parameters,
    )


def _bounds(interval: ConfidenceInterval) -> tuple[float, float] | None:
    return (interval.low, interval.high) if interval.is_known else None


def _histories(found: Findings) -> list[History]:
    """The learning curves of the reported fits, each with the name of its fit."""
    fits = found.reported_fits
    names = ["all rows"] if found.test else [f"fold {i}" for i in range(1, len(fits) + 1)]
    return [
        (name, fit.history, fit.best_epoch)
        for name, fit in zip(names, fits, strict=True)
        if fit.history
    ]


def _blocks(
    found: Sequence[Findings], classes: NDArray[Any], pictures: Images | None
) -> Iterator[Digits]:
    """All rows in blocks: first those that any model misread, then those it was least sure of."""
    true = np.searchsorted(classes, found[0].y_true)
    read = [np.searchsorted(classes, each.y_pred) for each in found]
    order = [_display_order(each) for each in found]
    rank = [np.argsort(rows) for rows in order]
    misread = np.any([codes != true for codes in read], axis=0)
    # then by the best rank that any model gives a row: what it shows first is left out last
    kept_first = np.lexsort((np.min(rank, axis=0), ~misread))
    pixels = 1 if pictures is None else pictures.shape[0] * pictures.shape[1]
    step = max(1, min(_BLOCK_ROWS, _BLOCK_PIXELS // pixels))
    for start in range(0, len(true), step):
        rows = kept_first[start : start + step]
        yield Digits(
            rows=rows.tolist(),
            true=true[rows].tolist(),
            read=[codes[rows].tolist() for codes in read],
            rank=[places[rows].tolist() for places in rank],
            permille=[_permille(each, classes, rows) for each in found],
            images=None if pictures is None else pictures[rows],
        )


def _display_order(found: Findings) -> NDArray[np.intp]:
    """Rows in display order: the most confidently wrong first, the most confidently right last."""
    wrong = found.y_true != found.y_pred
    confidence = found.confidence
    if confidence is None:
        return np.argsort(~wrong, kind="stable")
    return np.lexsort((np.where(wrong, -confidence, confidence), ~wrong))


def _permille(
    found: Findings, classes: NDArray[Any], rows: NDArray[np.intp]
) -> list[list[int]] | None:
    """Probabilities in thousandths, of which 0 and 1000 stand for exactly 0 and 1 only."""
    if found.probabilities is None:
        return None
    chances = np.clip(found.probabilities[rows], 0, 1)
    between = (chances > 0) & (chances < 1)
    thousandths = np.zeros((len(rows), len(classes)), dtype=np.int64)
    columns = np.searchsorted(classes, found.classes)
    thousandths[:, columns] = np.where(
        between, np.clip(np.rint(1000 * chances), 1, 999), 1000 * chances
    )
    return thousandths.tolist()
