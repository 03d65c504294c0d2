"""Several models evaluated on the same folds: which is best, and is that more than chance?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mnist_models import _plots
from mnist_models import _text as text
from mnist_models._page import write_page
from mnist_models._validation import check_name
from mnist_models.results import Evaluation
from mnist_models.significance import Significance, compare_pairs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Mapping[str, Evaluation]):
    """Several models evaluated on the same folds: a mapping from name to :class:`Evaluation`.

    Made by :func:`mnist_models.compare`.

    Attributes
    ----------
    evaluations : dict of str to Evaluation
        At least one, in the order in which the models were given.

    Raises
    ------
    ValueError
        If there is none, or if they differ in score, labels, folds or test set.

    Examples
    --------
    >>> from mnist_models import compare, load_sample_digits, make_model
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> models = {name: make_model(name, random_state=0) for name in ("logistic", "forest")}
    >>> comparison = compare(models, digits.data, digits.target)
    >>> comparison.best == comparison.ranking()[0]
    True
    >>> comparison["forest"]
    Evaluation('forest', 5 folds, accuracy ...)
    """

    evaluations: dict[str, Evaluation]

    def __post_init__(self) -> None:
        if not self.evaluations:
            raise ValueError("evaluations must hold at least one Evaluation. Got none.")
        first = next(iter(self))
        for name in self:
            if differing := _what_differs(self[first], self[name]):
                raise ValueError(
                    "evaluations must be of one score, the same rows, folds and test set, as "
                    f"compare() makes them. Those of {first!r} and {name!r} differ in {differing}."
                )

    def __getitem__(self, name: str) -> Evaluation:
        return self.evaluations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.evaluations)

    def __len__(self) -> int:
        return len(self.evaluations)

    def ranking(self) -> list[str]:
        """The models' names by their mean score over the folds, the best first.

        Returns
        -------
        list of str
            Models without a score in some fold come last. The test set does not matter.
        """
        means = {name: float(model.cv_scores.mean()) for name, model in self.items()}
        return sorted(self, key=lambda name: (np.isnan(means[name]), -means[name]))

    @property
    def best(self) -> str:
        """The name of the model with the highest mean score over the folds.

        Raises
        ------
        ValueError
            If every model is without a score in some fold.
        """
        first = self.ranking()[0]
        if np.isnan(self[first].cv_scores).any():
            raise ValueError(
                "best is the model with the highest mean score, and no model has a score in every "
                f"fold. Got cv_scores {self[first].cv_scores} for {first!r}: does "
                f"{self[first].scoring!r} suit these labels and folds?"
            )
        return first

    def significance(self, level: float = 0.95) -> Significance:
        """Test every pair of models: whether they differ by more than chance, and by how much.

        Parameters
        ----------
        level : float, default=0.95
            Of the confidence intervals, above 0 and below 1. A difference is significant if its
            p-value, corrected for the number of pairs, is below 1 - level.

        Returns
        -------
        Significance
            The pairs and the tests' results; ``verdicts`` has them in words.
        """
        return compare_pairs({name: self[name] for name in self.ranking()}, level)

    def plot_cv_scores(self, ax: "Axes | None" = None) -> "Axes":
        """Draw every fold's score of every model, the best model on top, the means marked.

        A band shows the 95 % interval of each mean. A thin line joins the scores of one fold: if
        all lines between two models slope the same way, one of them is ahead in every fold.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.
        """
        return _plots.plot_cv_scores({name: self[name] for name in self.ranking()}, ax)

    def plot_confusion_matrices(
        self,
        first: str,
        second: str,
        axes: "Sequence[Axes] | None" = None,
        *,
        labels: Sequence[Any] | None = None,
    ) -> "tuple[Axes, Axes]":
        """Draw two models' confusion matrices side by side, in the same colours.

        Parameters
        ----------
        first, second : str
            The models' names.
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``figure`` of either.
        labels : sequence of labels, default=None
            The classes to draw, in this order, as for :meth:`Evaluation.plot_confusion_matrix`.

        Returns
        -------
        tuple of two matplotlib.axes.Axes
            What was drawn on, the first model's first.

        Raises
        ------
        ValueError
            If there is no such model or label, or ``axes`` are not two.
        """
        for name in (first, second):
            check_name(name, self, "model")
        if axes is not None and len(axes) != 2:
            raise ValueError(f"axes must be two, one for each matrix. Got {len(axes)} instead.")
        return _plots.plot_confusion_matrices(self[first], self[second], labels, axes)

    def plot_cost(self, axes: "Sequence[Axes] | None" = None) -> "tuple[Axes, Axes, Axes]":
        """Draw each model's accuracy against fit time, prediction time and model size.

        The accuracy is that of the reported rows, with its 95 % interval. The costs are those of
        the fit on all of X, or without a test set the folds' median. A size that was not measured
        has no point.

        Parameters
        ----------
        axes : sequence of three matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``figure`` of each.

        Returns
        -------
        tuple of three matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If ``axes`` are not three.
        """
        if axes is not None and len(axes) != 3:
            raise ValueError(f"axes must be three, one for each cost. Got {len(axes)} instead.")
        return _plots.plot_cost({name: self[name] for name in self.ranking()}, axes)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            ``evaluations`` has each :meth:`Evaluation.to_dict`. ``significance`` is there for other
            readers; ``from_dict`` computes it again.
        """
        return {
            "format": text.FORMAT,
            "evaluations": {name: model.to_dict() for name, model in self.items()},
            "significance": self.significance().to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The comparison of which :meth:`to_dict` made plain data.

        Parameters
        ----------
        data : mapping
            What ``to_dict`` returned, or the same read from JSON.

        Returns
        -------
        Comparison
            Equal in every figure; its probabilities have six decimals.

        Raises
        ------
        ValueError
            If it is of another format, or inconsistent.
        """
        text.check_format(data, "a Comparison", "evaluations")
        evaluations = data["evaluations"]
        if not isinstance(evaluations, Mapping):
            raise ValueError(
                "evaluations must map names to what Evaluation.to_dict writes. "
                f"Got {evaluations!r} instead."
            )
        return cls({name: Evaluation.from_dict(model) for name, model in evaluations.items()})

    def to_json(self) -> str:
        """What :meth:`to_dict` returns, as JSON.

        Returns
        -------
        str
            ``json.loads`` reads it back for :meth:`from_dict`.
        """
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_frame(self) -> "pd.DataFrame":
        """The rows of every model's :meth:`Evaluation.to_frame`, in the order of the models.

        Returns
        -------
        pandas.DataFrame
            A row for every fit of every model.
        """
        frames = [model.to_frame().assign(model=name) for name, model in self.items()]
        import pandas as pd  # is there: the frames are made of it

        return pd.concat(frames, ignore_index=True)

    def to_markdown(self) -> str:
        """The table of all models, what the tests show, and the best model's evaluation.

        Returns
        -------
        str
            Names and labels are escaped.
        """
        parts = [text.markdown_table(*self._table())]
        for heading, sentences in self._answers().items():
            parts += [f"{heading}:", "\n".join(f"- {text.escaped(words)}" for words in sentences)]
        return "\n\n".join([*parts, self[self.ranking()[0]].to_markdown()])

    def to_html(self, path: str | PathLike[str], images: Any = None) -> None:
        """Write a page that ranks the models, and shows the digits that each of them misread.

        It is that of :meth:`Evaluation.to_html`, with a choice of model.

        Parameters
        ----------
        path : str or path-like
            The file to write. Its folder must exist.
        images : array-like or DataFrame, default=None
            The reported rows, as for :meth:`Evaluation.to_html`.
        """
        ranked = {name: self[name] for name in self.ranking()}
        write_page(path, ranked, images, self.significance())

    def __str__(self) -> str:
        return f"{self.summary()}\n\n{self[self.ranking()[0]]}"

    def summary(self) -> str:
        """The table of all models, and what tests show of the best one and each of the others.

        Returns
        -------
        str
            What ``str()`` shows before the best model's evaluation.
        """
        return "\n\n".join([text.text_table(*self._table()), text.listed(self._answers())]).strip()

    def __repr__(self) -> str:
        return f"Comparison({', '.join(map(repr, self.values()))})"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        first = next(iter(self.values()))
        accuracy = f"{first.source} accuracy (95 % CI)"
        header = ["model", f"CV {first.scoring}", accuracy, "fit", "predict"]
        rows = []
        for name in self.ranking():
            model = self[name]
            mean = text.mean_and_std(model.cv_scores.tolist())
            low, high, *_ = model.confidence_interval()
            costs = text.seconds(model.fit_seconds), text.seconds(model.predict_seconds)
            rows.append([name, mean, f"{model.accuracy:.4f} ({low:.4f} to {high:.4f})", *costs])
        return header, rows

    def _answers(self) -> dict[str, list[str]]:
        """What is known of the best model and each of the others, plain words first."""
        significance = self.significance()
        return significance.answers(best_only=True) | significance.tests(best_only=True)


def _what_differs(one: Evaluation, other: Evaluation) -> str:
    """Which of the things that compared evaluations share differ; empty if none does."""
    origins = [model.provenance for model in (one, other)]
    alike = {
        "score": one.scoring == other.scoring,
        "labels": np.array_equal(one.y, other.y),
        "folds": np.array_equal(one._fold_sizes, other._fold_sizes)
        and len({origin.folds_sha256 for origin in origins if origin}) < 2,
        "test set": np.array_equal(one.y_test, other.y_test),  # type: ignore[arg-type]
    }
    return ", ".join(what for what, holds in alike.items() if not holds)
