"""``mnist-models predict``: every kind of file it reads, and what it takes for none."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_models import load_sample_digits
from mnist_models._data.idx import idx_header

from .commands import run_command

Capture = pytest.CaptureFixture[str]


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
        code, out, err = run_command(capsys, "predict", model_file, tmp_path / name)
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
    code, out, err = run_command(capsys, "predict", model_file, tmp_path / "zero.PNG")
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
    _, out, _ = run_command(capsys, "predict", model_file, tmp_path / "images.npy", "--json")
    expected = [answer["probabilities"] for answer in json.loads(out)]
    _, out, _ = run_command(capsys, "predict", model_file, *paths, "--json")
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
    code, out, _ = run_command(capsys, "predict", model_file, *paths)
    right = np.array(out.split(), dtype=int) == digits.target[:20]
    assert code == 0
    assert right.sum() >= 18


def test_predict_gives_json_with_probabilities(
    capsys: Capture, model_file: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "two.npy", load_sample_digits().images[:2])
    code, out, _ = run_command(capsys, "predict", model_file, tmp_path / "two.npy", "--json")
    answers = json.loads(out)
    assert code == 0
    assert [answer["label"] for answer in answers] == [0, 1]
    assert [answer["image"] for answer in answers] == [0, 1]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)


# -- bad input -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are not what predict wants."""
    tmp_path = tmp_path_factory.mktemp("odd")
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
    code, out, err = run_command(capsys, "predict", model_file, odd_files / name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mnist-models: ")
    assert name in err
