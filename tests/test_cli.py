"""The command line as a person meets it: what each command prints and writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_models import (
    MODEL_NAMES,
    Comparison,
    Evaluation,
    load_idx,
    load_model,
    load_sample_digits,
)
from mnist_models.exceptions import WorkerLostError
from mnist_models.preprocessing import RECIPES

from .commands import predicted, run_command, write_idx

Capture = pytest.CaptureFixture[str]


def test_help_offers_every_model_recipe_and_published_set(capsys: Capture) -> None:
    code, out, err = run_command(capsys, "compare", "--help")
    assert (code, err) == (0, "")
    assert "|".join(MODEL_NAMES) in out
    assert "|".join(RECIPES) in out
    assert "sample|mnist|fashion-mnist|kmnist" in out


def test_version_prints_what_a_result_depends_on(capsys: Capture) -> None:
    code, out, _ = run_command(capsys, "version")
    assert code == 0
    for name in ("mnist-models", "scikit-learn", "tensorflow", "keras", "scikeras", "python"):
        assert f"{name} " in out


def test_fetch_finds_the_files(capsys: Capture, mnist_folder: Path, empty_cache: Path) -> None:
    code, out, _ = run_command(capsys, "fetch", "--data-home", mnist_folder)
    assert code == 0
    assert "70000 images" in out
    code, _, err = run_command(capsys, "fetch", "kmnist", "--data-home", mnist_folder)
    assert code == 2
    assert "is not KMNIST's train-images-idx3-ubyte" in err


# -- compare and evaluate --------------------------------------------------------------------------


def test_compare_prints_the_table_and_the_best_report(
    capsys: Capture, idx_folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    words = ("--models", "logistic", "forest", "--data", idx_folder, "--cv", 2, "--html", page)
    code, out, err = run_command(capsys, "compare", *words)
    assert (code, err) == (0, "")
    for part in ("CV accuracy", "test accuracy", "fit", "predict", "Confusion matrix", "recall"):
        assert part in out
    # the folder's own test set is the test set
    assert "on 60 test images" in page.read_text(encoding="utf-8")


def test_compare_writes_json_and_pictures(
    capsys: Capture, idx_folder: Path, tmp_path: Path
) -> None:
    models = ("logistic", "forest")
    words = ("--models", *models, "--data", idx_folder, "--cv", 2, "--json", "--plots", tmp_path)
    code, out, _ = run_command(capsys, "compare", *words)
    assert code == 0
    assert tuple(Comparison.from_dict(json.loads(out))) == models
    kinds = ("calibration", "confusion-matrix", "errors", "precision-recall", "roc")
    names = [f"{model}-{kind}.png" for model in models for kind in kinds]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["cost.png", "cv-scores.png", *names]
    )
    for name in names:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > 500


@pytest.mark.slow
def test_a_network_has_a_learning_curve_and_one_model_no_comparison(
    capsys: Capture, idx_folder: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "network", "--data", idx_folder, "--cv", 2, "--plots", tmp_path)
    assert run_command(capsys, *words)[0] == 0
    assert (tmp_path / "network-learning-curve.png").stat().st_size > 10_000
    assert not (tmp_path / "cv-scores.png").exists()


def test_evaluate_fits_again_only_what_is_not_in_memory(
    capsys: Capture, idx_folder: Path, tmp_path: Path
) -> None:
    words: tuple[Any, ...] = ("evaluate", "logistic", "--data", idx_folder, "--cv", 2, "--json")
    words += ("--memory", tmp_path / "run")
    code, first, err = run_command(capsys, *words)
    assert (code, err) == (0, "")
    evaluation = Evaluation.from_dict(json.loads(first))
    assert (len(evaluation.folds), len(evaluation.y), len(evaluation.y_true)) == (2, 240, 60)
    _, second, _ = run_command(capsys, *words)
    assert Evaluation.from_dict(json.loads(second)).folds == evaluation.folds  # times too


@pytest.mark.filterwarnings("default")  # here they are errors
def test_a_warning_is_one_line(capsys: Capture, idx_folder: Path) -> None:
    """With more folds than some classes have rows."""
    code, _, err = run_command(capsys, "evaluate", "logistic", "--data", idx_folder, "--cv", 24)
    assert code == 0
    (line,) = err.splitlines()
    assert line.startswith("mnist-models: warning: [few-rows]")


@pytest.mark.filterwarnings("default")
def test_an_error_in_a_fit_says_which_fit_it_was(capsys: Capture, tmp_path: Path) -> None:
    """Of two classes, one has a single row, and the other is all there is to train on."""
    labels = np.arange(40) == 7
    write_idx(tmp_path, "train", load_sample_digits().images[:40], labels)
    write_idx(tmp_path, "t10k", load_sample_digits().images[:2], labels[:2])
    code, out, err = run_command(capsys, "evaluate", "logistic", "--data", tmp_path, "--cv", 2)
    assert (code, out) == (2, "")
    assert "at least 2 classes" in err.splitlines()[-1]
    assert "raised by the fit of logistic, fold" in err.splitlines()[-1]


def test_models_that_lost_no_fit_are_printed_before_the_error(
    capsys: Capture, idx_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: Any, **__: Any) -> Any:
        message = "1 of 6 fits was lost. Give memory=FOLDER to keep the others."
        raise WorkerLostError(message, {"network, fold 1": "killed"}, finished)

    words = ("evaluate", "logistic", "--data", idx_folder, "--cv", 2)
    _, out, _ = run_command(capsys, *words, "--json")
    finished = {"logistic": Evaluation.from_dict(json.loads(out))}
    monkeypatch.setattr("mnist_models.compare", lose)
    code, out, err = run_command(capsys, *words)
    assert (code, out.splitlines()[0]) == (3, "logistic")
    expected = "1 of 6 fits was lost. Give --memory FOLDER to keep the others."
    assert err == f"mnist-models: {expected}\n"
    finished = {}
    assert run_command(capsys, *words)[:2] == (3, "")


# -- other data ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Kaggle's two files, of 200 and of 20 digits, and one with pictures by class."""
    home = tmp_path_factory.mktemp("tables")
    digits = load_sample_digits()
    header = ",".join(f"pixel{number}" for number in range(784))
    rows = np.column_stack([digits.target, digits.data])
    for name, table, columns in [
        ("train.csv", rows[:200], f"label,{header}"),
        ("test.csv.gz", rows[200:220, 1:], header),
        ("labelled.CSV", rows[200:220], f"label,{header}"),
    ]:
        np.savetxt(home / name, table, "%d", ",", header=columns, comments="")
    for row, (label, image) in enumerate(zip(digits.target[:60], digits.images, strict=False)):
        folder = home / "pictures" / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{row}.png")
    return home


