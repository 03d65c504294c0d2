"""Model files that somebody forged: well-formed, the checksum right, the content theirs.

Every forgery is refused, in words that say why, and costs little. None of them imports, opens or
writes anything.
"""

import json
import os
import pickle
import random
import re
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mnist_models import load_model
from mnist_models._model_files import decisive_versions
from mnist_models.exceptions import ModelFormatError

from .forging import newest, read_file, write_file

Change = Callable[[Any, Any], Any]
# a file to change, how, and what the error says
Forgery = tuple[str, Change, str]

FOREST, SCORES, LOGISTIC, DENSE, CONV = (
    "forest-report",
    "forest-accurate",
    "logistic-accurate",
    "network-report",
    "network-accurate",
)


_NOTHING = object()


def _set(way: str, value: Any) -> Change:
    """Another value, or none, at a place such as ``@classify/params/C``; @ is for a step's name."""

    def change(description: Any, _: Any) -> None:
        place = description["settings"]
        *keys, last = way.split("/")
        for key in keys:
            steps = {f"@{step['name']}": step["settings"] for step in place.get("steps", ())}
            place = steps[key] if key in steps else place[key]
        if value is _NOTHING:
            del place[last]
        else:
            place[last] = value

    return change


def _top(**changes: Any) -> Change:
    return lambda description, _: description.update(changes)


def _steps(change: Callable[[list[Any]], Any]) -> Change:
    """Change the list of the steps within ``preprocess``."""
    return lambda description, _: change(description["settings"]["steps"][0]["settings"]["steps"])


def _array(name: str, make: Callable[[Any], Any]) -> Change:
    def change(_: Any, arrays: Any) -> None:
        arrays[name] = np.ascontiguousarray(make(arrays[name]))

    return change


def _item(name: str, index: Any, value: Any) -> Change:
    def change(_: Any, arrays: Any) -> None:
        arrays[name] = arrays[name].copy()
        if not np.can_cast(np.min_scalar_type(value), arrays[name].dtype):  # trees' are narrow
            arrays[name] = arrays[name].astype(np.int64 if isinstance(value, int) else np.float64)
        arrays[name][index] = value

    return change


def _all(*changes: Change) -> Change:
    def change(description: Any, arrays: Any) -> None:
        for one in changes:
            one(description, arrays)

    return change


def _tiny_layers(number: int) -> Change:
    """A chain of layers of one unit each, with all its weights."""
    network = "@classify/network/hidden_units"

    def change(description: Any, arrays: Any) -> None:
        _all(_set(network, [1] * number), _set("@classify/params/hidden_units", [1] * number))(
            description, arrays
        )
        sizes = [784, *[1] * number, 10]
        for i in range(number + 1):
            arrays[f"1/weight{2 * i}"] = np.ones(sizes[i : i + 2], np.float32)
            arrays[f"1/weight{2 * i + 1}"] = np.ones(sizes[i + 1], np.float32)
        matrices = [f"weight{2 * i}" for i in range(number + 1)]
        _set("@classify/layouts", dict.fromkeys(matrices, [False] * 3))(description, arrays)

    return change


def _nested(depth: int) -> Change:
    """The pipeline within so many others, as text: json cannot write what is so deep."""

    def change(description: Any, _: Any) -> str:
        inner = json.dumps(description["settings"])
        head = json.dumps(description | {"settings": None}).removesuffix("null}")
        before = '{"steps": [{"name": "a", "kind": "pipeline", "settings": '
        return head + before * depth + inner + "}]}" * depth + "}"

    return change


_PARAMS = "@classify/params/"
_PCA, _HOG = "@preprocess/@pca/", "@preprocess/@hog/"
_PRODUCTS = "@preprocess/@products/"
_NETWORK, _HISTORY = "@classify/network/", "@classify/history/"
_LABELS, _LABEL_TYPE = "@classify/classes", "@classify/classes_dtype"
_ONE_LONG = [*map(str, range(1000, 1499)), "z" * 4_000_000]
_TEN_WORDS = [f"word{i}" for i in range(10)]

_HOSTILE_VERSIONS = decisive_versions() | {"keras": "\x1b[2J"}

