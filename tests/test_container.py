"""The container gives back what was packed; any other file is an error that tells what is wrong."""

import hashlib
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from mnist_models._container import _fingerprint, pack, unpack

_TYPES = ["?", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"]
_PIXELS = np.arange(6, dtype="<u2").reshape(2, 3)
_LABEL = np.array([7], dtype="<i8")
_ARRAYS = {"label": _LABEL, "pixels": _PIXELS}


@pytest.mark.parametrize("dtype", [*_TYPES, ">i4", ">f8"])
@pytest.mark.parametrize("shape", [(), (4,), (2, 0, 3), (2, 3), (1,) * 64])
def test_arrays_come_back(dtype: str, shape: tuple[int, ...]) -> None:
    packed = np.resize(np.array([0, 1]), shape).astype(dtype)
    description, arrays = unpack(io.BytesIO(pack(["any", {"thing": None}], {"x": packed})))
    assert description == ["any", {"thing": None}]
    assert arrays["x"].dtype == packed.dtype.newbyteorder("<")
    assert arrays["x"].shape == packed.shape
    np.testing.assert_array_equal(arrays["x"], packed)
    assert not arrays["x"].flags.writeable


def test_many_arrays_come_back_wherever_the_file_stood() -> None:
    packed = {f"{i}/x": np.arange(i * 7 % 50) for i in range(300)}
    file = io.BytesIO(pack({}, packed))
    file.seek(5)
    _, arrays = unpack(file)
    assert arrays.keys() == packed.keys()
    for name, array in packed.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_what_lies_in_another_order_in_memory_comes_back() -> None:
    _, arrays = unpack(io.BytesIO(pack({}, {"x": _PIXELS.T})))
    np.testing.assert_array_equal(arrays["x"], _PIXELS.T)


def test_it_is_a_file_of_safetensors() -> None:
    arrays = safetensors.numpy.load(pack("", _ARRAYS))
    for name, array in _ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_the_sum_is_that_of_the_format() -> None:
    """Of what files of other versions have, too: it must never change."""
    content = b'{"digit": 4}' + b"label <i8 (1,)" + _LABEL.tobytes()
    content += b"pixels <u2 (2, 3)" + _PIXELS.tobytes()
    backwards = dict(reversed(_ARRAYS.items()))
    assert _fingerprint('{"digit": 4}', backwards) == hashlib.sha256(content).hexdigest()


# -- headers that were written by hand -------------------------------------------------------------


def _label(**changes: Any) -> Any:
    return {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]} | changes


def _pixels(**changes: Any) -> Any:
    return {"dtype": "U16", "shape": [2, 3], "data_offsets": [8, 20]} | changes


_CONTENT = _LABEL.tobytes() + _PIXELS.tobytes()


def _sealed(label: Any = None, pixels: Any = None, text: str = "{}", **metadata: Any) -> Any:
    """A header whose sum is right, as of the two arrays."""
    told = {"mnist_models": text, "sha256": _fingerprint(text, _ARRAYS)} | metadata
    return {"label": label or _label(), "pixels": pixels or _pixels(), "__metadata__": told}


def _file(header: Any, content: bytes = _CONTENT) -> io.BytesIO:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return io.BytesIO(struct.pack("<Q", len(text)) + text + content)


def test_a_header_written_by_hand_is_read() -> None:
    description, arrays = unpack(_file(_sealed(text='{"digit": 4}')))
    assert description == {"digit": 4}
    for name, array in _ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