def test_a_table_is_learned_from_and_another_predicted(
    capsys: Capture, tables: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    words = ("--data", tables / "train.csv", "-o", model)
    code, out, err = run_command(capsys, "train", "forest", *words)
    assert (code, err) == (0, "")
    assert "fitted on 200 images of train.csv" in out
    expected = load_sample_digits().target[200:220]
    for name in ("test.csv.gz", "labelled.CSV"):
        code, out, err = run_command(capsys, "predict", model, tables / name, "--json")
        assert (code, err) == (0, "")
        assert np.mean([found["label"] for found in json.loads(out)] == expected) > 0.8


def test_a_folder_of_pictures_is_evaluated_under_its_names(capsys: Capture, tables: Path) -> None:
    words = ("evaluate", "logistic", "--data", tables / "pictures", "--cv", 2)
    code, out, err = run_command(capsys, *words)
    assert (code, err) == (0, "")
    assert "digit 7" in out


# -- train, inspect, predict -----------------------------------------------------------------------


def test_parameters_are_set_by_name(capsys: Capture, idx_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "forest.model"
    words = ("train", "forest", "--data", idx_folder, "-o", path, "--set")
    more = ("--set", "max_features=log2")
    assert run_command(capsys, *words, "n_estimators=3", *more)[0] == 0
    model = load_model(path)
    assert (len(model[-1].estimators_), model[-1].max_features) == (3, "log2")
    for wrong, said in {
        "n_estimator=3": "Got 'n_estimator' instead. Did you mean 'n_estimators'?",
        "n_estimators": "--set must be NAME=VALUE, as in --set epochs=2. Got 'n_estimators'.",
        "n_estimators=many": "The 'n_estimators' parameter of RandomForestClassifier must be",
    }.items():
        code, _, err = run_command(capsys, *words, wrong)
        assert code == 2
        assert said in err


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_the_accurate_recipe_from_train_to_predict(
    capsys: Capture, idx_folder: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "accurate.model"
    words = ("--data", idx_folder, "--recipe", "accurate", "-o", path)
    code, out, err = run_command(capsys, "train", name, *words)
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: {name} fitted on 300 images of ")
    code, out, err = run_command(capsys, "inspect", path)
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: a model in format ")
    images = idx_folder / "t10k-images-idx3-ubyte.gz"
    code, out, err = run_command(capsys, "predict", path, images)
    assert (code, err) == (0, "")
    labels = load_idx(images, idx_folder / "t10k-labels-idx1-ubyte.gz").target
    assert np.mean(np.array(predicted(out), dtype=int) == labels) > 0.95
