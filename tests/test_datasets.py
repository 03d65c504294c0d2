"""Data sets: what they hold, how they divide, and that nothing changes them."""

import dataclasses
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_models import ImageDataset, load_csv, load_folder, load_idx, load_sample_digits
from mnist_models.cli import main
from mnist_models.exceptions import DatasetFormatError

from .commands import idx_header, run_command, write_idx


@pytest.fixture(scope="module")
def sample() -> ImageDataset:
    return load_sample_digits()


def test_the_sample_digits(sample: ImageDataset) -> None:
    assert sample.data.shape == (1797, 784)
    assert sample.data.dtype == np.uint8
    assert sample.images.shape == (1797, 28, 28)
    assert set(sample.target) == set(range(10))
    assert sample.data.max() == 255


def test_the_sample_digits_lie_as_mnists_do(sample: ImageDataset) -> None:
    """In a 20×20 box, the centre of mass in the middle of the frame."""
    images = sample.images.astype(float)
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = images.sum(axis=3 - axis) @ np.arange(28) / mass
        assert np.abs(centre - 14).max() <= 0.51
        extent = np.array([np.ptp(np.flatnonzero(each.any(axis=2 - axis))) + 1 for each in images])
        assert extent.max() <= 20


def test_nothing_about_it_can_be_changed(sample: ImageDataset) -> None:
    for array in (sample.data, sample.images, sample.target):
        assert not array.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.name = "other"  # type: ignore[misc]
    assert np.shares_memory(sample.images, sample.data)


def test_an_array_given_to_it_stays_writeable() -> None:
    data = np.zeros((2, 4), dtype=np.uint8)
    ImageDataset(data, np.array([0, 1]), (2, 2), "two")
    data[0, 0] = 1


def test_splits_that_are_not_there(sample: ImageDataset) -> None:
    with pytest.raises(ValueError, match="no official split"):
        sample.split("official")
    with pytest.raises(ValueError, match="Did you mean 'classic'"):
        sample.split("clasic")  # type: ignore[arg-type]


def test_a_sample_has_its_size_and_the_classes_in_proportion(sample: ImageDataset) -> None:
    for n in (10, 11, 17, 900, 1796, 1797):
        small, again = (sample.sample(n, random_state=0) for _ in range(2))
        assert len(small) == n
        np.testing.assert_array_equal(small.data, again.data)
        counts = np.bincount(small.target, minlength=10)
        assert counts.min() >= 1
        np.testing.assert_allclose(counts, np.bincount(sample.target) * n / 1797, atol=1)


def test_samples_that_cannot_be(sample: ImageDataset) -> None:
    for n in (-5, 0, 9, 1798):
        with pytest.raises(ValueError, match=f"from 10, the number of classes, to 1797.*Got {n}"):
            sample.sample(n)
    with pytest.raises(TypeError):
        sample.sample(100.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(6, 12), (4, 3, 4), (4, 3, 4, 1)])
def test_images_as_they_come_are_kept_as_rows(shape: tuple[int, ...]) -> None:
    images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    rows = images.reshape(len(images), -1)
    size = (3, 4)
    given = (size,) if len(shape) == 2 else ()  # rows are taken for squares, images are not
    dataset = ImageDataset(images, np.arange(len(images)), *given)
    assert (dataset.image_shape, dataset.name) == (size, "images")
    np.testing.assert_array_equal(dataset.data, rows)
    assert np.shares_memory(dataset.data, images)


def test_rows_are_taken_for_square_images(sample: ImageDataset) -> None:
    assert ImageDataset(sample.data, sample.target).image_shape == (28, 28)
    assert "1797 images of 28x28" in repr(ImageDataset(sample.data, sample.target))


_ROWS = np.zeros((4, 784), np.uint8)


