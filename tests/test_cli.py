"""The command line as a person meets it: its answers, and its warnings."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_models import Comparison, Evaluation, load_idx, load_sample_digits

from .commands import run_command, write_idx

Capture = pytest.CaptureFixture[str]


def test_compare_shows_the_table_and_the_best_report(capsys: Capture, idx_folder: Path) -> None:
    words = ("--models", "logistic", "forest", "--data", idx_folder, "--cv", 2)
    code, out, err = run_command(capsys, "compare", *words)
    assert (code, err) == (0, "")
    for part in ("CV accuracy", "test accuracy", "fit", "predict", "Confusion matrix", "recall"):
        assert part in out


def test_compare_gives_json_and_pictures(capsys: Capture, idx_folder: Path, tmp_path: Path) -> None:
    models = ("logistic", "forest")
    words = ("--models", *models, "--data", idx_folder, "--cv", 2, "--json", "--plots", tmp_path)
    code, out, _ = run_command(capsys, "compare", *words)
    assert code == 0
    assert tuple(Comparison.from_dict(json.loads(out))) == models
    kinds = ("calibration", "confusion-matrix", "errors", "precision-recall", "roc")
    names = [f"{model}-{kind}.png" for model in models for kind in kinds]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["cv-scores.png", *names])
    for name in names:
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > 500


@pytest.mark.slow
def test_a_networks_learning_curve_is_among_the_pictures(
    capsys: Capture, idx_folder: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "network", "--data", idx_folder, "--cv", 2, "--plots", tmp_path)
    assert run_command(capsys, *words)[0] == 0
    assert (tmp_path / "network-learning-curve.png").stat().st_size > 10_000
    assert not (tmp_path / "cv-scores.png").exists()  # of one model there is nothing to compare


@pytest.mark.parametrize("words", [("compare", "--models", "logistic"), ("evaluate", "logistic")])
def test_both_write_a_page_with_the_digits_of_the_test_set(
    capsys: Capture, idx_folder: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    path = tmp_path / "report.html"
    code, _, err = run_command(capsys, *words, "--data", idx_folder, "--cv", 2, "--html", path)
    assert (code, err) == (0, "")
    page = path.read_text(encoding="utf-8")
    assert "on 60 test digits" in page
    assert '"shape": [28, 28]' in page


def test_evaluate_shows_one_report(capsys: Capture, idx_folder: Path) -> None:
    code, out, err = run_command(
        capsys, "evaluate", "logistic", "--data", idx_folder, "--cv", 2, "--json"
    )
    assert (code, err) == (0, "")
    evaluation = Evaluation.from_dict(json.loads(out))
    assert len(evaluation.folds) == 2
    assert evaluation.source == "test"


def test_version_names_what_a_result_depends_on(capsys: Capture) -> None:
    code, out, _ = run_command(capsys, "version")
    assert code == 0
    for name in ("mnist-models", "scikit-learn", "tensorflow", "keras", "python"):
        assert f"{name} " in out


def test_fetch_finds_the_files(capsys: Capture, mnist_folder: Path, empty_cache: Path) -> None:
    code, out, _ = run_command(capsys, "fetch", "--data-home", mnist_folder)
    assert code == 0
    assert "70000 images" in out


def test_a_folders_own_test_set_is_its_test_set(capsys: Capture, idx_folder: Path) -> None:
    _, out, _ = run_command(
        capsys, "evaluate", "logistic", "--data", idx_folder, "--cv", 2, "--json"
    )
    evaluation = Evaluation.from_dict(json.loads(out))
    assert (len(evaluation.y), len(evaluation.y_true)) == (240, 60)


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_the_accurate_recipe_from_train_to_predict(
    capsys: Capture, idx_folder: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "accurate.model"
    words = ("--data", idx_folder, "--recipe", "accurate", "-o", path)
    assert run_command(capsys, "train", name, *words)[0] == 0
    images = idx_folder / "t10k-images-idx3-ubyte.gz"
    code, out, err = run_command(capsys, "predict", path, images)
    assert (code, err) == (0, "")
    labels = load_idx(images, idx_folder / "t10k-labels-idx1-ubyte.gz").target
    read = [int(line.split()[-1]) for line in out.splitlines()]
    assert np.mean(np.array(read) == labels) > 0.95


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
