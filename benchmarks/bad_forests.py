"""A forest in each library's file, and what a stranger may have made of it."""

import os
import pickle
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from benchmarks.attempt import Answers
from benchmarks.peer_files import (
    HUGE,
    Maker,
    MakesFolder,
    Peer,
    asked,
    digits,
    npy_header,
    rezip,
    with_huge_array,
)
from mnist_models import load_model, save_model
from tests.forging import read_file, write_file

# What somebody who knows that the file should be a forest has read of and allowed.
_FORESTS_TYPES = ["sklearn.tree._tree.Tree"]


def our_forest(folder: Path, canary: Path) -> Peer:
    """A forest in a file of ours; forgeries have the right checksum."""
    forest = _forest()
    sound = folder / "sound"
    save_model(forest, sound)

    def forge(what: str, kind: str = "forest", harm: Callable[[Any], object] = len) -> Path:
        manifest, arrays = read_file(sound)
        harm(arrays["node.left_child"])
        write_file(folder / what, manifest | {"kind": kind}, arrays)
        return folder / what

    forged = {what: forge(what, harm=harm) for what, harm in _TREE_HARMS.items()}
    forged["code"] = forge("code", kind="posix.mkdir")
    forged["huge"] = with_huge_array(sound, folder / "huge", "node.feature")
    return Peer("ours", ask_ours, sound, _threshold(forest), forged)


def joblib_forest(folder: Path, canary: Path) -> Peer:
    """scikit-learn's forest as joblib pickles it."""
    import joblib
    from joblib.numpy_pickle import NumpyArrayWrapper

    dumped = _dumped_forests(folder, joblib.dump)
    (folder / "code").write_bytes(pickle.dumps(MakesFolder(canary)))
    wrapper = NumpyArrayWrapper(np.ndarray, (HUGE,), "C", np.dtype(np.float64))
    (folder / "huge").write_bytes(pickle.dumps(wrapper) + bytes(64))
    forged = dumped | {what: folder / what for what in ("code", "huge")}
    sound = forged.pop("sound")
    return Peer("joblib", ask_joblib, sound, _threshold(_forest()), forged)


def skops_forest(folder: Path, canary: Path) -> Peer:
    """scikit-learn's forest as skops writes it."""
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    forged = _dumped_forests(folder, skops.io.dump)
    forged |= {what: folder / what for what in ("code", "huge")}
    skops.io.dump(FunctionTransformer(os.mkdir, kw_args={"path": str(canary)}), folder / "code")
    sound = forged.pop("sound")

    def claim(name: str, content: bytes) -> bytes:
        return npy_header() + content[-64:] if name.endswith(".npy") else content

    rezip(sound, forged["huge"], claim)
    return Peer("skops", ask_skops, sound, _threshold(_forest()), forged)


def ask_ours(path: Path) -> Answers:
    return [load_model(path).predict_proba(asked())]


def ask_joblib(path: Path) -> Answers:
    import joblib

    return [np.asarray(joblib.load(path).predict_proba(asked()))]


def ask_skops(path: Path) -> Answers:
    import skops.io

    return [np.asarray(skops.io.load(path, trusted=_FORESTS_TYPES).predict_proba(asked()))]


def _forest() -> RandomForestClassifier:
    return RandomForestClassifier(10, random_state=0).fit(*digits())


def _threshold(forest: RandomForestClassifier) -> bytes:
    """The first tree's first threshold, as it stands in a file."""
    return bytes(forest.estimators_[0].tree_.threshold[:1].tobytes())


def _step_outside(children: np.ndarray) -> None:
    children[0] = 10**9


def _step_back(children: np.ndarray) -> None:
    children[:] = np.where(children > 0, 0, children)


_TREE_HARMS = {"child": _step_outside, "cycle": _step_back}


def _dumped_forests(folder: Path, dump: Callable[[Any, Path], object]) -> dict[str, Path]:
    """A sound one, and those whose trees lead elsewhere."""
    for what, harm in {"sound": len, **_TREE_HARMS}.items():
        forest = _forest()
        harm(forest.estimators_[0].tree_.children_left)
        dump(forest, folder / what)
    return {what: folder / what for what in ("sound", *_TREE_HARMS)}


FORESTS: list[Maker] = [our_forest, joblib_forest]
if find_spec("skops"):
    FORESTS.append(skops_forest)