@pytest.mark.parametrize(
    ("data", "target", "more", "message"),
    [
        (_ROWS, np.zeros(9), {}, r"shape \(9, 784\), .* Got the shape \(4, 784\)"),
        (_ROWS, np.zeros(4), {"image_shape": (14, 14)}, r"\(4, 196\), \(4, 14, 14\) or"),
        (_ROWS, np.zeros(4), {"image_shape": (28, 28, 1)}, r"must be \(height, width\). Got \(28"),
        (_ROWS[:, :320], np.zeros(4), {}, r"square.* pass image_shape=\(height, width\)"),
        (_ROWS[0], np.zeros(4), {}, r"Got the shape \(784,\)"),
        (np.zeros((4, 28, 28, 3), np.uint8), np.zeros(4), {}, r"Got the shape \(4, 28, 28, 3\)"),
        (_ROWS / 255, np.zeros(4), {}, r"uint8.* Got float64.*data.round\(\).astype\('uint8'\)"),
        (_ROWS, np.zeros((4, 1)), {}, r"one dimension.* Pass target.ravel\(\)"),
        (_ROWS, np.eye(4), {}, r"one-hot.* pass target.argmax\(axis=1\)"),
        (_ROWS, np.zeros(4), {"n_official_train": 4}, "from 1 to 3 of 4"),
        (_ROWS, np.array(list("abcd")), {"class_names": ("a", "b")}, "Missing are c, d"),
    ],
)
def test_parts_that_do_not_fit_together(
    data: Any, target: Any, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ImageDataset(data, target, **more)


def test_a_list_is_no_array() -> None:
    with pytest.raises(TypeError, match=r"target must be a NumPy array\. Got a list instead"):
        ImageDataset(_ROWS, [0, 1, 2, 3])  # type: ignore[arg-type]


def test_load_idx_reads_a_pair_of_any_size(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx_header(2, 3, 5) + images.tobytes()))
    (tmp_path / "labels").write_bytes(idx_header(2) + bytes([7, 61]))
    dataset = load_idx(tmp_path / "images.gz", tmp_path / "labels")
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.target, [7, 61])
    assert dataset.name == "images.gz"
    assert dataset.n_official_train is None
    turned = load_idx(tmp_path / "images.gz", tmp_path / "labels", transposed=True)
    np.testing.assert_array_equal(turned.images, images.transpose(0, 2, 1))


