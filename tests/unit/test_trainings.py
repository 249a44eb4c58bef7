"""What a shop shows of its trainings: whatever lies in their folder, and while they write there."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from aisle.learn.workbench import Workbench, at_work
from aisle.settings import EncoderSettings, Settings
from aisle.shop import Shop
from aisle.training.runs import MOST_POINTS, Curve, thinned, trainings


def line(step: object, name: object, value: object) -> bytes:
    return orjson.dumps({"step": step, "name": name, "value": value}) + b"\n"


def run(models: Path, folder: str, *lines: bytes, age_s: float = 0.0) -> Path:
    """A training's folder with these lines in its curves, written that long ago."""
    place = models / ".runs" / folder
    place.mkdir(parents=True)
    file = place / "curves.jsonl"
    file.write_bytes(b"".join(lines))
    changed = time.time() - age_s
    os.utime(file, (changed, changed))
    return place


def test_a_shop_tells_its_trainings(tmp_path: Path) -> None:
    with Shop.open(tmp_path / "s", settings=Settings(encoder=EncoderSettings(model=""))) as shop:
        assert shop.trainings() == []
        run(shop.path / "models", "spam-mail-lora", line(0, "held/accuracy", 0.5), line(2, "held/accuracy", 0.75))
        (found,) = shop.trainings()
        assert (found.name, found.method, found.n_steps) == ("spam-mail", "lora", 2)
        assert found.curves == (Curve("held/accuracy", (0, 2), (0.5, 0.75)),)
        assert shop.models() == []


def test_lines_that_are_no_numbers_are_passed_over(tmp_path: Path) -> None:
    run(
        tmp_path, "intent-full", line(1, "train/loss", 2), b"\n", b"[]\n", b"\xff\xfe\n", line("1", "train/loss", 1),
        line(-1, "train/loss", 1), line(True, "train/loss", 1), line(2, "<script>", 1), line(2, "a" * 90, 1),
        line(2, "train/loss", None), b'{"step": 2, "name": "train/loss", "value": NaN}\n',
        line(2, "train/loss", 1.5), b'{"step": 3, "name": "train/lo',
    )  # fmt: skip
    (found,) = trainings(tmp_path)
    assert found.curves == (Curve("train/loss", (1, 2), (2.0, 1.5)),)


def test_what_is_written_later_is_seen(tmp_path: Path) -> None:
    place = run(tmp_path, "intent-full", line(1, "train/loss", 2), b'{"step": 2, "name": "tra')
    assert trainings(tmp_path)[0].n_steps == 1
    with (place / "curves.jsonl").open("ab") as file:
        file.write(b'in/loss", "value": 1}\n' + line(1, "train/loss", 3))
    (found,) = trainings(tmp_path)
    assert found.curves[0].values == (3.0, 1.0)  # taken up again from before step 1


def test_only_curves_of_this_shop_are_read(tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "curves.jsonl").write_bytes(line(1, "train/loss", 1))
    runs = tmp_path / "models" / ".runs"
    run(tmp_path / "models", "fine-lora", line(1, "train/loss", 1))
    (runs / "linked-lora").symlink_to(secret)
    for folder in ("file-lora", "folder-lora", "empty-lora", "No Name", "lora"):
        (runs / folder).mkdir()
    (runs / "file-lora" / "curves.jsonl").symlink_to(secret / "curves.jsonl")
    (runs / "folder-lora" / "curves.jsonl").mkdir()
    (runs / "No Name" / "curves.jsonl").write_bytes(line(1, "train/loss", 1))
    assert [one.name for one in trainings(tmp_path / "models")] == ["fine"]


def test_the_one_that_runs_comes_first_then_the_newest(tmp_path: Path) -> None:
    for number, folder in enumerate(("old-full", "older-full", "oldest-full")):
        run(tmp_path, folder, line(1, "train/loss", 1), age_s=1000.0 * (number + 1))
    run(tmp_path, "new-full", line(1, "train/loss", 1))  # no lock: it wrote a moment ago
    with Workbench(tmp_path / ".runs" / "older-full"):
        found = [(one.name, one.running) for one in trainings(tmp_path)]
        assert found == [("new", True), ("older", True), ("old", False), ("oldest", False)]
    with Workbench(tmp_path / ".runs" / "new-full"):
        pass
    # a lock says more than a clock: the one that ended just now runs no longer
    assert [one.running for one in trainings(tmp_path)] == [False] * 4


def test_a_training_that_was_killed_does_not_run(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from aisle.learn.workbench import Workbench\n"
        "with Workbench(Path(sys.argv[1])):\n    print('holds', flush=True); input(); os._exit(9)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        assert at_work(tmp_path)
        process.communicate(b"\n")
    assert (tmp_path / ".work" / "lock").read_text().strip() == str(process.pid)
    assert not at_work(tmp_path)
    with Workbench(tmp_path):  # looking did not keep the lock
        assert at_work(tmp_path)


@pytest.mark.parametrize("n", [1, MOST_POINTS, MOST_POINTS + 1, 5000])
def test_a_long_curve_keeps_its_shape(n: int) -> None:
    values = [math.sin(i / 300) for i in range(n)]
    peak = n * 2 // 3
    values[peak] = 9.0
    steps, shown = thinned(range(10, 10 + n), values)
    assert len(steps) == len(shown) <= MOST_POINTS
    assert (steps[0], steps[-1]) == (10, 9 + n)
    assert list(steps) == sorted(set(steps))
    assert shown[list(steps).index(10 + peak)] == 9.0
    assert min(shown) == min(values)
    assert all(values[step - 10] == value for step, value in zip(steps, shown, strict=True))
