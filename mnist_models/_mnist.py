"""MNIST and sets like it: four published files each, where they are looked for, and kept.

Every file is checked against its published SHA-256, wherever it comes from.
"""

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._files import atomic_writer, open_file, open_npy
from mnist_models._idx import idx_header, parse_idx
from mnist_models._validation import warn_user
from mnist_models.exceptions import DatasetFormatError, DatasetUnavailableError

FOLDER_VARIABLE = "MNIST_MODELS_DATA"
OFFLINE_VARIABLE = "MNIST_MODELS_OFFLINE"

# The longest wait for a connection or for a server's next bytes, and for a whole file.
_SILENCE_SECONDS = 15.0
_MOST_SECONDS = 300.0
_LONGEST_REASON = 400

Uint8Array = NDArray[np.uint8]


class PinnedFile(NamedTuple):
    """A published file: the SHA-256 of the ``.gz`` that mirrors serve, and of its content.

    Without the latter, only the ``.gz`` itself can be checked.
    """

    name: str
    shape: tuple[int, ...]
    gzip_sha256: str
    sha256: str | None = None


class PublishedSet(NamedTuple):
    """A set in four files, in the order of its images: training, then test.

    ``folder`` is where its files lie below the folder that has MNIST's, as their names are the
    same. The content is checked, so no mirror has to be trusted.
    """

    name: str
    folder: str
    mirrors: tuple[str, ...]
    files: tuple[PinnedFile, ...]
    class_names: tuple[str, ...] | None = None


def _pinned(gzip_sha256: Sequence[str], sha256: Sequence[str | None]) -> tuple[PinnedFile, ...]:
    """The four files that MNIST and all sets like it have."""
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    return tuple(map(PinnedFile, names, shapes, gzip_sha256, sha256))