def test_a_pair_that_does_not_belong_together(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx_header(2, 1, 1) + bytes(2))
    (tmp_path / "labels").write_bytes(idx_header(3) + bytes(3))
    with pytest.raises(DatasetFormatError, match="one label for each of 2 images, found 3"):
        load_idx(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(DatasetFormatError, match="3 dimensions"):
        load_idx(tmp_path / "labels", tmp_path / "images")
    (tmp_path / "images").write_bytes(idx_header(0, 28, 28))
    with pytest.raises(DatasetFormatError, match="no pixels"):
        load_idx(tmp_path / "images", tmp_path / "labels")


# -- tables of pixels ------------------------------------------------------------------------------

_HEADER = "label,pixel0,pixel1,pixel2,pixel3\n"
_IMAGES_OF_4 = [[0, 9, 10, 99], [100, 255, 0, 7]]


@pytest.mark.parametrize(
    ("table", "labels"),
    [
        (_HEADER + "7,0,9,10,99\n1,100,255,0,7\n", [7, 1]),  # as Kaggle has it
        ("7,0,9,10,99\n1,100,255,0,7", [7, 1]),  # the common mnist_train.csv
        ("p1,p2,p3,p4,class\r\n0,9,10,99,7\r\n100,255,0,7,1\r\n", [7, 1]),  # OpenML's
        ('\ufeff"Target","0","1","2","3"\n"a",0,9,10,99\n', ["a"]),
        ("0,1,2,3,label\n0,9,10,099,T-shirt/top\n100,255,0,7,Ü\n", ["T-shirt/top", "Ü"]),
        ("A,0,9,10,99\nB,100,255,0,7\n", ["A", "B"]),
        ("\ufeff7,0,9,10,99\n1,100,255,0,7\n", [7, 1]),  # Excel's
        ("7;0;9;10;99\n\n1;100;255;0;7\n\n", [7, 1]),  # Excel's, where commas are decimal
        (_HEADER.replace(",", "\t") + "7\t0\t9\t10\t99\n", [7]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_tables_of_pixels_in_every_layout(
    table: str, labels: list[Any], packed: bool, tmp_path: Path
) -> None:
    content = table.encode()
    path = tmp_path / "table.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    dataset = load_csv(path)
    assert dataset.target.tolist() == labels
    np.testing.assert_array_equal(dataset.data, _IMAGES_OF_4[: len(labels)])
    assert (dataset.image_shape, dataset.name) == ((2, 2), "table.csv")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "line 1 expected a header or an image, found nothing"),
        (_HEADER, "line 1 expected an image after it"),
        (_HEADER + "7,0,0,0,0\n1,0,0,256,0\n", "line 3 .* 0 .* to 255 .* column 4, found '256'"),
        (_HEADER + "7,0,0,0.5,0\n", "line 2 .* whole number .* column 4, found '0.5'"),
        (_HEADER + "7,0,-1,0,0\n", "column 3, found '-1'"),
        (_HEADER + "7,0,0,0,\n", "column 5, found ''"),
        (_HEADER + "7,0,0,0,\u0663\n", "column 5, found '\u0663'"),
        (_HEADER + f"7,0,0,0,{'9' * 5000}\n", "column 5, found '99999999999999999999'"),
        (_HEADER + "7,0,0,0,0\n1,0,0,0\n", "line 3 expected 4 pixels, found 3"),
        (_HEADER + "7,0,0,0\n1,0,0,0\n", "line 2 expected 4 pixels, found 3"),
        (_HEADER + "7,0,0,0,0\n  \n1,0,0,0,0\n", "line 3 expected a label"),
        (_HEADER + ",0,0,0,0\n", "line 2 expected a label of 1 to 100 characters"),
        (_HEADER + f"{'7' * 101},0,0,0,0\n", "line 2 expected a label of 1 to 100 characters"),
        ("7,0,0,-1,0\n1,0,0,0,0\n", "line 1 .* column 4, found '-1'"),  # and no header
        ("0,0,0,1,7\n0,0,0,0,8\n", "labels in the first column, found '0' there in every line"),
        (
            ",label,a,b,c,d\n0,7,0,0,0,0\n",
            "first or the last column only, found 'label' in column 2",
        ),
        ("pixel0,pixel1,pixel2,pixel3\n0,0,0,0\n", "It has none.*mnist-models predict.*np.loadtxt"),
        ("0,0,0,0\n", "It has none"),
        ("7;0,5;0;0;0\n1;0;0;0;0\n", "separated by commas"),
        ("7,0,0\n1,0,0\n", r"pass image_shape=\(height, width\)"),
        (b"\x89PNG\r\n", "line 1 expected text, .*the file is a PNG picture"),
        (gzip.compress(_HEADER.encode(), mtime=0)[:-3], "gzip's closing checksum"),
        (gzip.compress(b"0" * 2**26), "lines of at most 16777216 bytes"),
        (gzip.compress((b"7" + b",0" * 2**12 + b"\n") * 2**13), "for so few compressed bytes"),
    ],
)
def test_what_is_no_table_of_pixels_says_where(
    table: str | bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(ValueError, match=message) as error:
        load_csv(path)
    assert len(str(error.value)) < 500


def test_a_csv_file_in_the_place_of_an_idx_file_is_known(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_text(_HEADER)
    with pytest.raises(DatasetFormatError, match=r"CSV file\)\. Read it with load_csv"):
        load_idx(path, path)


# -- folders of pictures ---------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path, sample: ImageDataset) -> Path:
    """Two digits each in the folders 1, 10 and 2, one of them deeper down."""
    home = tmp_path / "pictures"
    for name, rows in {"1": [1, 11], "2": [2, 12], "10": [0, 10]}.items():
        (home / name / "deeper").mkdir(parents=True)
        for row, place in zip(rows, ("a.png", "deeper/b.PNG"), strict=True):
            Image.fromarray(sample.images[row]).save(home / name / place)
    return home


def test_a_folder_of_pictures_by_class(pictures: Path, sample: ImageDataset) -> None:
    for hidden in (".DS_Store", "1/.thumbs.png", ".git/x.png"):
        (pictures / hidden).parent.mkdir(exist_ok=True)
        (pictures / hidden).touch()
    dataset = load_folder(pictures)
    assert dataset.target.dtype == np.int64
    np.testing.assert_array_equal(dataset.target, [1, 1, 10, 10, 2, 2])
    # framed already, so they stay as they are
    np.testing.assert_array_equal(dataset.data, sample.data[[1, 11, 0, 10, 2, 12]])
    assert (dataset.name, dataset.image_shape) == ("pictures", (28, 28))


def test_other_pictures_are_framed_and_other_files_named(
    pictures: Path, sample: ImageDataset
) -> None:
    enlarged = np.kron(255 - sample.images[3], np.ones((5, 5), np.uint8))
    Image.fromarray(enlarged).save(pictures / "2" / "z.png")
    (pictures / "2").rename(pictures / "two")
    (pictures / "1" / "notes.txt").touch()
    (pictures / "lost.png").touch()
    with pytest.warns(UserWarning, match=r"left out: .*1/notes\.txt, .*lost\.png"):
        dataset = load_folder(pictures)
    assert dataset.target.tolist() == ["1", "1", "10", "10", "two", "two", "two"]
    assert np.corrcoef(dataset.data[6], sample.data[3])[0, 1] > 0.8


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "at least two classes, .*/7/scan12.jpg. Got no folder in it"),
        (["a.png"], "Got no folder in it"),
        (["7/a.png"], "Got only 7: name the folder above"),
        (
            ["7/a.png", "8/notes.txt", "9/"],
            "Got no picture in 8, 9: add some, or remove the folder",
        ),
        (["train/7/a.png", "test/7/a.png"], "Got test, train, which look like its parts"),
    ],
)
def test_a_folder_without_classes_says_what_is_missing(
    made: list[str], message: str, tmp_path: Path
) -> None:
    for name in made:
        path = tmp_path / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    with pytest.raises(DatasetFormatError, match=message):
        load_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_folder(tmp_path / "missing")


