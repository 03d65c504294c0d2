"""Three honest classifiers for handwritten digits, and one ``evaluate()`` to compare them."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_models._progress import Step as Step
    from mnist_models._statistics import ConfidenceInterval as ConfidenceInterval
    from mnist_models.comparison import Comparison as Comparison
    from mnist_models.curves import LearningCurve as LearningCurve
    from mnist_models.curves import learning_curve as learning_curve
    from mnist_models.datasets import ImageDataset as ImageDataset
    from mnist_models.datasets import fetch_fashion_mnist as fetch_fashion_mnist
    from mnist_models.datasets import fetch_kmnist as fetch_kmnist
    from mnist_models.datasets import fetch_mnist as fetch_mnist
    from mnist_models.datasets import load_csv as load_csv
    from mnist_models.datasets import load_folder as load_folder
    from mnist_models.datasets import load_idx as load_idx
    from mnist_models.datasets import load_sample_digits as load_sample_digits
    from mnist_models.evaluation import compare as compare
    from mnist_models.evaluation import evaluate as evaluate
    from mnist_models.evidence import plot_evidence as plot_evidence
    from mnist_models.forest import RandomForestClassifier as RandomForestClassifier
    from mnist_models.keras_classifier import KerasClassifier as KerasClassifier
    from mnist_models.linear import LogisticRegression as LogisticRegression
    from mnist_models.models import MODEL_NAMES as MODEL_NAMES
    from mnist_models.models import make_model as make_model
    from mnist_models.models import search_frame as search_frame
    from mnist_models.models import search_space as search_space
    from mnist_models.network import SequentialClassifier as SequentialClassifier
    from mnist_models.persistence import load_model as load_model
    from mnist_models.persistence import save_model as save_model
    from mnist_models.pictures import read_images as read_images
    from mnist_models.preprocessing import CleanPaper as CleanPaper
    from mnist_models.preprocessing import Deskew as Deskew
    from mnist_models.preprocessing import HogFeatures as HogFeatures
    from mnist_models.preprocessing import make_preprocessor as make_preprocessor
    from mnist_models.results import Evaluation as Evaluation
    from mnist_models.results import Fit as Fit
    from mnist_models.results import Provenance as Provenance
    from mnist_models.significance import Significance as Significance

__version__ = "0.1.0.dev0"

# The module of each public name, imported when the name is first used: NumPy and scikit-learn take
# a second to load, during which the command line must already obey Ctrl-C.
_MODULES = {
    "MODEL_NAMES": "models",
    "CleanPaper": "preprocessing",
    "Comparison": "comparison",
    "ConfidenceInterval": "_statistics",
    "Deskew": "preprocessing",
    "Evaluation": "results",
    "Fit": "results",
    "HogFeatures": "preprocessing",
    "ImageDataset": "datasets",
    "KerasClassifier": "keras_classifier",
    "LearningCurve": "curves",
    "LogisticRegression": "linear",
    "Provenance": "results",
    "RandomForestClassifier": "forest",
    "SequentialClassifier": "network",
    "Significance": "significance",
    "Step": "_progress",
    "compare": "evaluation",
    "evaluate": "evaluation",
    "fetch_fashion_mnist": "datasets",
    "fetch_kmnist": "datasets",
    "fetch_mnist": "datasets",
    "learning_curve": "curves",
    "load_csv": "datasets",
    "load_folder": "datasets",
    "load_idx": "datasets",
    "load_model": "persistence",
    "load_sample_digits": "datasets",
    "make_model": "models",
    "make_preprocessor": "preprocessing",
    "plot_evidence": "evidence",
    "read_images": "pictures",
    "save_model": "persistence",
    "search_frame": "models",
    "search_space": "models",
}

# ``from mnist_models import *`` leaves these two out, as they load TensorFlow.
__all__ = sorted(_MODULES.keys() - {"KerasClassifier", "SequentialClassifier"})


def _import(name: str) -> Any:
    """Import a public name, or a public module, on first use."""
    if name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value  # found there from now on
        return value
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not TYPE_CHECKING:  # type checkers would believe that every name exists
    __getattr__ = _import


def __dir__() -> list[str]:
    return [*_MODULES, "__version__"]
