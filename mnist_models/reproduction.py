"""The claims of the original report, each beside what is measured now.

The library grew from a course report that compared three models on MNIST. Its numbers are in
``report_claims.json``.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np

from mnist_models import _text
from mnist_models.comparison import Comparison
from mnist_models.evaluation import compare
from mnist_models.models import MODEL_NAMES, make_model
from mnist_models.results import Evaluation

# A measured value may be this much below the claimed one.
TOLERANCE = 0.01

_COLUMNS = ("precision", "recall", "f1-score", "support")


@dataclass(frozen=True)
class Claim:
    """One number of the original report, and the one measured now.

    Attributes
    ----------
    model : str
        One of ``MODEL_NAMES``.
    what : str
        Which number, such as ``"test accuracy"``, or the row of the classification report.
    column : str
        The column of the classification report; empty for other numbers.
    claimed : float
        The claimed number; the lower end of a range.
    measured : float
        The number measured now.
    claimed_most : float or None
        The upper end of a range; None for a single number.
    """

    model: str
    what: str
    column: str
    claimed: float
    measured: float
    claimed_most: float | None = None

    @property
    def met(self) -> bool:
        """Whether supports are equal, and other numbers at most ``TOLERANCE`` below the claim."""
        if self.column == "support":
            return self.measured == self.claimed
        return self.measured >= self.claimed - TOLERANCE - 1e-9  # rounding

    def __str__(self) -> str:
        what = " ".join(filter(None, [self.model, self.what, self.column]))
        return f"{what}: the original report claims {self.claimed:g}, measured {self.measured:.4g}"


@dataclass(frozen=True, eq=False)
class Reproduction:
    """The result of :func:`~mnist_models.reproduction.reproduce`.

    Attributes
    ----------
    comparison : Comparison
        The three models, split as in the original report.
    claims : tuple of Claim
        Every number of the original report.
    """

    comparison: Comparison
    claims: tuple[Claim, ...]

    @property
    def missed(self) -> list[Claim]:
        """The claims that are not met."""
        return [claim for claim in self.claims if not claim.met]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            ``claims``, a list of dicts, and ``comparison``.
        """
        claims = [asdict(claim) | {"met": claim.met} for claim in self.claims]
        return {"claims": claims, "comparison": self.comparison.to_dict()}

    def __str__(self) -> str:
        title = "Each number: claimed by the original report / measured now"
        tables = [f"{name}\n{self._table(name)}" for name in MODEL_NAMES]
        verdict = "\n".join(f"Missed: {claim}." for claim in self.missed) or (
            f"All {len(self.claims)} claims of the original report are met: "
            f"no number is more than {TOLERANCE:g} below its claim, and all supports are equal."
        )
        return "\n\n".join([title, *tables, self.comparison.summary(), verdict])

    def _table(self, name: str) -> str:
        """The claims of one model: single numbers, then the classification report's rows."""
        rows: dict[str, list[str]] = {}
        for claim in self.claims:
            if claim.model == name:
                rows.setdefault(claim.what, []).append(_pair(claim))
        width = max(map(len, rows.values()))
        header = _COLUMNS if width > 1 else ("accuracy",)
        cells = [[what, *row, *[""] * (width - len(row))] for what, row in rows.items()]
        return _text.text_table(["", *header], cells)


def reproduce(
    data: tuple[Any, Any, Any, Any], *, random_state: int = 0, progress: bool | None = None
) -> Reproduction:
    """Fit the original report's three models as it did, and check them against its numbers.

    Parameters
    ----------
    data : tuple of ndarray
        X_train, X_test, y_train, y_test: ``fetch_mnist().split("classic")``.
    random_state : int, default=0
        Seeds the models and the folds.
    progress : bool, default=None
        As for :func:`mnist_models.compare`.

    Returns
    -------
    Reproduction
        The comparison of the models, and every claim. It takes minutes.
    """
    X_train, X_test, y_train, y_test = data
    models = {name: make_model(name, random_state=random_state) for name in MODEL_NAMES}
    models["forest"].set_params(classify__n_jobs=-1)  # the others do so by default
    test = (X_test, y_test)
    comparison = compare(
        models, X_train, y_train, test=test, random_state=random_state, progress=progress
    )
    return Reproduction(comparison, tuple(check_claims(read_claims(), comparison)))


def read_claims() -> dict[str, Any]:
    """The original report's numbers, which come with the library.

    Returns
    -------
    dict
        Under ``"models"``, for each model: its accuracies, and its classification report with a
        row of precision, recall, F1 and support for each class.
    """
    file = resources.files("mnist_models").joinpath("report_claims.json")
    claims: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return claims


def check_claims(claims: Mapping[str, Any], comparison: Comparison) -> Iterator[Claim]:
    """Pair every number of the original report with the one measured.

    Parameters
    ----------
    claims : mapping
        As :func:`read_claims` returns them.
    comparison : Comparison
        The three models, with a test set.

    Yields
    ------
    Claim
    """
    for name, claimed in claims["models"].items():
        for what, measured in _accuracies(comparison[name]).items():
            key = what.lower().replace(" ", "_")
            if key in claimed:
                ends = np.atleast_1d(claimed[key])
                most = float(ends.max()) if ends.max() > ends.min() else None
                yield Claim(name, what, "", float(ends.min()), measured, most)
        report = comparison[name].classification_report(output_dict=True)
        for row, numbers in claimed.get("report", {}).items():
            for column, number in zip(_COLUMNS, numbers, strict=True):
                yield Claim(name, row, column, float(number), float(report[row][column]))


def _accuracies(evaluation: Evaluation) -> dict[str, float]:
    """Accuracies by name; a network's are those of the epoch whose weights were kept."""
    measured = {"CV accuracy": float(evaluation.cv_scores.mean())}
    fit = evaluation.test
    if fit is not None and fit.history is not None and fit.best_epoch is not None:
        measured["train accuracy"] = fit.history["accuracy"][fit.best_epoch]
        measured["validation accuracy"] = fit.history["val_accuracy"][fit.best_epoch]
    return measured | {"test accuracy": evaluation.accuracy}


def _pair(claim: Claim) -> str:
    digits = 0 if claim.column == "support" else 2
    most = "" if claim.claimed_most is None else f"-{claim.claimed_most:.{digits}f}"
    mark = "" if claim.met else " !"
    return f"{claim.claimed:.{digits}f}{most} / {claim.measured:.{digits}f}{mark}"
