"""The pictures of an evaluation."""

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
    """Findings that can be drawn. Every method takes the Axes to draw on, and returns it."""

    def plot_confusion_matrix(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the confusion matrix: counts and row percents, what is right in blue, errors in red.

        The red is scaled by the largest share of a class that was read wrong in one way, for beside
        97 % on the diagonal 2 % would look like none. With more than 12 classes the counts alone
        stand in the cells.

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

        Below each stands what it is → what it was taken for, and the probability that the model
        gave that.

        Parameters
        ----------
        images : array-like or DataFrame
            The rows reported on, all of them: X_test if there was a test set, otherwise X. Shape
            (n, height·width), square, or (n, height, width); pixels from 0 (paper) to 255 (ink), or
            from 0 to 1.
        true, predicted : label, default=None
            Only digits of this class, only those taken for that one.
        n : int, default=24
            How many at the most.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            Without probabilities, the digits are in the order of their rows.

        Raises
        ------
        ValueError
            If ``images`` are not such pixels, or not of as many rows; if n is below 1, or a label
            is not one of ``classes``.
        """
        from mnist_models._report.gallery import Misread, plot_gallery

        if n < 1:
            raise ValueError(f"n must be at least 1. Got {n!r} instead.")
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
        """Draw how training and validation went from epoch to epoch, the best one marked.

        Of the fit on all of X if there was a test set, otherwise of every fold.

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
            If the model keeps no history, or none of this metric.
        """
        from mnist_models._report.learning import Course, plot_learning_curve

        known = [(fit.history, fit.best_epoch) for fit in self.reported_fits if fit.history]
        if not known:
            raise ValueError(
                f"A learning curve needs the history of a training, and {self.model_name} keeps "
                "none. Evaluate a model with history_, such as SequentialClassifier."
            )
        names = {name.removeprefix("val_") for history, _ in known for name in history}
        check_name(metric, sorted(names), "metric")
        courses = [
            Course(history.get(metric, []), history.get(f"val_{metric}", []), best)
            for history, best in known
        ]
        fitted = "fitted on all rows" if self.test else f"{len(courses)} folds"
        return plot_learning_curve(courses, metric, f"{self.model_name}, {fitted}", ax)

    def plot_calibration(self, ax: "Axes | None" = None) -> "Axes":
        """Draw how often the model is right when it is so sure: a reliability diagram.

        Rows are binned by the probability of the class predicted, in ten bins of equal width. The
        expected calibration error is the distance between accuracy and mean probability, averaged
        over the bins by their rows. The area of a point is by its rows. Points of fewer than 25 are
        hollow, and no line goes through them: the standard error of a share of n rows, at most
        1 / (2 √n), is there above the width of a bin.

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
        K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (of the class
        predicted, for several classes).
        """
        from mnist_models._report.calibration import plot_calibration

        right = self.y_true == self.y_pred
        confidence = self._given(self.confidence)
        return plot_calibration(confidence, right, self._title("calibration"), ax)

    def plot_roc(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the ROC curve of each class against the rest, and their average.

        The legend tells the area under each (AUC); the average's is the classes' mean. Of more
        than 12 classes it names the six worst.

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

        The legend tells the average precision (AP) of each; the average's is the classes' mean. Of
        more than 12 classes it names the six worst.

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

    def _given(self, chances: NDArray[np.float32] | None) -> NDArray[np.float32]:
        if chances is None:
            raise ValueError(
                f"This picture is of probabilities, and {self.model_name} gives none. Evaluate a "
                "model with predict_proba, such as CalibratedClassifierCV around this one."
            )
        return chances

    def _one_versus_rest(self, subject: str) -> "OneVersusRest":
        from mnist_models._report.curves import OneVersusRest

        truth = self.y_true[:, None] == self.classes
        labels = [str(label) for label in self.classes]
        return OneVersusRest(truth, self._given(self.probabilities), labels, self._title(subject))
