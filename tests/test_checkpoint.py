"""A run that was ended goes on where it was, and comes to what it would have come to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from mnist_models import MODEL_NAMES, Comparison, Evaluation, compare, evaluate
from mnist_models.exceptions import CheckpointInUseError, ResumeMismatchError

from .misbehaving import Misbehaving, fits_made, numbered_rows

ROOT = Path(__file__).parents[1]


def _without_times(comparison: Comparison) -> str:
    """All that a run came to, bar what the clock and the memory said."""
    measured = {"fit_seconds", "predict_seconds", "peak_bytes"}

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(each) for key, each in value.items() if key not in measured}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return json.dumps(strip(comparison.to_dict()))


def _model(marks: Path, **changes: Any) -> Misbehaving:
    arguments: dict[str, Any] = {"what": "nothing", "folder": marks} | changes
    return Misbehaving(**arguments)


def _records(run: Path) -> list[Path]:
    return sorted(run.glob("fit-*"))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def test_what_is_finished_is_not_fitted_again(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    models = {"one": _model(marks), "two": _model(marks)}
    arguments: dict[str, Any] = {"test": (X + 0.1, y), "cv": 3, "checkpoint": tmp_path / "run"}
    first = compare(models, X, y, **arguments)
    assert fits_made(marks) == 8
    again = compare(models, X, y, **arguments)
    assert fits_made(marks) == 8
    assert again.to_json() == first.to_json()  # times too: they are those of the fits
    _records(tmp_path / "run")[2].unlink()
    assert _without_times(compare(models, X, y, **arguments)) == _without_times(first)
    assert fits_made(marks) == 9


def test_the_type_of_labels_comes_back(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    y = np.array(["a", "bc", "ü"], dtype="U7")[y]
    first, again = (
        evaluate(_model(marks), X, y, checkpoint=tmp_path / "run", cv=2) for _ in range(2)
    )
    assert fits_made(marks) == 2
    assert again.to_json() == first.to_json()
    assert again.y_pred.dtype == first.y_pred.dtype


_RUN = """
import signal, sys
from pathlib import Path
from mnist_models import compare, load_sample_digits
from tests.conftest import quick_model
from tests.misbehaving import Misbehaving, numbered_rows
from sklearn.pipeline import make_pipeline

if __name__ == "__main__":
    # whoever starts the tests in the background, or by nohup, has them ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    marks, checkpoint, out, n_jobs, *names = sys.argv[1:]
    models = {name: quick_model(name) for name in names} | {"marked": Misbehaving("nothing", marks)}
    digits = load_sample_digits().sample(300, random_state=0)
    X, X_test, y, y_test = digits.split()
    found = compare(
        models, X, y, test=(X_test, y_test), cv=3, n_jobs=int(n_jobs),
        checkpoint=checkpoint, progress=lambda step: print(step.what, step.model, flush=True),
    )
    Path(out).write_text(found.to_json())
