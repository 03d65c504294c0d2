"""The pictures of an evaluation."""

from typing import TYPE_CHECKING

from mnist_models._findings import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Pictured(Findings):
    """Findings that can be drawn. Every method takes the Axes to draw on, and returns it."""

    def plot_confusion_matrix(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the confusion matrix: counts and row percents, coloured by row percent.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from mnist_models._report import plots

        rows = "the test set" if self.test is not None else "rows out of fold"
        title = f"{self.model_name} on {rows}: accuracy {self.accuracy:.4f}"
        labels = [str(label) for label in self.classes]
        return plots.plot_confusion_matrix(self.confusion_matrix, labels, title, ax)
