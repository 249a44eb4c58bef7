"""Real processes, killed, crowded, and without room on the disk."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.slates import SqliteSlateLog

pytestmark = pytest.mark.crash

N_KILLS = int(os.environ.get("AISLE_TEST_KILLS", "15"))

SETUP = """
import json, resource, sys, threading
from pathlib import Path
from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.slates import SqliteSlateLog
from aisle.errors import StorageError
from aisle.testing.samples import event, product, slate
from dataclasses import replace

path, run = Path(sys.argv[1]), sys.argv[2]
lock = threading.Lock()

def say(*values):
    with lock:
        sys.stdout.write(json.dumps(values) + "\\n")
        sys.stdout.flush()

database = Database(path)
catalog, log, slates = SqliteCatalogStore(database), SqliteEventLog(database), SqliteSlateLog(database)

def named(n, list_id=""):
    return replace(event(0), event_id=f"{run}-{n}", list_id=list_id)
"""

# Batches of products share a title, so that half of a batch would show.
WRITE_FOREVER = (
    SETUP
    + """
def events(worker):
    n = 0
    while True:
        n += 1
        list_id = f"list-{run}-{worker}-{n}"
        slates.record(slate(list_id))
        batch = [named(f"{worker}-{n}-{k}", list_id) for k in range(1 + n % 3)]
        say("event", [(ack.event_id, ack.seq) for ack in log.append(batch).result()], list_id)

for worker in range(3):
    threading.Thread(target=events, args=(worker,), daemon=True).start()
n = 0
while True:
    n += 1
    title = f"{run} {n}"
    changes = catalog.upsert([product(f"P{k}", f"G{k // 2}", title) for k in range(40)])
    say("product", title, changes.seq)
"""
)


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)


def heard(process: subprocess.Popen[str]) -> list[list[object]]:
    """The whole lines a process wrote before its end."""
    assert process.stdout is not None
    text = process.stdout.read()
    process.stdout.close()
    process.wait()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def test_what_was_acknowledged_survives_any_kill(tmp_path: Path) -> None:
    rng = random.Random(7)
    path = tmp_path / "aisle.db"
    acknowledged: dict[str, int] = {}
    shown: set[str] = set()
    for run in range(N_KILLS):
        process = started(WRITE_FOREVER, str(path), f"run{run}")
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        time.sleep(rng.uniform(0.0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        title, seq = "", 0
        for kind, what, *more in [first, *heard(process)]:
            if kind == "event":
                acknowledged.update(what)
                shown.update(more)
            else:
                title, seq = what, more[0]

        with Database(path) as database:
            assert database.value("PRAGMA integrity_check") == "ok"
            assert database.rows("PRAGMA foreign_key_check") == []
            log, slates, catalog = SqliteEventLog(database), SqliteSlateLog(database), SqliteCatalogStore(database)
            logged = {one.event.event_id: one.seq for one in log.read(0, 10**9)}
            assert acknowledged.items() <= logged.items()
            # Each batch is whole or absent: 1 + n % 3 events with the n of its id.
            sizes: dict[str, int] = {}
            for event_id in logged:
                batch = event_id.rpartition("-")[0]
                sizes[batch] = sizes.get(batch, 0) + 1
            assert all(size == 1 + int(batch.rpartition("-")[2]) % 3 for batch, size in sizes.items())
            named = {one.event.list_id for one in log.read(0, 10**9)}
            kept = {list_id for (list_id,) in database.rows("SELECT list_id FROM slates")}
            assert shown <= named <= kept
            assert slates.get(next(iter(kept))) is not None
            groups = catalog.changed(0, 100)
            titles = {product.title for group in groups for product in group.products}
            assert len(titles) <= 1
            assert catalog.seq() >= seq
            assert sum(len(group.products) for group in groups) in ((40,) if title else (0, 40))
            newest = titles.pop() if titles else ""
            assert not title or int(newest.split()[1]) >= int(title.split()[1])
    assert len(acknowledged) > N_KILLS


WRITE_BESIDE = (
    SETUP
    + """
for n in range(150):
    say("event", [ack.seq for ack in log.append([named(n)]).result()])
    if n % 15 == 0:
        catalog.upsert([product(f"{run}-{n}-{k}", f"G{n}-{k}") for k in range(50)])
    if n % 50 == 0:
        log.append([named(f"bulk-{n}-{k}") for k in range(3_000)]).result()
database.close()
"""
)


def test_processes_write_beside_each_other(tmp_path: Path) -> None:
    """They also race to create the file."""
    path = tmp_path / "aisle.db"
    processes = [started(WRITE_BESIDE, str(path), f"run{n}") for n in range(3)]
    said = [heard(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    seqs = [seq for lines in said for _, acks in lines for seq in acks]  # type: ignore[attr-defined]
    assert len(seqs) == len(set(seqs)) == 450
    with Database(path) as database:
        log, catalog = SqliteEventLog(database), SqliteCatalogStore(database)
        n_events = 3 * (150 + 3 * 3_000)
        assert [one.seq for one in log.read(0, 10**9)] == list(range(1, n_events + 1))
        assert catalog.count() == (1_500, 500)
        groups = catalog.changed(0, 10_000)
        assert len({group.seq for group in groups}) == len(groups) == 500
        assert groups[-1].seq == catalog.seq()
        assert database.value("PRAGMA integrity_check") == "ok"


FILL_UP = (
    SETUP
    + """
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
n = 0
while True:
    n += 1
    try:
        acks = log.append([replace(named(f"{n}-{k}"), query="x" * 1000) for k in range(20)]).result()
    except StorageError as error:
        say("refused", str(error))
        break
    say("event", [ack.event_id for ack in acks])
try:
    catalog.upsert([product(f"P{k}", title="y" * 2000) for k in range(1_000)])
except StorageError as error:
    say("refused", str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
say("event", [ack.event_id for ack in log.append([named("after")]).result()])
say("product", catalog.upsert([product("after")]).n_added)
database.close()
"""
)


def test_a_disk_without_room_refuses_and_loses_nothing(tmp_path: Path) -> None:
    process = started(FILL_UP, str(tmp_path / "aisle.db"), "run")
    lines = heard(process)
    assert process.returncode == 0
    assert [kind for kind, _ in lines if kind != "event"] == ["refused", "refused", "product"]
    acknowledged = [event_id for kind, ids in lines if kind == "event" for event_id in ids]  # type: ignore[attr-defined]
    assert acknowledged[-1] == "run-after"
    assert len(acknowledged) > 20
    with Database(tmp_path / "aisle.db") as database:
        assert [one.event.event_id for one in SqliteEventLog(database).read(0, 10**9)] == acknowledged
        assert SqliteCatalogStore(database).count() == (1, 1)
        assert database.value("PRAGMA integrity_check") == "ok"