"""


def _start(
    folder: Path, marks: str, run: str, n_jobs: int, *models: str
) -> "subprocess.Popen[str]":
    script = folder / "script.py"
    script.write_text(_RUN, encoding="utf-8")
    (folder / marks).mkdir(exist_ok=True)
    paths = (folder / marks, folder / run, folder / f"{run}.json")
    return subprocess.Popen(
        [sys.executable, script, *paths, str(n_jobs), *models],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _kill_after(process: "subprocess.Popen[str]", n_finished: int, signal_: int) -> None:
    """End a run when it has told of so many finished fits."""
    assert process.stdout is not None
    finished = 0
    for line in process.stdout:
        finished += line.startswith("finished")
        if finished >= n_finished:
            break
    process.send_signal(signal_)
    process.communicate(timeout=60)


def _kill_again_and_again(folder: Path, signals: Sequence[int], n_jobs: int) -> None:
    """End a run by each of the signals, let it come to its end, and hold it against a whole one."""
    total = 4 * len(MODEL_NAMES) + 4
    told, errors = _start(folder, "whole", "whole-run", n_jobs, *MODEL_NAMES).communicate(
        timeout=300
    )
    assert told.count("finished ") == total, errors
    for i, signal_ in enumerate(signals):  # each time from where the last had come to
        _kill_after(_start(folder, "marks", "run", n_jobs, *MODEL_NAMES), 1 + i % 3, signal_)
        kept = len(_records(folder / "run"))
        assert kept < total
    last = _start(folder, "marks", "run", n_jobs, *MODEL_NAMES)
    told, errors = last.communicate(timeout=300)
    assert last.returncode == 0, errors
    assert (told.count("kept "), told.count("finished ")) == (kept, total - kept)
    found, expected = (
        Comparison.from_dict(json.loads((folder / name).read_text(encoding="utf-8")))
        for name in ("run.json", "whole-run.json")
    )
    for each in (found, expected):  # the folders that leave marks differ
        origin = each["marked"].provenance
        assert origin is not None
        origin.parameters.clear()
    assert _without_times(found) == _without_times(expected)
    _nobody_is_left(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_jobs", "signals"),
    [(1, [signal.SIGTERM, signal.SIGHUP]), (2, [signal.SIGKILL, signal.SIGINT])],
)
def test_all_three_models_go_on_however_often_they_are_killed(
    n_jobs: int, signals: list[int], tmp_path: Path
) -> None:
    _kill_again_and_again(tmp_path, signals, n_jobs)


_FORKS = """
import os, random, signal, sys, time
from pathlib import Path
from mnist_models import compare
from tests.conftest import quick_model
from tests.misbehaving import Misbehaving, numbered_rows

def run(checkpoint):
    X, y = numbered_rows()
    models = {"logistic": quick_model("logistic"), "marked": Misbehaving("nothing", marks)}
    found = compare(models, X, y, test=(X + 0.1, y), cv=3, checkpoint=checkpoint)
    Path(f"{checkpoint}.json").write_text(found.to_json())

def fork(checkpoint, seconds):
    child = os.fork()
    if child == 0:
        run(checkpoint)
        os._exit(0)  # an error leaves with a traceback, and another status
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

if __name__ == "__main__":
    marks, folder, seed = sys.argv[1:]
    run(f"{folder}/first")  # so that all is imported once, and a run takes as long as its fits
    start = time.monotonic()
    assert fork(f"{folder}/whole", None) == 0
    whole = time.monotonic() - start
    draw, kept = random.Random(int(seed)), []
    while (status := fork(f"{folder}/run", draw.uniform(0, whole / 2))) < 0:
        assert status == -signal.SIGKILL
        kept.append(len(list(Path(folder, "run").glob("fit-*"))))
    assert status == 0
    print(*kept)
"""


@pytest.mark.parametrize("seed", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in (1, 2, 3))])
def test_a_run_killed_at_random_instants_goes_on(seed: int, marks: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKS, marks, tmp_path, str(seed)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = [int(each) for each in done.stdout.split()]
    assert kept  # it was killed at all
    assert kept == sorted(kept)
    assert 12 <= fits_made(marks) <= 12 + len(kept)  # a kill costs the fit that was at work
    whole, found = (
        Comparison.from_dict(json.loads((tmp_path / name).read_text(encoding="utf-8")))
        for name in ("whole.json", "run.json")
    )
    assert _without_times(found) == _without_times(whole)
    assert not list((tmp_path / "run").glob(".*"))


def _nobody_is_left(folder: Path) -> None:
    """No worker outlives its run by long, and no file lies about."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        left = [*folder.glob("mnist_models-*"), *folder.glob("run/.*.part")]
        if str(folder) not in running.stdout and not left:
            return
        time.sleep(0.5)
    raise AssertionError((running.stdout, left))


@pytest.mark.slow
def test_an_interrupt_ends_a_run_within_seconds(tmp_path: Path) -> None:
    process = _start(tmp_path, "marks", "run", 2, "forest")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("begun")
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - start < 20
    assert process.returncode != 0
    assert errors.count("KeyboardInterrupt") <= 1, errors