_LABEL_PLACE = "expected array 'label' to have type, shape and place"
_LABEL_FILLS = "expected array 'label' to fill its place"
_FORGED = {
    "a list": ([], "expected a safetensors header, found a list"),
    "no JSON": (b'{"a', "expected a safetensors header in JSON, found"),
    "no text": (b"\xff\xff", "expected a safetensors header in JSON, found"),
    "deep": (b"[" * 100_000, "expected a safetensors header in JSON, found"),
    "nothing": (b"", "expected a safetensors header in JSON, found"),
    "a duplicate key": (b'{"a": 1, "a": 1}', "found a duplicate key among ['a']"),
    "no metadata": ({"label": _label()}, "expected a description of mnist_models, found none"),
    "a list of metadata": (
        _sealed() | {"__metadata__": ["mnist_models", "sha256"]},
        "expected a description of mnist_models, found none",
    ),
    "more metadata": (_sealed(more=""), "expected a description of mnist_models, found none"),
    "less metadata": (
        _sealed() | {"__metadata__": {"mnist_models": "{}"}},
        "expected a description of mnist_models, found none",
    ),
    "a sum that is a number": (_sealed(sha256=7), "of mnist_models, found something else"),
    "a description in place": (_sealed(mnist_models={}), "of mnist_models, found something else"),
    "another sum": (_sealed(sha256="0" * 64), "found other content: damaged"),
    "a sum above": (_sealed(sha256="f" * 64), "found other content: damaged"),
    "a description that is none": (_sealed(text="{"), "expected a description in JSON, found"),
    "an array that is a number": (_sealed(7), _LABEL_PLACE),
    "no type": (_sealed({"shape": [1], "data_offsets": [0, 8]}), _LABEL_PLACE),
    "another type": (_sealed(_label(dtype="O64")), _LABEL_PLACE),
    "a list for a type": (_sealed(_label(dtype=["I64"])), _LABEL_PLACE),
    "three offsets": (_sealed(_label(data_offsets=[0, 8, 8])), _LABEL_PLACE),
    "one side": (_sealed(_label(shape=1)), _LABEL_PLACE),
    "negative sides": (_sealed(_label(shape=[-1, -1])), _LABEL_FILLS),
    "a side in words": (_sealed(_label(shape=["a"])), _LABEL_FILLS),
    "a side that is true": (_sealed(_label(shape=[True])), _LABEL_FILLS),
    "sides of halves": (_sealed(_label(shape=[0.5, 2])), _LABEL_FILLS),
    "words times a number": (_sealed(_label(shape=["a", 10**15])), _LABEL_FILLS),
    "places in words": (_sealed(_label(data_offsets=["0", "8"])), _LABEL_FILLS),
    "a place that is false": (_sealed(_label(data_offsets=[False, 8])), _LABEL_FILLS),
    "two values in the place of one": (_sealed(_label(shape=[2])), _LABEL_FILLS),
    "no value in the place of one": (_sealed(_label(shape=[0])), _LABEL_FILLS),
    "a wider type": (_sealed(pixels=_pixels(dtype="U32")), "expected array 'pixels' to fill"),
    "a place before the first": (_sealed(_label(data_offsets=[-8, 0])), _LABEL_FILLS),
    "a place that runs back": (_sealed(_label(data_offsets=[8, 0])), _LABEL_FILLS),
    "a gap": (
        _sealed(_label(data_offsets=[1, 9])),
        "expected array 'label' at byte 0, found it at 1",
    ),
    "one place for two": (
        _sealed(pixels=_pixels(data_offsets=[0, 12])),
        "expected array 'pixels' at byte 8, found it at 0",
    ),
    "an array missing": (
        {name: told for name, told in _sealed().items() if name != "pixels"},
        "expected 8 bytes of arrays, found 20: the file was cut, or written to",
    ),
    "more than 64 axes": (
        _sealed(_label(shape=[1] * 65)),
        "expected array 'label' to be one of NumPy's: maximum supported dimension",
    ),
    "an endless side beside one of 0": (
        _sealed() | {"none": {"dtype": "F64", "shape": [0, 2**63], "data_offsets": [20, 20]}},
        "expected array 'none' to be one of NumPy's: Maximum allowed dimension exceeded",
    ),
}


@pytest.mark.parametrize(("header", "told"), _FORGED.values(), ids=_FORGED.keys())
def test_a_forged_header_is_refused(header: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        unpack(_file(header))


@pytest.mark.parametrize(("dtype", "name"), [(np.bool_, "BOOL"), (np.uint8, "U8")])
def test_truth_values_are_0_or_1(dtype: Any, name: str) -> None:
    """NumPy would take another byte for true here, and for a number there."""
    array = np.array([0, 1, 2], dtype=np.uint8)
    told = {"mnist_models": "{}", "sha256": _fingerprint("{}", {"x": array.view(dtype)})}
    extent = {"dtype": name, "shape": [3], "data_offsets": [0, 3]}
    file = _file({"x": extent, "__metadata__": told}, array.tobytes())
    if name == "U8":
        np.testing.assert_array_equal(unpack(file)[1]["x"], array)
    else:
        with pytest.raises(ValueError, match="expected truth values in array 'x'"):
            unpack(file)


@pytest.mark.parametrize("n_bytes", range(len(_CONTENT)))
def test_a_file_that_was_cut_is_refused(n_bytes: int) -> None:
    told = rf"expected 20 bytes of arrays, found {n_bytes}: the file was cut"
    with pytest.raises(ValueError, match=told):
        unpack(_file(_sealed(), _CONTENT[:n_bytes]))


@pytest.mark.parametrize("n_bytes", range(8))
def test_less_than_a_length_is_refused(n_bytes: int) -> None:
    with pytest.raises(ValueError, match="expected a safetensors header, found something else"):
        unpack(io.BytesIO(bytes(n_bytes)))


def test_a_header_must_fit_into_the_file() -> None:
    content = _file(_sealed(), b"").getvalue()
    for end, told in [(len(content), "expected 20 bytes"), (len(content) - 1, "something else")]:
        with pytest.raises(ValueError, match=told):
            unpack(io.BytesIO(content[:end]))


def test_a_header_of_16_mb_is_the_longest() -> None:
    text = json.dumps(_sealed()).encode()
    unpack(_file(text.ljust(2**24)))
    with pytest.raises(ValueError, match="expected a safetensors header, found something else"):
        unpack(_file(text.ljust(2**24 + 1)))


def test_a_file_of_8_gb_is_the_longest(tmp_path: Path) -> None:
    """Such files take no room: all behind the header is a hole."""
    path = tmp_path / "model"
    for size, told in [
        (2**33, f"expected 20 bytes of arrays, found {2**33 - 8 - 500}"),
        (2**33 + 1, f"expected at most {2**33} bytes, found {2**33 + 1}"),
    ]:
        path.write_bytes(_file(json.dumps(_sealed()).encode().ljust(500)).getvalue())
        with path.open("r+b") as file:
            file.truncate(size)
            with pytest.raises(ValueError, match=told):
                unpack(file)


def test_the_sum_is_over_everything() -> None:
    sums = [
        _fingerprint("{}", {"x": _PIXELS}),
        _fingerprint("{} ", {"x": _PIXELS}),
        _fingerprint("{}", {"y": _PIXELS}),
        _fingerprint("{}", {"x": _PIXELS.view("<i2")}),
        _fingerprint("{}", {"x": _PIXELS.reshape(3, 2)}),
        _fingerprint("{}", {"x": _PIXELS ^ 1}),
    ]
    assert len(set(sums)) == len(sums)
