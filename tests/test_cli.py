"""The command line as a person meets it: its answers, its errors, its exit codes."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_models import Comparison, Evaluation, load_idx, load_sample_digits
from mnist_models._data.idx import idx_header
from mnist_models.cli import main

from .misbehaving import Misbehaving

Capture = pytest.CaptureFixture[str]


def _run(capsys: Capture, *words: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as stop:  # argparse leaves by it
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def _write_idx(folder: Path, part: str, images: Any, labels: Any) -> None:
    for kind, array in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
        content = idx_header(array.shape) + array.tobytes()
        (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Fashion-MNIST has it: four IDX files, here with 300 of the embedded digits."""
    folder = tmp_path_factory.mktemp("some-digits")
    digits = load_sample_digits().sample(300, random_state=0)
    for part, rows in (("train", slice(0, 240)), ("t10k", slice(240, 300))):
        _write_idx(folder, part, digits.images[rows], digits.target[rows])
    return folder


@pytest.fixture(scope="module")
def model_file(folder: Path) -> Path:
    path = folder / "digits.model"
    assert main(["train", "forest", "--output", str(path)]) == 0
    return path


def test_compare_shows_the_table_and_the_best_report(capsys: Capture, folder: Path) -> None:
    words = ("--models", "logistic", "forest", "--data", folder, "--cv", 2)
    code, out, err = _run(capsys, "compare", *words)
    assert (code, err) == (0, "")
    for part in ("CV accuracy", "test accuracy", "fit", "predict", "Confusion matrix", "recall"):
        assert part in out


def test_compare_gives_json_and_pictures(capsys: Capture, folder: Path, tmp_path: Path) -> None:
    models = ("logistic", "forest")
    words = ("--models", *models, "--data", folder, "--cv", 2, "--json", "--plots", tmp_path)
    code, out, _ = _run(capsys, "compare", *words)
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
    capsys: Capture, folder: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "network", "--data", folder, "--cv", 2, "--plots", tmp_path)
    assert _run(capsys, *words)[0] == 0
    assert (tmp_path / "network-learning-curve.png").stat().st_size > 10_000
    assert not (tmp_path / "cv-scores.png").exists()  # of one model there is nothing to compare


