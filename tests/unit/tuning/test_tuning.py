"""Steps that survive a kill, and what is learned from."""

import numpy as np
import pytest
import torch

from aisle.errors import TrainingFailed
from aisle.learn import tuning
from aisle.learn.judgements import Judgements
from aisle.learn.tuning import Course, cases_of, ndcg, rows_of, split, train


def test_cases_are_queries_with_something_relevant_among_those_allowed():
    judgements = Judgements(
        ("sink", "tap", "nothing good", "not asked"),
        np.array([1, 0, 2, 0, 3], np.int32),
        np.array([7, 5, 6, 8, 5], np.int32),
        np.array([0.5, 1, 0, 0, 1], np.float32),
        np.ones(5, np.float32),
    )
    candidates = [np.array(c, np.int32) for c in ([5, 9, 8], [7], [1], [2])]
    sink, tap = cases_of(judgements, candidates, np.array([True, True, True, False]))
    assert (sink.text, sink.ords.tolist(), sink.gain.tolist(), sink.others.tolist()) == ("sink", [5, 8], [1, 0], [9])
    assert (tap.text, tap.others.tolist()) == ("tap", [])
    ords, gain = sink.to_rank(10)
    assert ords.tolist() == [5, 8, 9]
    assert gain.tolist() == [1, 0, 0]


def test_ndcg_is_one_in_the_best_order_only():
    gain = np.array([0, 1, 0.5], np.float32)
    assert ndcg(np.array([0, 2, 1], np.float32), gain) == pytest.approx(1)
    assert ndcg(np.array([2, 0, 1], np.float32), gain) < 0.8


def test_an_epoch_goes_through_every_case_once():
    first = [row for step in range(5) for row in rows_of(3, step, 4, 20)]
    second = [row for step in range(5, 10) for row in rows_of(3, step, 4, 20)]
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_what_is_held_out_is_not_learned_from():
    learn, held = split(list(range(40)), 100, np.random.default_rng(0))
    assert len(held) == 4
    assert sorted([*learn, *held]) == list(range(40))


def run(work, *, stop_at=None, seconds=0.0, bad=False):
    """Fit a line to numbers drawn by step; the run may be killed at a step."""
    torch.manual_seed(1)
    network = torch.nn.Linear(3, 1)

    def loss(rng, step):
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(rng.normal(size=(8, 3)).astype(np.float32))
        return (network(x)[:, 0] - x.sum(1)).square().mean() * (float("nan") if bad else 1.0)

    def score():
        return -float((network.weight.detach() - 1).abs().sum())

    course = Course(60, 3, 0.05, seconds, 5, work)
    told = train("line", network, course, loss, score, lambda _done, _of: None)
    return network.weight.detach().numpy().copy(), told


def test_a_killed_training_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "SAVE_EVERY_S", 0.0)
    whole, told = run(tmp_path / "whole")
    assert told["best"] > told["before"]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", stop_at=33)
    resumed, _ = run(tmp_path / "killed")
    np.testing.assert_array_equal(resumed, whole)


def test_a_damaged_checkpoint_means_beginning_anew(tmp_path):
    whole, _ = run(tmp_path / "whole")
    (tmp_path / "whole" / "last.safetensors").write_bytes(b"half of")
    again, _ = run(tmp_path / "whole")
    np.testing.assert_array_equal(again, whole)


def test_with_less_time_there_are_fewer_steps(tmp_path):
    _, told = run(tmp_path, seconds=1e-6)
    assert told["step"] == 0
    slow = Course(100, 3, 1.0, 10.0, 0, tmp_path)
    assert slow.done(10, 2.0, 0.0) == pytest.approx(0.2)
    assert slow.done(50, 2.0, 0.0) == pytest.approx(0.5)
    assert slow.rate(0.0) < slow.rate(0.05) < slow.rate(0.1) > slow.rate(0.5) > slow.rate(1.0) == 0


def test_a_loss_that_is_no_number_stops_it(tmp_path):
    with pytest.raises(TrainingFailed, match="no longer a number"):
        run(tmp_path, bad=True)