FORGERIES: dict[str, list[Forgery]] = {
    "a type that the file names": [
        (FOREST, _set(_LABEL_TYPE, "V999999999"), "labels of type"),
        (FOREST, _set(_LABEL_TYPE, ",".join(["i4"] * 100_000)), "labels of type"),
        (FOREST, _set(_LABEL_TYPE, "(" * 3000 + "i4"), "labels of type"),
        (FOREST, _set(_LABEL_TYPE, [["a", "os.system"]]), "labels of type"),
        (FOREST, _set(_LABEL_TYPE, "<f1"), "f1"),
        (FOREST, _set(_LABEL_TYPE, "<M8[s]"), "labels of type"),
        (LOGISTIC, _set(_HOG + "params/dtype", "object"), "object"),
    ],
    "labels that no fit has": [
        (FOREST, _set(_LABELS, list(range(9, -1, -1))), "ascending"),
        (FOREST, _set(_LABELS, [0, 1, 2, 3, 4, 4, 6, 7, 8, 9]), "ascending"),
        (FOREST, _all(_set(_LABELS, [float("nan")] * 10), _set(_LABEL_TYPE, "<f8")), "type '<f8'"),
        (FOREST, _set(_LABELS, [0]), "fewer than two"),
        (FOREST, _set(_LABELS, "0123456789"), "a list"),
        (FOREST, _set(_LABELS, list(range(11))), "array 'values'"),
        (FOREST, _set(_LABELS, [0, "a", {}]), "labels of type"),
        (FOREST, _all(_set(_LABELS, [*range(9), 300]), _set(_LABEL_TYPE, "|i1")), "300"),
        (FOREST, _set(_LABEL_TYPE, "|b1"), "classes"),
        (FOREST, _all(_set(_LABELS, _TEN_WORDS), _set(_LABEL_TYPE, "<U4")), "classes"),
        (FOREST, _set(_LABEL_TYPE, "<f8"), "classes"),
    ],
    "labels padded to the longest": [
        (LOGISTIC, _all(_set(_LABELS, _ONE_LONG), _set(_LABEL_TYPE, "<U4000000")), "2000000000"),
        (FOREST, _all(_set(_LABELS, _TEN_WORDS), _set(_LABEL_TYPE, "<U9999999")), "characters"),
    ],
    "a number of something that is not there": [
        (FOREST, _set(_PARAMS + "n_estimators", 10**9), "array 'node_count'"),
        (FOREST, _item("1/node_count", 0, 2**63 - 1), "array 'values'"),
        (FOREST, _item("1/node_count", 0, -1), "a tree without nodes"),
        (FOREST, _set("@classify/n_features", 2**24 + 1), "16777217"),
        (FOREST, _set("@classify/n_features", 10**4000), "."),
        (FOREST, _set("@classify/n_features", True), "n_features.*True"),
        (FOREST, _array("1/values", lambda a: np.zeros((10**13, 0))), "array 'values'"),
        (LOGISTIC, _set(_PARAMS + "max_iter", 1), "n_iter"),
        (LOGISTIC, _item("1/n_iter", 0, -1), "n_iter"),
        (LOGISTIC, _set(_PCA + "n_components", 9), "n_components=8"),
        (LOGISTIC, _set(_PCA + "params/n_components", 9), "8 components"),
        (LOGISTIC, _set(_PCA + "n_samples", 3), "n_components.*8"),
        (DENSE, _set("@classify/best_epoch", 2), "best_epoch.*2"),
        (DENSE, _set("@classify/best_epoch", False), "best_epoch.*False"),
        (DENSE, _set(_HISTORY + "loss", [0.5]), "each of 1 epochs"),
        (DENSE, _set(_HISTORY + "loss", []), "epochs|best_epoch"),
        (DENSE, _set("@classify/history", {}), "missing 'loss'"),
    ],
    "numbers that no fit makes": [
        (LOGISTIC, _array("1/coef", lambda a: a * np.nan), "not finite"),
        (LOGISTIC, _array("1/coef", lambda a: a.astype(np.float16)), "array 'coef' of float16"),
        (LOGISTIC, _array("0/4/scale", lambda a: a * 0), "scale of 0"),
        (SCORES, _array("0/3/step", lambda a: a * 0), "step of 0"),
        (SCORES, _array("0/3/coef", lambda a: a[:, 1:]), "array 'coef'"),
        (SCORES, _array("0/3/low", lambda a: a[1:]), "array 'coef'"),
        (SCORES, _array("0/3/mean", lambda a: a * np.nan), "not finite"),
        (SCORES, _set("@preprocess/@scores/params/explained", 1), "explained"),
        (SCORES, _set("@preprocess/@scores/params/penalty", -1), "penalty"),
        (LOGISTIC, _array("0/2/explained_variance", lambda a: -a), "negative variance"),
        (LOGISTIC, _array("0/2/components", lambda a: a.astype(np.float64)), "array 'mean'"),
        (LOGISTIC, _array("0/2/mean", lambda a: a[1:]), "array 'mean'"),
        (LOGISTIC, _array("0/2/noise_variance", lambda a: np.append(a, a)), "noise_variance"),
        (FOREST, _item("1/values", (0, 0), 1.5), "shares"),
        (FOREST, _item("1/values", (0, 0), 7), "shares"),
        (FOREST, _item("1/values", (0, 0), -0.5), "shares"),
        (FOREST, _array("1/values", lambda a: a / 2), "shares"),
        (FOREST, _item("1/node.missing_go_to_left", 0, 7), "flags"),
        (FOREST, _item("1/node.weighted_n_node_samples", 0, -1), "weights"),
        (CONV, _array("1/weight1", lambda a: -a - 1), "negative variance"),
    ],
    "trees that are none": [
        (FOREST, _item("1/node.left_child", 0, 10**6), "tree 0 with nodes"),
        (FOREST, _item("1/node.left_child", 0, 0), "tree 0 with nodes"),
        (FOREST, _item("1/node.left_child", 0, 2), "tree 0 with nodes shared"),
        (FOREST, _item("1/node.feature", 0, 784), "tree 0 node 0"),
        (FOREST, _item("1/node.feature", 0, -3), "tree 0 node 0"),
        (FOREST, _item("1/node.threshold", 0, np.nan), "thresholds of NaN"),
        (FOREST, _item("1/node.n_node_samples", 0, 10**6), "rows lost or made up"),
        (FOREST, _array("1/values", lambda a: a[:, :9].copy()), "array 'values'"),
    ],
    "something more": [
        (FOREST, _top(more=1), "'more'"),
        (FOREST, _set(_PARAMS + "n_jobs", 8), "'n_jobs'"),
        (FOREST, _set(_PARAMS + "class_weight", {"pairs": [], "more": 1}), "params"),
        (FOREST, _set("@classify/layouts", {"values": [False] * 3, "more": []}), "'more'"),
        (FOREST, lambda d, a: d["settings"]["steps"][0].update(more=1), "'more'"),
        (FOREST, lambda d, a: d["versions"].update(more="1"), "'more'"),
        (FOREST, lambda d, a: a.update({"1/more": np.ones(3)}), "'more'"),
        (FOREST, lambda d, a: a.update({"7/values": np.ones(3)}), "arrays of steps"),
        (FOREST, lambda d, a: json.dumps(d)[:-1] + ', "kind": "forest"}', "twice"),
        (DENSE, _set(_HISTORY + "more", [0.5, 0.5]), "'more'"),
        (CONV, _set("@preprocess/params/kw_args", {"pairs": [["a", 1]]}), "arguments"),
    ],
    "other descriptions": [
        (FOREST, lambda d, a: json.dumps([d]), "found none"),
        (FOREST, lambda d, a: '{"a":' + "[" * 100_000, "."),
        (FOREST, lambda d, a: '{"format": ' + "9" * 5000 + "}", "."),
        (FOREST, _top(format=True), "found none"),
        (FOREST, _top(format=4), "expected format 3, found 4: load it with mnist_models '"),
        (FOREST, _top(format=4, versions=7), "load it with mnist_models None"),
        (FOREST, _top(versions="all"), "versions 'all'"),
        (FOREST, lambda d, a: d["versions"].update(keras="3" * 51), "versions"),
        (FOREST, _top(kind="os.system"), "'os.system'"),
        (FOREST, _top(settings=None), "."),
        (FOREST, _set("steps", []), "without steps"),
        (FOREST, _set("steps", [None]), "NoneType"),
        (FOREST, _set("@classify/params", {"__class__": "os.system"}), "__class__"),
        (FOREST, _set(_PARAMS + "class_weight", {"pairs": [[[], 1]]}), "."),
        (FOREST, _set("@classify/feature_names", ["a", "b"]), "feature names"),
        (FOREST, _set("@classify/feature_names", [[]] * 784), "feature names"),
        (FOREST, _set("@classify/output", "os.system"), "os.system"),
        (FOREST, _set("@classify/output", "pandas"), "."),
        (FOREST, _set("@classify/layouts", {"values": [0, 0, 2]}), "layout"),
        (FOREST, lambda d, a: d["settings"].update(steps=d["settings"]["steps"][::-1]), "layouts"),
        (FOREST, lambda d, a: d["settings"]["steps"].pop(), "arrays of steps"),
        (FOREST, lambda d, a: a.pop("1/values"), "layouts"),
        (FOREST, _set("@classify/params", _NOTHING), "missing 'params'"),
        (LOGISTIC, _set("@classify/classes", _NOTHING), "missing 'classes'"),
        (LOGISTIC, _steps(lambda s: s.insert(0, s.pop(1))), "a step for 784"),
        (LOGISTIC, _steps(lambda s: s[1].update(name="deskew")), "deskew"),
        (LOGISTIC, _steps(lambda s: s[1].update(name=7)), "int"),
    ],
    "transformers that would take much": [
        (LOGISTIC, _set("@preprocess/@deskew/params/image_shape", [10, 10]), "100|784"),
        (LOGISTIC, _set(_HOG + "params/image_shape", "28x28"), "28x28"),
        (LOGISTIC, _set(_HOG + "params/orientations", 2**58 + 8), "features"),
        (LOGISTIC, _set(_HOG + "params/orientations", 10**4000), "."),
        (LOGISTIC, _set(_HOG + "params/cell_size", 29), "hold a block"),
        (LOGISTIC, _set(_HOG + "params/epsilon", float("nan")), "epsilon"),
        (LOGISTIC, _set(_HOG + "params/orientations", 9), "441 features"),
        (LOGISTIC, _set(_PRODUCTS + "params/degree", 50), "products.*191679731."),
        (LOGISTIC, _set(_PRODUCTS + "params/degree", [2, 10**9]), "1000000000"),
        (LOGISTIC, _set(_PRODUCTS + "params/degree", []), "index"),
        (LOGISTIC, _set(_PRODUCTS + "n_features", 2**24), "products"),
    ],
    "chains and nests": [
        (LOGISTIC, _nested(7), "nested at most 8"),
        (LOGISTIC, _nested(10_000), "."),
        (LOGISTIC, _steps(lambda s: s.extend(s[:1] * 2_000)), "steps.*2007"),
        (DENSE, _tiny_layers(400), "hidden layers.*400"),
        (DENSE, _tiny_layers(600), "at most 1000 arrays"),
    ],
    "networks that are none of ours": [
        (DENSE, _set(_NETWORK + "hidden_units", [2**24]), "array 'weight0'"),
        (DENSE, _set(_NETWORK + "hidden_units", {}), "."),
        (DENSE, _set(_NETWORK + "kind", "Lambda"), "'Lambda'"),
        (DENSE, _set(_PARAMS + "build_fn", "os.system"), "build_fn"),
        (DENSE, _set(_PARAMS + "epochs", 0.5), "epochs"),
        (CONV, _set(_NETWORK + "height", 2**9), "height.*512"),
        (CONV, _all(_set(_NETWORK + "height", 4), _set(_NETWORK + "width", 196)), "from 5"),
        (CONV, _set(_NETWORK + "height", 14), "784 pixels"),
        (CONV, _set(_NETWORK + "dropout", 1.0), "dropout in"),
        (CONV, _set(_NETWORK + "l2", float("nan")), "l2 of at least 0"),
        (CONV, _set(_NETWORK + "kind", "dense"), "missing 'hidden_units'"),
    ],
    "words that would harm a terminal": [
        (FOREST, _top(kind="\x1b[2J\u202e" * 400_000), "kind"),
        (FOREST, _top(format=4, versions={"mnist_models": "\x1b[2J" * 10**6}), "load it with"),
        (FOREST, _set(_PARAMS + "criterion", "\x9b2J" * 10**6), "criterion"),
        (FOREST, _set("@classify/feature_names", ["\r\n"] * 783), "feature names"),
        (FOREST, lambda d, a: a.update({"1/\x1b[2J": np.ones(3)}), "."),
        (FOREST, _all(_set("steps", []), _top(versions=_HOSTILE_VERSIONS)), "keras .x1b"),
    ],
}