# -- folders, as the command line reads them -------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, sample: ImageDataset) -> Path:
    """40 training and 10 test images."""
    write_idx(tmp_path, "train", sample.images[:40], sample.target[:40])
    write_idx(tmp_path, "t10k", sample.images[40:50], sample.target[40:50])
    return tmp_path


_IMAGES, _LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (_IMAGES, None, "must hold both t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"),
        (_LABELS, None, f"It holds only .*{_IMAGES}: add the other, or remove it"),
        ("train-labels-idx1-ubyte.gz", None, "must hold .* or train-images-idx3-ubyte and train"),
        ("train-labels-idx1-ubyte", idx_header(40) + bytes(40), "They differ: remove the wrong"),
        (_IMAGES, idx_header(10, 2, 2) + bytes(40), r"images of \(28, 28\).* Got \(2, 2\)"),
        (_LABELS, idx_header(10) + bytes(range(5, 15)), "Got 10, 11, 12, 13, 14 besides: add"),
    ],
)
def test_a_folder_that_contradicts_itself_says_so(
    folder: Path, name: str, content: bytes | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_bytes(content)
    code, out, err = run_command(capsys, "evaluate", "logistic", "--data", folder)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(message, err)


def test_two_files_that_say_the_same_are_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for packed in folder.glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    model = folder / "model"
    assert main(["train", "logistic", "--data", str(folder), "--output", str(model)]) == 0
    assert f"logistic fitted on 50 images of {folder.name}" in capsys.readouterr().out