SETS = {
    # The SHA-256 are those of the files that LeCun, Cortes and Burges published.
    "mnist": PublishedSet(
        "MNIST",
        "",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        _pinned(
            (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    ),
    # Of the .gz: tensorflow/datasets, url_checksums/fashion_mnist.txt. Of the content: computed
    # from Debian's package dataset-fashion-mnist, which has the same compressed data under other
    # gzip headers. tests/test_mnist.py checks both with it.
    "fashion-mnist": PublishedSet(
        "Fashion-MNIST",
        "fashion-mnist",
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # the authors'
        ),
        _pinned(
            (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    ),
    # Of the .gz: tensorflow/datasets, url_checksums/kmnist.txt. Nobody
    # publishes those of the content. Never checked here: no package has the files.
    "kmnist": PublishedSet(
        "KMNIST",
        "kmnist",
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        _pinned(
            (
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
            (None, None, None, None),
        ),
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
}


def load_published(
    published: PublishedSet, data_home: Path | None, download: bool
) -> tuple[Uint8Array, Uint8Array]:
    """All images, uint8 of shape (70000, 28, 28), and labels, uint8 of shape (70000,).

    Sources, parameters and errors are those of :func:`mnist_models.fetch_mnist`. An uncompressed
    copy is kept only where its content can be checked when it is opened.
    """
    cache = user_cache() / published.folder
    keep = all(pinned.sha256 for pinned in published.files)
    kept = _open_kept(published, cache) if keep else None
    if kept is not None:
        return kept
    parts = _read_files(published, data_home, cache, download)
    images, labels = np.concatenate(parts[0::2]), np.concatenate(parts[1::2])
    images.flags.writeable = labels.flags.writeable = False
    if not keep:
        return images, labels
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, array in zip(_kept_paths(published, cache), (images, labels), strict=True):
            with atomic_writer(path) as file:
                np.save(file, array, allow_pickle=False)
    except OSError:  # a read-only home only costs half a second per call
        return images, labels
    return _open_kept(published, cache) or (images, labels)


def user_cache() -> Path:
    """This library's folder in the user's cache; it may not exist yet."""
    import pooch

    return Path(pooch.os_cache("mnist_models"))


# -- the four files --------------------------------------------------------------------------------


def _read_files(
    published: PublishedSet, data_home: Path | None, cache: Path, download: bool
) -> list[Uint8Array]:
    """The content of the four files, from the first folder that has them all, or downloaded."""
    named = os.environ.get(FOLDER_VARIABLE)
    named_folder = Path(named).expanduser() / published.folder if named else None
    folders = [data_home, named_folder, cache]
    searched = [folder for folder in folders if folder]
    offline = bool(os.environ.get(OFFLINE_VARIABLE))
    for folder in searched:
        plain = [folder / pinned.name for pinned in published.files]
        paths = [path if path.is_file() else path.with_name(f"{path.name}.gz") for path in plain]
        if all(path.is_file() for path in paths):
            try:
                files = zip(paths, published.files, strict=True)
                return [_read_file(published, *file) for file in files]
            except DatasetFormatError:
                if folder != cache or offline or not download:
                    raise  # in the cache alone, a damaged file is downloaded again
    if not download:
        tried = "not tried (download_if_missing=False)"
    elif offline:
        tried = f"not tried ({OFFLINE_VARIABLE} is set)"
    else:
        try:
            folder = data_home or cache
            return [
                _read_file(published, _download(published, pinned, folder), pinned)
                for pinned in published.files
            ]
        except DatasetUnavailableError as error:
            tried = str(error)
    places = ", ".join(str(folder) for folder in searched)
    names = ", ".join(f"{pinned.name}.gz" for pinned in published.files)
    folder_of_it = f"{published.folder} in the folder" if published.folder else "the folder"
    raise DatasetUnavailableError(
        f"{published.name} was expected in one of these folders and found in none: {places}. "
        f"Downloading it: {tried}. Connect to the internet and call again, or put the four files "
        f"({names}) into a folder and pass it as data_home, or into {folder_of_it} that the "
        f"environment variable {FOLDER_VARIABLE} names. load_sample_digits() needs no files."
    )


def _read_file(published: PublishedSet, path: Path, pinned: PinnedFile) -> Uint8Array:
    with open_file(path) as file:
        if pinned.sha256 is None:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != pinned.gzip_sha256:
                expected = f"the published .gz file with the SHA-256 {pinned.gzip_sha256}"
                raise _not_published(published, pinned, path, expected, found)
        part = parse_idx(file, str(path), ndim=len(pinned.shape))  # from the beginning
    if pinned.sha256 is not None:
        _check_content(published, part, pinned, path)
    return part


def _check_content(
    published: PublishedSet, part: Uint8Array, pinned: PinnedFile, path: Path
) -> None:
    """Raise DatasetFormatError unless ``part``, which was read from ``path``, is as published."""
    if part.shape != pinned.shape or part.dtype != np.uint8:
        expected, found = f"uint8 of shape {pinned.shape}", f"{part.dtype.name} of {part.shape}"
    else:
        content = hashlib.sha256(idx_header(part.shape))
        content.update(np.ascontiguousarray(part).data)
        expected, found = f"content with the SHA-256 {pinned.sha256}", content.hexdigest()
        if found == pinned.sha256:
            return
    raise _not_published(published, pinned, path, expected, found)


def _not_published(
    published: PublishedSet, pinned: PinnedFile, path: Path, expected: str, found: str
) -> DatasetFormatError:
    return DatasetFormatError(
        f"{path} is not {published.name}'s {pinned.name}: expected {expected}, found {found}. "
        "Delete it and fetch it again, or name another folder; for other data use load_idx."
    )


# -- downloads -------------------------------------------------------------------------------------


def _download(published: PublishedSet, pinned: PinnedFile, folder: Path) -> Path:
    """Download one file, unless it is there already, from the first mirror that has it.

    It comes whole and with the right SHA-256, or DatasetUnavailableError lists what was wrong with
    each mirror.
    """
    import pooch

    reasons = []
    for mirror in published.mirrors:
        name = f"{pinned.name}.gz"
        url = mirror + name
        limited = pooch.HTTPDownloader(timeout=_SILENCE_SECONDS, progressbar=_TimeLimit())
        try:
            with _quiet(pooch.get_logger()):
                sha256 = pinned.gzip_sha256
                return Path(pooch.retrieve(url, sha256, name, folder, downloader=limited))
        except (OSError, ValueError) as error:  # pooch's own and those of requests, which it uses
            reason = str(error)[:_LONGEST_REASON]
            reasons.append(f"{url}: {reason!r}")  # quoted: a server may send control characters
    raise DatasetUnavailableError("; ".join(reasons))


class _TimeLimit:
    """Ends a slow download: pooch takes it for a progress bar, which it updates at every block."""

    total = 0

    def __init__(self) -> None:
        self._end = time.monotonic() + _MOST_SECONDS

    def update(self, n_bytes: int) -> None:
        if time.monotonic() > self._end:
            raise TimeoutError(f"expected the file within {_MOST_SECONDS:g} s: too slow")

    def reset(self) -> None:
        """There is no bar to draw."""

    close = reset


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Let a logger say nothing below a warning."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


# -- the cached copy -------------------------------------------------------------------------------


def _kept_paths(published: PublishedSet, cache: Path) -> tuple[Path, Path]:
    name = published.name.lower()
    return cache / f"{name}-images.npy", cache / f"{name}-labels.npy"


def _open_kept(published: PublishedSet, cache: Path) -> tuple[Uint8Array, Uint8Array] | None:
    """The cached images and labels as read-only memory maps, or None if there is no good copy."""
    paths = _kept_paths(published, cache)
    if not all(path.is_file() for path in paths):
        return None
    n_train = published.files[0].shape[0]
    try:
        images, labels = (np.atleast_1d(open_npy(path)) for path in paths)
        parts = images[:n_train], labels[:n_train], images[n_train:], labels[n_train:]
        for part, pinned, path in zip(parts, published.files, paths * 2, strict=True):
            _check_content(published, part, pinned, path)
    except (ValueError, OSError) as error:
        warn_user(
            RuntimeWarning(
                f"The copy of {published.name} kept in {cache} is damaged and will be made again: "
                f"{error}"
            )
        )
        return None
    return images, labels
