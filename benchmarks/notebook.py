"""The notebook that a competent user would write with scikit-learn and scikeras alone.

The same three models, settings, folds and test rows as ours: the report's. ``python -m
benchmarks.notebook`` runs it on the real MNIST, ``--quick`` on the embedded digits, and prints the
test accuracies last.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from scikeras.wrappers import KerasClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.digits import report_split


def build(
    hidden_units: tuple[int, ...] = (128, 64), l2: float = 0.01, n_features: int = 784
) -> keras.Model:
    """The report's network, as every tutorial writes it."""
    layers = [keras.Input((n_features,))]
    for units in hidden_units:
        penalty = keras.regularizers.L2(l2)
        layers.append(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
    penalty = keras.regularizers.L2(l2)
    layers.append(keras.layers.Dense(10, activation="softmax", kernel_regularizer=penalty))
    return keras.Sequential(layers)


def network(**params: object) -> KerasClassifier:
    """That network as scikeras wraps it."""
    settings: dict[str, object] = {
        "model": build,
        "optimizer": "adam",
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy"],
        "epochs": 20,
        "batch_size": 128,
        "fit__validation_split": 0.1,
        "callbacks": keras.callbacks.EarlyStopping,
        "callbacks__patience": 3,
        "callbacks__min_delta": 1e-3,
        "callbacks__restore_best_weights": True,
        "verbose": 0,
        "random_state": 0,
    }
    return KerasClassifier(**settings | params)


def main(quick: bool) -> None:
    """Cross-validate, fit, and report on the test rows, one model after the other."""
    X, X_test, y, y_test = report_split(quick)
    models = {
        "logistic": LogisticRegression(max_iter=1000, random_state=0),
        "forest": RandomForestClassifier(n_jobs=-1, random_state=0),
        "network": network(epochs=2 if quick else 20),
    }
    folds = StratifiedKFold(2 if quick else 5, shuffle=True, random_state=0)
    n_jobs = None if quick else -1
    accuracies = []
    for name, model in models.items():
        pipeline = make_pipeline(StandardScaler(), model)
        scores = cross_validate(pipeline, X, y, cv=folds, n_jobs=n_jobs)["test_score"]
        predicted = pipeline.fit(X, y).predict(X_test)
        print(f"{name}: {scores.mean():.4f} ± {scores.std():.4f}")
        print(classification_report(y_test, predicted), confusion_matrix(y_test, predicted))
        accuracies.append((predicted == y_test).mean())
    print(*accuracies)


if __name__ == "__main__":
    main("--quick" in sys.argv)
