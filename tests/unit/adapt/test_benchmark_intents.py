"""The intent benchmark answers every row of the test in its own order, and says what flatters it."""

import json
import sys
from pathlib import Path

import polars as pl
import pytest

from .conftest import texts_of

BENCHMARKS = str(Path(__file__).parents[3] / "benchmarks")


@pytest.fixture
def intents(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import intents

    yield intents
    sys.modules.pop("intents", None)


def test_every_row_gets_a_prediction_and_shared_rows_are_told(intents, source, labels_file, tmp_path, capsys):
    texts, labels = texts_of(30, 9)
    texts[0] = pl.read_csv(labels_file)["text"][0].upper()
    test = pl.DataFrame({"id": range(30), "label": labels, "text": texts})
    test.write_csv(tmp_path / "test.csv")
    command = ["--train", str(labels_file), "--test", str(tmp_path / "test.csv"), "--out", str(tmp_path / "out.csv")]
    command += ["--method", "head", "--shots", "20", "--seeds", "2", "--encoder", str(source)]
    command += ["--threads", "1", "--served"]
    intents.main(command)
    out = pl.read_csv(tmp_path / "out.csv")
    assert out.columns == ["id", "label", "text", "prediction"]
    assert out.drop("prediction").equals(test)
    told = capsys.readouterr().out.splitlines()
    assert "1 of 30 test texts are also in the training file" in told[0]
    summary = json.loads(told[-1])
    assert summary["seeds"] == 2
    assert 0 < summary["accuracy"] <= 1
    assert {"macro_f1", "share", "s", "peak_mb"} <= set(summary)
    assert summary["served_bits"] == 32  # so small a model keeps them
    assert summary["served_accuracy"] == summary["accuracy"]
    right = (out["prediction"] == out["label"]).mean()
    assert f"accuracy {right:.4f}" in told[1]


def test_a_recipe_without_that_number_is_told(intents, labels_file):
    with pytest.raises(SystemExit, match="no 'epoch'"):
        intents.main(["--train", str(labels_file), "--choose", "--method", "head", "--set", "epoch=3"])