# -- another run -----------------------------------------------------------------------------------


def test_what_has_changed_is_named(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    run = tmp_path / "run"

    def again(model: Any = None, X: Any = X, y: Any = y, **changes: Any) -> Evaluation:
        arguments: dict[str, Any] = {"cv": 3, "checkpoint": run} | changes
        return evaluate(model or _model(marks), X, y, **arguments)

    first = again()
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    moved = X.copy()
    moved[5, 1] += 1e-9
    for changes, named in (
        ({"X": moved}, "data_sha256"),
        ({"y": np.roll(y, 1)}, "data_sha256"),
        ({"test": (X + 0.1, y)}, "data_sha256"),
        ({"random_state": 1}, r"random_state \(it was 0, now 1\)"),
        ({"cv": 4}, "folds_sha256"),
        ({"scoring": "f1_macro"}, r"scoring \(it was 'accuracy', now 'f1_macro'\)"),
        ({"model": _model(marks, times=3)}, r"models: Misbehaving times \(it was 1000000, now 3"),
    ):
        with pytest.raises(ResumeMismatchError, match=named):
            again(**changes)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert again().to_json() == first.to_json()
    told = json.loads((run / "run.json").read_text(encoding="utf-8"))
    told["versions"]["numpy"] = "1.0"
    (run / "run.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ResumeMismatchError, match=r"versions: numpy \(it was 1\.0, now "):
        again()


def test_a_finished_run_has_nothing_left_to_do(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    arguments: dict[str, Any] = {"cv": 2, "checkpoint": tmp_path / "run"}
    first = evaluate(_model(marks), X, y, **arguments)
    for where in ({"timeout": 60.0}, {"n_jobs": 2}):
        assert evaluate(_model(marks), X, y, **arguments | where).to_json() == first.to_json()


@pytest.mark.parametrize(
    "changes", [{}, {"cv": StratifiedKFold(3, shuffle=True), "random_state": 0}], ids=str
)
def test_folds_that_are_others_every_time_are_an_error(
    changes: dict[str, Any], marks: Path, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"random_state": None, "checkpoint": tmp_path / "run"} | changes
    with pytest.raises(ValueError, match="random_state=None, which shuffles them anew"):
        evaluate(_model(marks), *numbered_rows(), **arguments)


def test_jobs_are_no_change(marks: Path, tmp_path: Path) -> None:
    from .conftest import quick_model

    X, y = numbered_rows()
    for n_jobs in (None, 2):
        forest = quick_model("forest", n_jobs=n_jobs)
        evaluate(forest, X, y, cv=2, checkpoint=tmp_path / "run")


def test_a_folder_that_is_no_checkpoint_is_left_alone(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "to-mother").write_text("Dear", encoding="ascii")
    with pytest.raises(ResumeMismatchError, match=r"other files\. Name another folder"):
        evaluate(_model(marks), X, y, checkpoint=letters)
    assert [path.name for path in letters.iterdir()] == ["to-mother"]
    with pytest.raises(OSError, match="to-mother"):
        evaluate(_model(marks), X, y, checkpoint=letters / "to-mother")
    assert fits_made(marks) == 0


@pytest.mark.parametrize("text", ["", "{", "[[1]]", "5", '{"format": 99}', "[" * 10**5])
def test_a_damaged_description_is_an_error(text: str, marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    run = tmp_path / "run"
    evaluate(_model(marks), X, y, checkpoint=run, cv=2)
    (run / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResumeMismatchError, match=r"(N|or n)ame another folder"):
        evaluate(_model(marks), X, y, checkpoint=run, cv=2)


@pytest.mark.parametrize("place", [0, 0.3, 0.7, "shorter", "other", "empty"])
def test_a_damaged_record_is_fitted_again(place: Any, marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    run = tmp_path / "run"
    arguments: dict[str, Any] = {"checkpoint": run, "cv": 3}
    first = evaluate(_model(marks), X, y, **arguments)
    other, path, _ = _records(run)
    content = bytearray(path.read_bytes())
    if isinstance(place, str):
        contents = {"shorter": bytes(content[:-3]), "other": other.read_bytes(), "empty": b""}
        path.write_bytes(contents[place])
    else:
        content[int(place * len(content))] ^= 0x55
        path.write_bytes(content)
    with pytest.warns(
        RuntimeWarning, match=rf"{path.name} is not used: .* is fitted again"
    ) as told:
        again = evaluate(_model(marks), X, y, **arguments)
    assert told[0].filename == __file__, "it points at the line that called evaluate"
    assert fits_made(marks) == 4
    np.testing.assert_array_equal(again.y_pred, first.y_pred)
    assert evaluate(_model(marks), X, y, **arguments).to_json() == again.to_json()


def test_models_in_another_order_are_the_same_run(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    models = {"one": _model(marks), "two": _model(marks, victim=1)}
    first = compare(models, X, y, cv=2, checkpoint=tmp_path / "run")
    backwards = compare(dict(reversed(models.items())), X, y, cv=2, checkpoint=tmp_path / "run")
    assert fits_made(marks) == 4
    assert list(backwards) == ["two", "one"]
    for name in models:
        assert backwards[name].to_json() == first[name].to_json()


def test_records_of_another_run_are_not_used(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    arguments: dict[str, Any] = {"cv": 2, "checkpoint": tmp_path / "run"}
    evaluate(_model(marks), X, y, **arguments)
    (tmp_path / "run" / "run.json").unlink()
    with pytest.warns(RuntimeWarning, match="expected a record of this run's") as warned:
        found = evaluate(_model(marks), X, -y, **arguments)
    assert len(warned) == 2
    assert fits_made(marks) == 4
    assert set(found.y_pred) <= {0, -1, -2}


def test_the_lock_file_need_not_be_left(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    arguments: dict[str, Any] = {"cv": 2, "checkpoint": tmp_path / "run"}
    first = evaluate(_model(marks), X, y, **arguments)
    (tmp_path / "run" / "lock").unlink(missing_ok=True)  # as filelock does on Windows
    assert evaluate(_model(marks), X, y, **arguments).to_json() == first.to_json()


def test_what_was_half_written_is_cleared_away(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    run = tmp_path / "run"
    evaluate(_model(marks), X, y, cv=2, checkpoint=run)
    for name in (f".{_records(run)[0].name}.abc.part", ".run.json.abc.part", ".mine.part"):
        (run / name).touch()
    evaluate(_model(marks), X, y, cv=2, checkpoint=run)
    assert [path.name for path in run.glob(".*")] == [".mine.part"]


@pytest.mark.slow
def test_two_runs_on_one_folder(tmp_path: Path, marks: Path) -> None:
    process = _start(tmp_path, "marks", "run", 1, "forest")
    assert process.stdout is not None
    process.stdout.readline()  # it has begun
    X, y = numbered_rows()
    with pytest.raises(CheckpointInUseError, match=rf"another run \(process {process.pid}\)"):
        evaluate(_model(marks), X, y, checkpoint=tmp_path / "run")
    process.kill()
    process.communicate(timeout=60)
    with pytest.raises(ResumeMismatchError, match="differs in"):  # free, and still another's
        evaluate(_model(marks), X, y, checkpoint=tmp_path / "run")


@pytest.mark.slow
def test_lost_fits_are_tried_again_by_the_next_call(marks: Path, tmp_path: Path) -> None:
    from mnist_models.exceptions import WorkerLostError

    X, y = numbered_rows()
    model = _model(marks, what="die", times=2)
    arguments: dict[str, Any] = {"checkpoint": tmp_path / "run", "cv": 3, "n_jobs": 2}
    with pytest.raises(WorkerLostError, match="the same call tries only these again"):
        evaluate(model, X, y, **arguments)
    assert fits_made(marks) == 4
    assert isinstance(evaluate(model, X, y, **arguments), Evaluation)
    assert fits_made(marks) == 5
