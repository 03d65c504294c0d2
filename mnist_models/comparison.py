"""Several models on the same folds: who is best, and how surely."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import stats

from mnist_models._names import check_name
from mnist_models._report import text
from mnist_models.results import FORMAT, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PairedTest:
    """The corrected resampled t-test between two models on the same folds.

    Attributes
    ----------
    difference : float
        Mean score of the first less that of the second.
    t : float
        The statistic; infinite where every fold differs by the same amount.
    p_value : float
        Two-sided: how often chance alone would show so large a difference.
    """

    difference: float
    t: float
    p_value: float


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Mapping[str, Evaluation]):
    """Several models evaluated on the same folds: a mapping from name to :class:`Evaluation`.

    Made by :func:`mnist_models.compare`.

    Attributes
    ----------
    evaluations : dict of str to Evaluation
        In the order the models were given.

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

    def __getitem__(self, name: str) -> Evaluation:
        return self.evaluations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.evaluations)

    def __len__(self) -> int:
        return len(self.evaluations)

    def ranking(self) -> list[str]:
        """The names, best mean score over the folds first; the test set has no say in it.

        Returns
        -------
        list of str
        """
        return sorted(self, key=lambda name: -self[name].cv_scores.mean())

    @property
    def best(self) -> str:
        """The name of the model with the best mean score over the folds."""
        return self.ranking()[0]

    def paired_test(self, first: str, second: str) -> PairedTest:
        """Test whether two models' scores differ by more than chance on the same folds.

        The training parts of folds overlap, so their scores vary less than independent ones
        would; the plain t-test takes that for certainty. The variance is therefore multiplied by
        1/k + n_test/n_train in place of 1/k.

        Parameters
        ----------
        first, second : str
            Two of the names.

        Returns
        -------
        PairedTest

        Raises
        ------
        ValueError
            If there is no model of that name.

        References
        ----------
        C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
        2003, section 4.
        """
        for name in (first, second):
            check_name(name, self, "model")
        differences = self[first].cv_scores - self[second].cv_scores
        folds, k = self[first].folds, len(differences)
        overlap = np.mean([fold.n_predicted / fold.n_train for fold in folds])
        error = np.sqrt((1 / k + overlap) * differences.var(ddof=1))
        mean = float(differences.mean())
        if error == 0:
            certain = mean != 0  # every fold differs by the same amount
            return PairedTest(mean, np.copysign(np.inf, mean) if certain else 0.0, 1.0 - certain)
        t = mean / error
        return PairedTest(mean, float(t), float(2 * stats.t.sf(abs(t), df=k - 1)))

    def plot_cv_scores(self, ax: "Axes | None" = None) -> "Axes":
        """Draw every fold's score of every model, the best on top, the means marked.

        A light line goes through the points of the same fold: lines that hardly cross show that one
        model is ahead in every fold.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from mnist_models._report.fold_scores import plot_fold_scores

        scores = {name: self[name].cv_scores for name in self.ranking()}
        return plot_fold_scores(scores, self[self.best].scoring, ax)

    def plot_confusion_matrices(
        self, first: str, second: str, axes: "Sequence[Axes] | None" = None
    ) -> "tuple[Axes, Axes]":
        """Draw two models' confusion matrices side by side, in the same colours.

        Parameters
        ----------
        first, second : str
            Two of the names.
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``figure`` of either.

        Returns
        -------
        tuple of two matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If there is no model of that name, or axes are not two.
        """
        from mnist_models._report.matrices import plot_confusion_matrices

        for name in (first, second):
            check_name(name, self, "model")
        if axes is not None and len(axes) != 2:
            raise ValueError(f"axes must be two, one for each matrix. Got {len(axes)} instead.")
        return plot_confusion_matrices(self[first]._matrix(), self[second]._matrix(), axes)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            ``evaluations`` holds each Evaluation's own.
        """
        return {
            "format": FORMAT,
            "evaluations": {name: each.to_dict() for name, each in self.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The comparison that :meth:`to_dict` described.

        Parameters
        ----------
        data : mapping
            What ``to_dict`` returned, or what JSON made of it.

        Returns
        -------
        Comparison

        Raises
        ------
        ValueError
            If it is of another format.
        """
        if data.get("format") != FORMAT or "evaluations" not in data:
            raise ValueError(
                f"data must be a Comparison of format {FORMAT}, as to_dict writes it. "
                f"Got format {data.get('format')!r} with keys {sorted(data)} instead."
            )
        evaluations = data["evaluations"].items()
        return cls({name: Evaluation.from_dict(each) for name, each in evaluations})

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text.

        Returns
        -------
        str
        """
        return json.dumps(self.to_dict())

    def to_markdown(self) -> str:
        """The table of all models, and the best one's report, as Markdown.

        Returns
        -------
        str
            Names and labels are escaped.
        """
        table = text.markdown_table(*self._table())
        return "\n\n".join([table, *self._verdicts(), self[self.best].to_markdown()])

    def __str__(self) -> str:
        return f"{self.summary()}\n\nBest: {self[self.best]}"

    def summary(self) -> str:
        """The table of all models, and by how much the best one is ahead of each.

        Returns
        -------
        str
            What ``str()`` shows before the best one's report.
        """
        return "\n\n".join([text.text_table(*self._table()), "\n".join(self._verdicts())]).strip()

    def __repr__(self) -> str:
        return f"Comparison({', '.join(repr(each) for each in self.values())})"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        first = next(iter(self.values()))
        header = ["model", f"CV {first.scoring}", f"{first.source} accuracy", "fit", "predict"]
        rows = [
            [
                name,
                f"{self[name].cv_scores.mean():.4f} ± {self[name].cv_scores.std():.4f}",
                f"{self[name].accuracy:.4f}",
                text.seconds(self[name].fit_seconds),
                text.seconds(self[name].predict_seconds),
            ]
            for name in self.ranking()
        ]
        return header, rows

    def _verdicts(self) -> list[str]:
        """A sentence for every model but the best: by how much it is behind, and how surely."""
        sentences = []
        for name in self.ranking()[1:]:
            test = self.paired_test(self.best, name)
            sentences.append(
                f"{self.best} over {name}: {test.difference:+.4f} "
                f"(p = {test.p_value:.2g}, corrected t-test on the same folds)"
            )
        return sentences
