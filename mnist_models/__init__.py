"""Three honest classifiers for handwritten digits, and one ``evaluate()`` to compare them."""

from mnist_models._progress import Step
from mnist_models._results.intervals import ConfidenceInterval
from mnist_models.comparison import Comparison
from mnist_models.datasets import ImageDataset, fetch_mnist, load_idx, load_sample_digits
from mnist_models.evaluation import compare, evaluate
from mnist_models.forest import RandomForestClassifier
from mnist_models.image_features import Deskew, HogFeatures
from mnist_models.linear import LogisticRegression
from mnist_models.models import MODEL_NAMES, make_model, search_space
from mnist_models.network import SequentialClassifier
from mnist_models.persistence import load_model, save_model
from mnist_models.preprocessing import make_preprocessor
from mnist_models.results import Evaluation, Fit, Provenance
from mnist_models.significance import Significance

__version__ = "0.1.0.dev0"

__all__ = [
    "MODEL_NAMES",
    "Comparison",
    "ConfidenceInterval",
    "Deskew",
    "Evaluation",
    "Fit",
    "HogFeatures",
    "ImageDataset",
    "LogisticRegression",
    "Provenance",
    "RandomForestClassifier",
    "SequentialClassifier",
    "Significance",
    "Step",
    "compare",
    "evaluate",
    "fetch_mnist",
    "load_idx",
    "load_model",
    "load_sample_digits",
    "make_model",
    "make_preprocessor",
    "save_model",
    "search_space",
]