def _forge(path: Path, forgery: Forgery) -> None:
    name, change, _ = forgery
    description, arrays = read_file(newest(name))
    text = change(description, arrays)
    write_file(path, text if isinstance(text, str) else description, arrays)


# The list that the audit hook, which cannot be removed, adds to while a file is loaded.
_watched: list[Any] = []
_EVENTS = {"open", "import", "exec", "socket", "subprocess", "os", "ctypes"}


def _watch(event: str, arguments: Any) -> None:
    reads = event == "os.listdir" or (event == "open" and arguments[1] in ("r", "rb"))
    if _watched and event.split(".")[0] in _EVENTS and not reads:
        _watched[0].append((event, arguments))


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """TensorFlow is loaded before anybody looks at the clock, and all else before the hook."""
    for name in (FOREST, LOGISTIC, DENSE):
        load_model(newest(name))
    sys.addaudithook(_watch)


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_file_is_refused_in_one_short_line(kind: str, tmp_path: Path) -> None:
    for forgery in FORGERIES[kind]:
        _forge(tmp_path / "forged", forgery)
        _assert_refused(tmp_path / "forged", forgery[2])


def _assert_refused(path: Path, told: str) -> None:
    """And at little cost, most of it for the text that the file holds; and nothing is touched."""
    touched: list[Any] = []
    tracemalloc.start()
    begin = time.process_time()
    _watched[:] = [touched]
    with pytest.raises(ModelFormatError) as error:
        load_model(path)
    _watched.clear()
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert touched == []
    message = str(error.value)
    assert re.search(f"forged is not a model that.*(?:{told})", message), message
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 1500
    assert seconds < 2, (told, seconds)
    assert peak < 150 * 2**20, (told, peak)