@pytest.mark.parametrize("words", [("compare", "--models", "logistic"), ("evaluate", "logistic")])
def test_both_write_a_page_with_the_digits_of_the_test_set(
    capsys: Capture, folder: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    path = tmp_path / "report.html"
    code, _, err = _run(capsys, *words, "--data", folder, "--cv", 2, "--html", path)
    assert (code, err) == (0, "")
    page = path.read_text(encoding="utf-8")
    assert "on 60 test digits" in page
    assert '"shape": [28, 28]' in page


def test_evaluate_shows_one_report(capsys: Capture, folder: Path) -> None:
    code, out, err = _run(capsys, "evaluate", "logistic", "--data", folder, "--cv", 2, "--json")
    assert (code, err) == (0, "")
    evaluation = Evaluation.from_dict(json.loads(out))
    assert len(evaluation.folds) == 2
    assert evaluation.source == "test"


@pytest.mark.slow
def test_the_main_job() -> None:
    """In a process of its own, all three models, and nothing on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "mnist_models", "compare", "--cv", "2"],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("logistic", "forest", "network"):
        assert f"\n{name}" in done.stdout


def test_version_names_what_a_result_depends_on(capsys: Capture) -> None:
    code, out, _ = _run(capsys, "version")
    assert code == 0
    for name in ("mnist-models", "scikit-learn", "tensorflow", "keras", "python"):
        assert f"{name} " in out


# -- predict ---------------------------------------------------------------------------------------


def test_predict_reads_every_kind_of_file(
    capsys: Capture, model_file: Path, tmp_path: Path
) -> None:
    digits = load_sample_digits()
    images, labels = digits.images[:10], digits.target[:10].tolist()
    np.save(tmp_path / "stack.npy", images)
    np.save(tmp_path / "rows.npy", digits.data[:10])
    np.save(tmp_path / "one.npy", images[3])
    (tmp_path / "images.idx").write_bytes(idx_header(images.shape) + images.tobytes())
    (tmp_path / "images.gz").write_bytes(gzip.compress((tmp_path / "images.idx").read_bytes()))
    for name, expected in [
        ("stack.npy", labels),
        ("rows.npy", labels),
        ("one.npy", labels[3:4]),
        ("images.idx", labels),
        ("images.gz", labels),
    ]:
        code, out, err = _run(capsys, "predict", model_file, tmp_path / name)
        assert (code, err, [int(line) for line in out.split()]) == (0, "", expected), name


def _on_paper(image: Any, shade: int) -> Any:
    """A digit three times its size, dark, off the middle of a sheet of paper with some grain."""
    paper = np.full((120, 90), shade) + np.random.default_rng(0).integers(-4, 1, size=(120, 90))
    paper[20:104, 3:87] -= (np.kron(image, np.ones((3, 3))) * (shade - 30) / 255).astype(int)
    return np.clip(paper, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P", "I;16"])
def test_predict_reads_pictures_of_every_colour_mode(
    capsys: Capture, model_file: Path, tmp_path: Path, mode: str
) -> None:
    sheet = _on_paper(load_sample_digits().images[0], shade=255)
    picture = Image.fromarray(sheet)
    if mode == "I;16":
        picture = Image.fromarray(sheet.astype(np.uint16) * 257)
    elif mode != "L":
        picture = picture.convert(mode, dither=Image.Dither.NONE)
    picture.save(tmp_path / "zero.PNG")
    code, out, err = _run(capsys, "predict", model_file, tmp_path / "zero.PNG")
    assert (code, out, err) == (0, "0\n", "")


def test_a_picture_of_the_models_own_size_is_read_as_it_is(
    capsys: Capture, model_file: Path, tmp_path: Path
) -> None:
    images = load_sample_digits().images[:3]
    np.save(tmp_path / "images.npy", images)
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for image, light, dark in zip(images, paths[:3], paths[3:], strict=True):
        Image.fromarray(image).save(light)
        Image.fromarray(255 - image).save(dark)
    _, out, _ = _run(capsys, "predict", model_file, tmp_path / "images.npy", "--json")
    expected = [answer["probabilities"] for answer in json.loads(out)]
    _, out, _ = _run(capsys, "predict", model_file, *paths, "--json")
    assert [answer["probabilities"] for answer in json.loads(out)] == expected * 2


@pytest.mark.parametrize("shade", [255, 250, 235, 180, 120])
@pytest.mark.parametrize("negative", [False, True])
def test_predict_reads_ink_on_paper_of_any_shade(
    capsys: Capture, model_file: Path, tmp_path: Path, shade: int, negative: bool
) -> None:
    digits = load_sample_digits()
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for image, path in zip(digits.images, paths, strict=False):
        sheet = _on_paper(image, shade)
        Image.fromarray(255 - sheet if negative else sheet).save(path)
    code, out, _ = _run(capsys, "predict", model_file, *paths)
    right = np.array(out.split(), dtype=int) == digits.target[:20]
    assert code == 0
    assert right.sum() >= 18


def test_predict_gives_json_with_probabilities(
    capsys: Capture, model_file: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "two.npy", load_sample_digits().images[:2])
    code, out, _ = _run(capsys, "predict", model_file, tmp_path / "two.npy", "--json")
    answers = json.loads(out)
    assert code == 0
    assert [answer["label"] for answer in answers] == [0, 1]
    assert [answer["image"] for answer in answers] == [0, 1]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)


# -- bad input -------------------------------------------------------------------------------------


@pytest.fixture
def odd_files(tmp_path: Path) -> Path:
    """Files that are not what predict wants."""
    np.save(tmp_path / "wrong-size.npy", np.zeros((3, 5, 5)))
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "scalar.npy", np.array(3))
    np.save(tmp_path / "nan.npy", np.full((1, 784), np.nan))
    np.save(tmp_path / "zero-to-one.npy", load_sample_digits().data[:3] / 255)
    blank = 250 + np.random.default_rng(0).integers(-2, 3, size=(60, 60))
    Image.fromarray(blank.astype(np.uint8)).save(tmp_path / "blank.png")
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "cut.npy").write_bytes((tmp_path / "nan.npy").read_bytes()[:200])
    (tmp_path / "page.png").write_text("<html>")
    Image.new("L", (9000, 9000)).save(tmp_path / "huge.png")
    Image.new("L", (10_000, 10_000)).save(tmp_path / "bomb.png")
    Image.new("L", (200_000, 1)).save(tmp_path / "long.png")
    np.save(tmp_path / "no-rows.npy", np.zeros((0, 28, 28)))
    np.savez(tmp_path / "archive", a=np.zeros(784))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%s, 784), }"
    for name, inside in {
        "negative": header % b"-1",
        "endless": header % (b"9" * 30),
        "unclosed": header[:30],
        "deep": b"[" * 9000,
    }.items():
        prefix = b"\x93NUMPY\x01\x00" + len(inside + b"\n").to_bytes(2, "little")
        (tmp_path / f"{name}.npy").write_bytes(prefix + inside + b"\n")
    Image.new("L", (50, 50)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "wrong-size.npy", "objects.npy", "text.npy", "scalar.npy", "nan.npy", "cut.npy",
        "no-rows.npy", "archive.npy", "negative.npy", "endless.npy", "unclosed.npy", "deep.npy",
        "zero-to-one.npy", "blank.png", "photo.jpg", "page.png", "huge.png", "bomb.png",
        "long.png", "cut.png", "empty", "folder", "missing",
    ],
)  # fmt: skip
def test_images_that_are_none_are_one_line_and_exit_code_2(
    capsys: Capture, model_file: Path, odd_files: Path, name: str
) -> None:
    code, out, err = _run(capsys, "predict", model_file, odd_files / name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mnist-models: ")
    assert name in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["compere"],
        ["compare", "--data", "/nowhere"],
        ["compare", "--data", "/etc/hostname"],
        ["compare", "--data", ""],
        ["compare", "--cv", "1", "--models", "logistic"],
        ["compare", "--cv", "many"],
        ["compare", "--cv", "2000", "--models", "logistic"],
        ["compare", "--seed", "-1"],
        ["compare", "--seed", str(2**32)],
        ["compare", "--models", "svm"],
        ["compare", "--models"],
        ["compare", "--plots", "/dev/null", "--models", "logistic", "--cv", "2"],
        ["compare", "--plots", "/proc/plots"],
        ["compare", "--html", "/nowhere/report.html"],
        ["compare", "--html", "/proc/report.html"],
        ["compare", "--checkpoint", "/dev/null"],
        ["compare", "--checkpoint", "/proc/run"],
        ["compare", "--timeout", "0"],
        ["compare", "--timeout", "1h"],
        ["compare", "--timeout", "inf"],
        ["compare", "--jobs", "0"],
        ["evaluate", "network", "--html", "/"],
        ["evaluate"],
        ["evaluate", "forrest"],
        ["train", "logistic"],
        ["train", "logistic", "-o", "/nowhere/model"],
        ["train", "logistic", "-o", "/"],
        ["train", "logistic", "-o", "/proc/model"],
        ["predict", "/nowhere/model", "x.npy"],
        ["predict", "/etc/passwd", "x.npy"],
        ["predict", "/", "x.npy"],
        ["predict", "model"],
        ["fetch", "--data-home"],
        ["version", "please"],
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_exit_code_2(capsys: Capture, words: list[str]) -> None:
    code, out, err = _run(capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mnist-models: ")


def test_mnist_that_is_not_to_be_had_is_one_line(
    capsys: Capture, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_models._data.mnist.MIRRORS", ("http://127.0.0.1:9/",))
    for command in (["fetch"], ["reproduce"], ["compare", "--data", "mnist"]):
        code, out, err = _run(capsys, *command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "MNIST_MODELS_DATA" in err


def test_fetch_finds_the_files(capsys: Capture, mnist_folder: Path, empty_cache: Path) -> None:
    code, out, _ = _run(capsys, "fetch", "--data-home", mnist_folder)
    assert code == 0
    assert "70000 images" in out


def test_a_folders_own_test_set_is_its_test_set(capsys: Capture, folder: Path) -> None:
    _, out, _ = _run(capsys, "evaluate", "logistic", "--data", folder, "--cv", 2, "--json")
    evaluation = Evaluation.from_dict(json.loads(out))
    assert (len(evaluation.y), len(evaluation.y_true)) == (240, 60)


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_the_accurate_recipe_from_train_to_predict(
    capsys: Capture, folder: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "accurate.model"
    words = ("--data", folder, "--recipe", "accurate", "-o", path)
    assert _run(capsys, "train", name, *words)[0] == 0
    images = folder / "t10k-images-idx3-ubyte.gz"
    code, out, err = _run(capsys, "predict", path, images)
    assert (code, err) == (0, "")
    labels = load_idx(images, folder / "t10k-labels-idx1-ubyte.gz").target
    read = [int(line.split()[-1]) for line in out.splitlines()]
    assert np.mean(np.array(read) == labels) > 0.95


def test_train_does_not_train_when_it_could_not_save(capsys: Capture) -> None:
    code, _, err = _run(capsys, "train", "network", "-o", "/nowhere/model")
    assert code == 2
    assert "a folder that exists. Got /nowhere/model" in err


# -- signals and pipes -----------------------------------------------------------------------------


def _wait_for_tensorflow(pid: int) -> None:
    """Until it is loaded, by when the command is well under way."""
    maps = Path(f"/proc/{pid}/maps")
    deadline = time.monotonic() + 120
    while "tensorflow" not in maps.read_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(5)


def test_ctrl_c_is_exit_code_130_and_no_traceback() -> None:
    command = [sys.executable, "-m", "mnist_models", "compare", "--data", "sample", "--cv", "100"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    _wait_for_tensorflow(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "mnist-models: interrupted\n"


@pytest.mark.slow
def test_ctrl_c_tells_how_to_go_on_and_the_same_command_does(tmp_path: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "mnist_models", "evaluate", "forest", "--data", str(folder)]
    command += ["--cv", "20", "--jobs", "2", "--checkpoint", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(tmp_path.glob("run/fit-*")):  # the first is finished
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    assert last == f"mnist-models: interrupted; the same command goes on from {tmp_path / 'run'}"
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("run/fit-*")}
    assert 0 < len(finished) < 21
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert "over 20 folds" in again.stdout
    for path, time_ns in finished.items():
        assert path.stat().st_mtime_ns == time_ns


@pytest.mark.filterwarnings("default")  # here they are errors
def test_a_warning_is_one_line(capsys: Capture, folder: Path) -> None:
    """With more folds than some classes have rows."""
    code, _, err = _run(capsys, "evaluate", "logistic", "--data", folder, "--cv", 24)
    assert code == 0
    (line,) = err.splitlines()
    assert line.startswith("mnist-models: warning: [few-rows]")


@pytest.mark.filterwarnings("default")
def test_an_error_in_a_fit_says_which_fit_it_was(capsys: Capture, tmp_path: Path) -> None:
    """Of two classes, one has a single row, and the other is all there is to train on."""
    labels = np.arange(40) == 7
    _write_idx(tmp_path, "train", load_sample_digits().images[:40], labels)
    _write_idx(tmp_path, "t10k", load_sample_digits().images[:2], labels[:2])
    code, out, err = _run(capsys, "evaluate", "logistic", "--data", tmp_path, "--cv", 2)
    assert (code, out) == (2, "")
    assert "at least 2 classes" in err.splitlines()[-1]
    assert "raised by the fit of logistic, fold" in err.splitlines()[-1]


@pytest.mark.slow
def test_fits_that_are_lost_cost_no_others(
    capsys: Capture, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, **_: Any) -> Misbehaving:
        return Misbehaving("die" if name == "network" else "nothing", tmp_path, victim=999)

    monkeypatch.setattr("mnist_models._commands.make_model", make)
    words = ("--data", folder, "--cv", 2, "--jobs", 2, "--html", tmp_path / "page.html")
    code, out, err = _run(capsys, "compare", "--models", "logistic", "network", *words)
    assert (code, err.count("\n")) == (3, 1)
    assert err.startswith("mnist-models: 3 of 6 fits were lost. network, ")
    assert "\nlogistic " in out
    assert "network" not in out
    assert (tmp_path / "page.html").is_file()
    code, out, _ = _run(capsys, "evaluate", "network", "--data", folder, "--cv", 2, "--jobs", 2)
    assert (code, out) == (3, "")


@pytest.mark.slow
def test_a_fit_that_takes_too_long_is_given_up(
    capsys: Capture, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = Misbehaving("hang", tmp_path, victim=999)
    monkeypatch.setattr("mnist_models._commands.make_model", lambda name, **_: hangs)
    words = ("--data", folder, "--cv", 2, "--jobs", 3, "--timeout", 0.5)
    code, out, err = _run(capsys, "evaluate", "logistic", *words)
    assert (code, out) == (3, "")
    assert err.count("did not end within timeout=0.5 seconds") == 3


_STUBBORN = """
import sys, time
from mnist_models import _commands, cli

def stubborn(options):
    print("ready", flush=True)
    while True:
        try:
            time.sleep(0.1)
        except KeyboardInterrupt:
            pass  # as a destructor or native code would have it

_commands.run_version = _commands.run_compare = stubborn
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["version"], "mnist-models: interrupted\n"),
        (
            ["compare", "--checkpoint", "run"],
            "mnist-models: interrupted; the same command goes on from run\n",
        ),
    ],
)
def test_ctrl_c_is_obeyed_even_where_the_exception_is_lost(words: list[str], said: str) -> None:
    command = [sys.executable, "-c", _STUBBORN, *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, said)


def test_a_command_leaves_the_signal_handler_as_it_was(capsys: Capture) -> None:
    before = signal.getsignal(signal.SIGINT)
    _run(capsys, "version")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_closed_pipe_is_no_traceback(model_file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.tile(load_sample_digits().data, (20, 1)))
    command = f"{sys.executable} -m mnist_models predict {model_file} {tmp_path}/many.npy --json"
    done = subprocess.run(
        f"{command} | head -c 100", shell=True, capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--json",), ()])
def test_a_closed_pipe_costs_no_page(
    options: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    words = ["evaluate", "logistic", "--data", str(folder), "--cv", "2", "--html", str(page)]
    command = [sys.executable, "-m", "mnist_models", *words, *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 141
    assert page.is_file()


def test_output_goes_where_no_accents_go(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mnist_models", "evaluate", "logistic", "--data", str(folder)],
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
