"""A record gives back what was kept, or it is refused: nothing else, whatever is done to it."""

import copy
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_models._container import pack, unpack
from mnist_models._results.findings import Fit
from mnist_models._running.fitting import Data, Outcome, Task
from mnist_models._running.record import decode, encode

_Y = np.tile([3, 5, 9], 10)
_DATA = Data(np.zeros((30, 2)), _Y, None)
_TASK = Task("network", None, 0, (np.arange(20), np.arange(20, 30)), "accuracy", reported=True)
_HISTORY = {"loss": [0.5, 0.25], "val_loss": [0.5, float("nan")]}
_FIT = Fit(0.9, 1.5, 0.25, 20, 10, _HISTORY, best_epoch=1, model_bytes=1000, peak_bytes=0)
_CHANCES = np.random.default_rng(0).dirichlet([1, 1, 1], 10).astype(np.float32)
_OUTCOME = Outcome(_FIT, _Y[20:], _CHANCES, np.array([3, 5, 9]))
_RECORD = encode(_OUTCOME, _TASK, "run")


def _plain(outcome: Outcome) -> list[Any]:
    """All there is to an outcome, as what == compares; of arrays the type of their values too."""
    arrays = [
        each if each is None else (each.dtype.newbyteorder("="), each.tolist())
        for each in outcome[1:]
    ]
    return [repr(outcome.fit), *arrays]


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "bc", "ü", "😀", ""]),
        np.array(["a", "bc"], dtype="U9"),
        np.array(["a", "bc"], dtype=">U3"),
        np.array(["a", "bc", "ü"], dtype=object),
        np.array([-1.5, 7.0], dtype=np.float32),
        np.array([0, 200], dtype=np.uint8),
        np.array([0, 2**40], dtype=">i8"),
        np.array([False, True]),
    ],
    ids=repr,
)
def test_labels_of_any_kind_come_back(labels: NDArray[Any]) -> None:
    y = np.resize(labels, 30)
    outcome = Outcome(_FIT, y[20:], _CHANCES[:, : len(labels)], labels)
    if len(labels) > 3:
        outcome = Outcome(_FIT, y[20:])
    found = decode(io.BytesIO(encode(outcome, _TASK, "run")), _TASK, _DATA._replace(y=y), "run")
    assert _plain(found) == _plain(outcome)


def test_a_fit_on_all_rows_without_probabilities() -> None:
    task = _TASK._replace(fold=None, reported=False)
    data = _DATA._replace(test=(np.zeros((10, 2)), _Y[:10]))
    outcome = Outcome(Fit(0.5, 0.0, 0.0, 30, 10), _Y[:10])
    found = decode(io.BytesIO(encode(outcome, task, "run")), task, data, "run")
    assert _plain(found) == _plain(outcome)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(_RECORD)), n_lost=st.integers(0, 40), put=st.binary(max_size=20))
def test_bytes_changed_lost_or_put_in_are_noticed(place: int, n_lost: int, put: bytes) -> None:
    content = _RECORD[:place] + put + _RECORD[place + n_lost :]
    try:
        found = decode(io.BytesIO(content), _TASK, _DATA, "run")
    except ValueError:
        assert content != _RECORD
    else:
        assert _plain(found) == _plain(_OUTCOME)


# -- records whose sum is right --------------------------------------------------------------------

_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)
_ARRAYS = st.builds(
    lambda dtype, shape: np.full(shape, 77).astype(dtype),
    st.sampled_from(["u1", "i8", "u4", "f4", "f8", "?"]),
    st.lists(st.sampled_from([0, 1, 3, 10]), max_size=3).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_what_no_fit_came_to_is_refused(data: st.DataObject) -> None:
    description, arrays = unpack(io.BytesIO(_RECORD))
    for _ in range(data.draw(st.integers(1, 2))):
        where = data.draw(st.sampled_from(["arrays", "fit", "words", "all"]))
        if where == "arrays":
            name = data.draw(st.sampled_from([*arrays, "other"]))
            arrays[name] = data.draw(_ARRAYS)
        elif where == "all":
            description = data.draw(_JSON)
        elif isinstance(description, dict) and isinstance(description.get(where), dict):
            names = sorted({*description[where], "predictions", "known"})
            description[where][data.draw(st.sampled_from(names))] = data.draw(_JSON)
    try:
        found = decode(io.BytesIO(pack(description, arrays)), _TASK, _DATA, "run")
    except ValueError:
        return
    json.dumps(found.fit.__dict__)
    assert found.predictions.shape == (10,)
    assert (found.fit.n_train, found.fit.n_predicted) == (20, 10)
    if found.probabilities is not None and found.known is not None:
        assert found.probabilities.shape == (10, len(found.known))
        assert found.probabilities.min() >= 0
        assert found.probabilities.max() <= 1
    np.unique(np.concatenate([_Y, found.predictions]))


_FORGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another run": ({"run": "other"}, {}),
    "another task": ({"task": "network, fold 2"}, {}),
    "no fit": ({"fit": None}, {}),
    "a field too many": ({"fit": {"more": 1}}, {}),
    "a score in words": ({"fit": {"score": "0.9"}}, {}),
    "seconds that run back": ({"fit": {"fit_seconds": -1.0}}, {}),
    "seconds without end": ({"fit": {"predict_seconds": float("inf")}}, {}),
    "other rows": ({"fit": {"n_train": 19}}, {}),
    "rows that are no whole number": ({"fit": {"n_train": 20.0}}, {}),
    "a history in words": ({"fit": {"history": {"loss": "ab"}}}, {}),
    "an epoch that is none": ({"fit": {"best_epoch": 3}}, {}),
    "a model of no size": ({"fit": {"model_bytes": -1}}, {}),
    "too few predictions": ({}, {"predictions": _Y[21:]}),
    "predictions in rows": ({}, {"predictions": _Y[20:, np.newaxis]}),
    "words for numbers": ({"words": {"predictions": ["a"]}}, {"predictions": np.zeros(10, int)}),
    "numbers of no word": ({"words": {"predictions": ["a"]}}, {"predictions": np.ones(10, int)}),
    "no characters": ({}, {"predictions": np.full((10, 2), 0x110000, np.uint32)}),
    "no width": ({}, {"predictions": np.zeros((10, 0), np.uint32)}),
    "a class twice": ({}, {"known": np.array([3, 5, 5])}),
    "a class too few": ({}, {"known": np.array([3, 5])}),
    "probabilities above 1": ({}, {"probabilities": _CHANCES + 1}),
    "probabilities that are none": ({}, {"probabilities": _CHANCES * np.nan}),
    "wider probabilities": ({}, {"probabilities": _CHANCES.astype(float)}),
}


@pytest.mark.parametrize("name", _FORGED)
def test_a_forged_record_is_refused(name: str) -> None:
    changes, other_arrays = _FORGED[name]
    description, arrays = unpack(io.BytesIO(_RECORD))
    for key, value in changes.items():
        if isinstance(value, dict):
            description[key] |= copy.deepcopy(value)
        else:
            description[key] = value
    with pytest.raises(ValueError, match="expected"):
        decode(io.BytesIO(pack(description, arrays | other_arrays)), _TASK, _DATA, "run")