def _entry(dtype: str = "F64", shape: Any = (1,), offsets: Any = (0, 8)) -> Any:
    return {"coef": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


_HEADERS: list[tuple[Any, str]] = [
    (_entry(shape=[2**63] * 50_000), "whole arrays"),
    (_entry(shape=[0] + [2**62] * 50_000, offsets=(0, 0)), "."),
    (_entry(shape=[1] * 400_000), "."),
    (_entry(shape=[2**64 - 1, 0], offsets=(0, 0)), "."),
    (_entry(shape=[10**13]), "whole arrays"),
    (_entry(shape=[-1]), "whole arrays"),
    (_entry(offsets=(0, 2**63)), "whole arrays"),
    (_entry(offsets=(8, 16)), "whole arrays"),
    (_entry(dtype="BF16", shape=[4]), "arrays of numbers|whole arrays"),
    (_entry(dtype="F8_E4M3", shape=[8]), "arrays of numbers|whole arrays"),
    (_entry(dtype="|O"), "whole arrays"),
    (_entry() | {"more": _entry()["coef"]}, "whole arrays"),
    (_entry() | {"__metadata__": {"a": [1]}}, "whole arrays"),
    (_entry() | {"__metadata__": {"format": "np"}}, "found none"),
    (_entry() | {"__metadata__": None}, "found none"),
    (_entry() | {"__metadata__": {"mnist_models": "ab", "more": "cd"}}, "one entry"),
    (_entry() | {"__metadata__": {"mnist_models": "ab " + "[" * 10**6}}, "damaged"),
    ({f"{i}": _entry(shape=[0], offsets=(0, 0))["coef"] for i in range(5000)}, "."),
    ({"a": [[]] * 10**6}, "whole arrays"),
    ([], "safetensors header"),
]


def test_a_header_that_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "forged"
    for header, told in _HEADERS:
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
        _assert_refused(path, told)
    for content in (bytes(7), bytes(64), b"\xff" * 64, b"<html>", (10**12).to_bytes(8, "little")):
        path.write_bytes(content)
        _assert_refused(path, "safetensors header|whole arrays")


def test_one_metadata_entry_more_is_refused(tmp_path: Path) -> None:
    description, arrays = read_file(newest(FOREST))
    write_file(tmp_path / "forged", description, arrays, more="1")
    _assert_refused(tmp_path / "forged", "expected one entry")


@pytest.mark.parametrize("name", [FOREST, SCORES, LOGISTIC, DENSE])
def test_no_flipped_bit_and_no_cut_goes_unnoticed(name: str, tmp_path: Path) -> None:
    sound, chance = newest(name).read_bytes(), random.Random(0)
    path = tmp_path / "forged"
    for at in [*range(0, 300, 3), *(chance.randrange(len(sound)) for _ in range(200))]:
        path.write_bytes(
            sound[:at] + bytes([sound[at] ^ 1 << chance.randrange(8)]) + sound[at + 1 :]
        )
        with pytest.raises(ModelFormatError, match="forged is not a model that this version"):
            load_model(path)
    for percent in range(0, 100, 4):
        path.write_bytes(sound[: len(sound) * percent // 100])
        with pytest.raises(ModelFormatError, match="forged is not a model that this version"):
            load_model(path)
    path.write_bytes(sound + b"\0")
    with pytest.raises(ModelFormatError, match="cut, or damaged"):
        load_model(path)


class _Canary:
    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def test_pickles_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("forged").write_bytes(pickle.dumps(_Canary()))
    _assert_refused(Path("forged"), "safetensors header")
    joblib.dump([_Canary(), np.zeros(9)], "forged")
    _assert_refused(Path("forged"), "safetensors header")
    assert [path.name for path in tmp_path.iterdir()] == ["forged"]
