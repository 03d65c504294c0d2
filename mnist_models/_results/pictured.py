"""The plots of an evaluation."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._names import check_name
from mnist_models._results.findings import Findings
from mnist_models._results.reported_images import Images

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mnist_models._report.curves import OneVersusRest
    from mnist_models._report.matrices import Matrix


class Pictured(Findings):
    """Findings that can be plotted. Every method takes the Axes to draw on, and returns it."""

    def plot_confusion_matrix(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the confusion matrix: counts and row percents, correct ones in blue, errors in red.

        Red has a scale of its own, up to the largest error: on the scale of the diagonal, 2 %
        would look like none beside 97 %. With more than 12 classes the cells hold only counts.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.
        """
        from mnist_models._report.matrices import plot_confusion_matrix

        return plot_confusion_matrix(self._matrix(), ax)

    def plot_errors(
        self,
        images: Any,
        *,
        true: Any = None,
        predicted: Any = None,
        n: int = 24,
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Draw digits that were misread, the most confidently wrong first.

        Below each digit: its true class → the predicted one, and the predicted one's probability.
        Without probabilities, digits are in the order of their rows.

        Parameters
        ----------
        images : array-like or DataFrame
            All reported rows: X_test if there was a test set, otherwise X. Shape
            (n, height·width), square, or (n, height, width); pixels from 0 (paper) to 255 (ink), or
            from 0 to 1.
        true, predicted : label, default=None
            Only digits of this true class, only digits predicted as this class.
        n : int, default=24
            The greatest number of digits.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If ``images`` are not such pixels, or not one image for each reported row; if ``n`` is
            not an int of at least 1, or a label is not one of ``classes``.
        """
        from mnist_models._report.gallery import Misread, plot_gallery

        if not isinstance(n, int | np.integer) or n < 1:
            raise ValueError(f"n must be an int of at least 1. Got {n!r} instead.")
        digits = Images(images, len(self.y_true), self.test is not None)
        rows = self.errors(true, predicted)
        chances = self.confidence
        if chances is not None:
            rows = rows[np.argsort(-chances[rows], kind="stable")]
        gallery = [
            Misread(
                digits[row],
                str(self.y_true[row]),
                str(self.y_pred[row]),
                None if chances is None else float(chances[row]),
            )
            for row in rows[:n]
        ]
        order = "in the order of rows" if chances is None else "the most confidently wrong first"
        title = f"{self.model_name}: {len(gallery)} of {len(rows)} misread\n{order}"
        return plot_gallery(gallery, title, ax)

    def plot_learning_curve(self, metric: str = "loss", ax: "Axes | None" = None) -> "Axes":
        """Draw a metric of training and validation over the epochs, the best epoch marked.

        For the fit on all of X if there was a test set, otherwise for every fold.

        Parameters
        ----------
        metric : str, default="loss"
            A key of the history: ``"loss"`` or ``"accuracy"`` for SequentialClassifier.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If the model keeps no history, or the history has no such metric.
        """
        from mnist_models._report.learning import LearningCurve, plot_learning_curve

        known = [(fit.history, fit.best_epoch) for fit in self.reported_fits if fit.history]
        if not known:
            raise ValueError(
                f"A learning curve needs the history of a training, and {self.model_name} keeps "
                "none. Evaluate a model with history_, such as SequentialClassifier."
            )
        names = {name.removeprefix("val_") for history, _ in known for name in history}
        check_name(metric, sorted(names), "metric")
        curves = [
            LearningCurve(history.get(metric, []), history.get(f"val_{metric}", []), best)
            for history, best in known
        ]
        fitted = "fitted on all rows" if self.test else f"{len(curves)} folds"
        return plot_learning_curve(curves, metric, f"{self.model_name}, {fitted}", ax)

    def plot_calibration(self, ax: "Axes | None" = None) -> "Axes":
        """Draw a reliability diagram: accuracy over the probability of the predicted class.

        Rows are in ten bins of equal width by that probability. The expected calibration error is
        the distance between accuracy and mean probability, averaged over the bins by their rows.
        A point's area is proportional to its rows. Points of fewer than 25 rows are hollow, and no
        line goes through them: the standard error of a share of n rows is at most 1 / (2 √n), and
        for these may exceed the width of a bin.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``.

        References
        ----------
        M. Pakdaman Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining Well Calibrated
        Probabilities Using Bayesian Binning", AAAI 2015 (the error). C. Guo, G. Pleiss, Y. Sun and
        K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (for
        several classes, of the one predicted).
        """
        from mnist_models._report.calibration import plot_calibration

        right = self.y_true == self.y_pred
        confidence = self._require(self.confidence)
        return plot_calibration(confidence, right, self._title("calibration"), ax)

    def plot_roc(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the ROC curve of each class against the rest, and their average.

        The legend has the area under each curve (AUC); that of the average is the classes' mean.
        Of more than 12 classes it names the six worst.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            A class without rows has no curve; the legend says so.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``, or all rows are of one class.
        """
        from mnist_models._report.curves import plot_roc

        return plot_roc(self._one_versus_rest("ROC"), ax)

    def plot_precision_recall(self, ax: "Axes | None" = None) -> "Axes":
        """Draw precision over recall for each class against the rest, and their average.

        The legend has the average precision (AP) of each; that of the average is the classes'
        mean. Of more than 12 classes it names the six worst.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            A class without rows has no curve; the legend says so.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``, or all rows are of one class.
        """
        from mnist_models._report.curves import plot_precision_recall

        return plot_precision_recall(self._one_versus_rest("precision and recall"), ax)

    def _matrix(self) -> "Matrix":
        from mnist_models._report.matrices import Matrix

        title = self._title(f"accuracy {self.accuracy:.4f}")
        return Matrix(self.confusion_matrix, [str(label) for label in self.classes], title)

    def _title(self, subject: str) -> str:
        rows = "the test set" if self.test is not None else "rows out of fold"
        return f"{self.model_name} on {rows}: {subject}"

    def _require(self, probabilities: NDArray[np.float32] | None) -> NDArray[np.float32]:
        if probabilities is None:
            raise ValueError(
                f"This plot needs probabilities, and {self.model_name} gives none. Evaluate a "
                "model with predict_proba, such as CalibratedClassifierCV around this one."
            )
        return probabilities

    def _one_versus_rest(self, subject: str) -> "OneVersusRest":
        from mnist_models._report.curves import OneVersusRest

        truth = self.y_true[:, None] == self.classes
        labels = [str(label) for label in self.classes]
        return OneVersusRest(truth, self._require(self.probabilities), labels, self._title(subject))
