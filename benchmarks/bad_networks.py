"""A network in each library's file, and what a stranger may have made of it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attempt import Answers
from benchmarks.bad_forests import ask_ours
from benchmarks.peer_files import (
    HUGE,
    Maker,
    MakesFolder,
    Peer,
    asked,
    digits,
    rezip,
    weight_in,
    with_huge_array,
)
from mnist_models import SequentialClassifier, save_model
from tests.forging import read_file, write_file

_HIDDEN = 32


def our_network(folder: Path, canary: Path) -> Peer:
    """A network in a file of ours."""
    sound, code, huge = folder / "sound", folder / "code", folder / "huge"
    model = SequentialClassifier(hidden_units=(_HIDDEN,), epochs=1, random_state=0)
    save_model(model.fit(*digits()), sound)
    manifest, arrays = read_file(sound)
    settings = manifest["settings"]
    write_file(
        code, manifest | {"settings": settings | {"network": {"kind": "posix.mkdir"}}}, arrays
    )
    units = {"hidden_units": [HUGE // 32]}
    params, network = settings["params"] | units, settings["network"] | units
    changed = settings | {"params": params, "network": network}
    write_file(huge, manifest | {"settings": changed}, arrays)
    forged = {"code": code, "huge": huge}
    weight = weight_in(arrays["weight0"])
    return Peer("ours", ask_ours, sound, weight, forged)


def keras_zip(folder: Path, canary: Path) -> Peer:
    """A network in Keras's own format."""
    sound, code, huge, weight = _keras_files(folder, canary, "keras")

    def claim(name: str, content: bytes) -> bytes:
        return _with_more_units(content) if name == "config.json" else content

    rezip(sound, huge, claim)
    return Peer(".keras", ask_keras, sound, weight, {"code": code, "huge": huge})


def keras_h5(folder: Path, canary: Path) -> Peer:
    """A network in Keras's older format."""
    import h5py

    sound, code, huge, weight = _keras_files(folder, canary, "h5")
    huge.write_bytes(sound.read_bytes())
    with h5py.File(huge, "r+") as file:
        file.attrs["model_config"] = _with_more_units(file.attrs["model_config"].encode())
    return Peer(".h5", ask_keras, sound, weight, {"code": code, "huge": huge})


def torch_weights(folder: Path, canary: Path) -> Peer:
    """The weights of a network as PyTorch writes them."""
    import torch

    sound, code, huge = (folder / f"{what}.pt" for what in ("sound", "code", "huge"))
    torch.manual_seed(0)
    weights = _torch_model().state_dict()
    torch.save(weights, sound)
    torch.save(MakesFolder(canary), code)
    torch.save(weights | {"0.weight": torch.zeros(1).expand(HUGE, 64)}, huge)
    weight = weight_in(weights["0.weight"].numpy())
    return Peer("torch.load", ask_torch, sound, weight, {"code": code, "huge": huge})


def safetensors_weights(folder: Path, canary: Path) -> Peer:
    """The same weights in the container that ours stands on."""
    import torch
    from safetensors.torch import save_file

    sound, huge = folder / "sound", folder / "huge"
    torch.manual_seed(0)
    weights = _torch_model().state_dict()
    save_file(weights, sound)
    with_huge_array(sound, huge, "0.weight")
    weight = weight_in(weights["0.weight"].numpy())
    return Peer("safetensors", ask_safetensors, sound, weight, {"huge": huge})


def ask_keras(path: Path) -> Answers:
    import keras

    return [np.asarray(keras.models.load_model(path)(asked()))]


def ask_torch(path: Path) -> Answers:
    import torch

    return _torch_answers(torch.load(path, weights_only=True))


def ask_safetensors(path: Path) -> Answers:
    from safetensors.torch import load_file

    return _torch_answers(load_file(path))


def _keras_files(folder: Path, canary: Path, suffix: str) -> tuple[Path, Path, Path, bytes]:
    """A sound file, one with code in it, the place of one that claims too much; a weight."""
    sound, code, huge = (folder / f"{what}.{suffix}" for what in ("sound", "code", "huge"))
    model = _keras_model()
    model.save(sound)
    _with_lambda(canary).save(code)
    canary.rmdir()
    return sound, code, huge, weight_in(np.asarray(model.weights[0]))


def _keras_model(*more: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(_HIDDEN, "relu"), keras.layers.Dense(10, "softmax"), *more]
    return keras.Sequential([keras.Input((64,)), *layers])


def _with_lambda(canary: Path) -> Any:
    import keras

    # a lambda: of another function Keras keeps the name alone
    more = keras.layers.Lambda(
        lambda x, path=str(canary): (__import__("os").makedirs(path, exist_ok=True), x)[1]
    )
    return _keras_model(more)


def _with_more_units(config: bytes) -> bytes:
    units = f'"units": {_HIDDEN}'.encode()
    assert units in config
    return config.replace(units, f'"units": {HUGE // 32}'.encode())


def _torch_model() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(64, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 10), nn.Softmax(-1))


def _torch_answers(weights: Any) -> Answers:
    import torch

    model = _torch_model()
    model.load_state_dict(weights)
    with torch.no_grad():
        return [model(torch.from_numpy(asked())).numpy()]


NETWORKS: list[Maker] = [our_network, keras_zip, keras_h5]
if find_spec("torch"):
    NETWORKS += [torch_weights, safetensors_weights]
