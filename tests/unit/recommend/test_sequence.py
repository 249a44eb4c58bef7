"""The sequence model: fitted, exported, resumed, taken further."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.sequence import MODEL_FILE, fit_sequence, hold_out_last
from aisle.learn.sequence_training import Held, SequenceRecipe, Sequences
from aisle.learn.spectral import spectral_vectors
from aisle.ports import Shopper
from aisle.retrieve.sequence import Sequence

N_ITEMS = 60
RECIPE = SequenceRecipe(dim=16, dropouts=(0.1, 0.2), max_length=10, negatives=40, n_tokens=256, max_epochs=4)
NOTHING = np.empty(0, np.int32)


def chains(n: int, seed: int = 0) -> list[list[int]]:
    """Shoppers who walk along a ring: after item i comes i + 1, now and then i + 2."""
    rng = np.random.default_rng(seed)
    walks = []
    for _ in range(n):
        at = int(rng.integers(N_ITEMS))
        walk = [at]
        for _ in range(int(rng.integers(4, 9))):
            at = (at + 1 + int(rng.random() < 0.2)) % N_ITEMS
            walk.append(at)
        walks.append(walk)
    return walks


def silent(stage: str, done: int, total: int) -> None:
    pass


def fit(work: Path, n: int = 400, **options: object) -> Fitted:
    found = fit_sequence(
        Interactions.of_sequences(chains(n)),
        options.pop("items", ItemTable.blank(N_ITEMS)),  # type: ignore[arg-type]
        recipe=RECIPE,
        work=work,
        progress=silent,
        threads=1,
        **options,  # type: ignore[arg-type]
    )
    assert found is not None
    return found


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(tmp_path_factory.mktemp("sequence"))


def source(fitted: Fitted) -> Sequence:
    return Sequence.of(fitted.arrays, fitted.files[MODEL_FILE].parent, max_length=10)


def test_it_learns_what_comes_next_and_names_the_step_that_led_there(fitted: Fitted) -> None:
    found = source(fitted).recommend(Shopper.of_sequence(np.array([3, 4, 5], np.int32)), NOTHING, 5)
    assert 6 in found.ords[:2].tolist()
    assert found.because is not None
    assert set(found.because.tolist()) <= {3, 4, 5}
    assert (np.diff(found.scores) <= 0).all()
    assert np.exp(found.scores).sum() <= 1.0001  # logarithms of probabilities


def test_the_order_of_the_steps_matters(fitted: Fitted) -> None:
    asked = source(fitted)
    forth = asked.recommend(Shopper.of_sequence(np.array([20, 40], np.int32)), NOTHING, 3).ords
    back = asked.recommend(Shopper.of_sequence(np.array([40, 20], np.int32)), NOTHING, 3).ords
    assert forth.tolist() != back.tolist()


def test_seeds_are_the_newest_steps_and_strangers_get_nothing(fitted: Fitted) -> None:
    asked = source(fitted)
    with_seed = asked.recommend(Shopper.of_sequence(np.array([3, 4], np.int32)), np.array([5], np.int32), 5)
    without = asked.recommend(Shopper.of_sequence(np.array([3, 4, 5], np.int32)), NOTHING, 5)
    assert with_seed.ords.tolist() == without.ords.tolist()
    assert len(asked.recommend(Shopper.of_sequence(NOTHING), NOTHING, 5)) == 0
    assert len(asked.recommend(Shopper.of_sequence(np.array([9999], np.int32)), NOTHING, 5)) == 0
    assert len(asked.recommend(Shopper.of_sequence(np.array([1], np.int32)), NOTHING, 500)) == N_ITEMS - 1


def test_through_an_index_it_says_nearly_the_same(fitted: Fitted) -> None:
    """This index is exact, so the order is the same; the probabilities are of a sample, here of all."""
    shopper = Shopper.of_sequence(np.array([3, 4, 3, 5], np.int32))
    vectors = fitted.arrays["vectors"]
    through = Sequence.of(fitted.arrays, fitted.files[MODEL_FILE].parent, index=FaissDenseIndex(vectors.shape[1]))
    plainly = source(fitted).recommend(shopper, NOTHING, 20)
    assert through.recommend(shopper, NOTHING, 20).ords.tolist() == plainly.ords.tolist()  # not filled yet
    through.keep_up()
    found = through.recommend(shopper, NOTHING, 20)
    assert found.ords.tolist() == plainly.ords.tolist()
    assert np.allclose(found.scores, plainly.scores, atol=1e-4)
    assert found.because is not None
    assert plainly.because is not None
    assert found.because.tolist() == plainly.because.tolist()


def test_the_same_seed_gives_the_same_model(fitted: Fitted, tmp_path: Path) -> None:
    again = fit(tmp_path)
    assert np.array_equal(again.arrays["vectors"], fitted.arrays["vectors"])


def test_a_training_that_was_stopped_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aisle.learn import sequence_training

    epochs: list[int] = []

    def stop_in_the_third(self: sequence_training.Run, optimizer: object, epoch: int, rate: float) -> None:
        epochs.append(epoch)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        whole(self, optimizer, epoch, rate)  # type: ignore[arg-type]

    whole = sequence_training.Run._epoch
    monkeypatch.setattr(sequence_training.Run, "_epoch", stop_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    stopped = fit(tmp_path)
    assert epochs[:4] == [0, 1, 2, 2]
    monkeypatch.setattr(sequence_training.Run, "_epoch", whole)
    straight = fit(tmp_path / "straight")
    assert np.allclose(stopped.arrays["vectors"], straight.arrays["vectors"], atol=1e-5)


def test_a_checkpoint_that_cannot_be_read_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "member-0").mkdir()
    (tmp_path / "member-0" / "last.safetensors").write_bytes(b"half a file")
    assert fit(tmp_path).arrays["vectors"].any()


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aisle.learn import sequence_training

    broken = np.full((N_ITEMS, RECIPE.dim), np.nan, np.float32)
    monkeypatch.setattr(sequence_training, "spectral_vectors", lambda *given, **named: broken)
    with pytest.raises(TrainingFailed, match="no longer a number"):
        fit(tmp_path)


def test_an_item_without_history_is_known_by_its_text(tmp_path: Path) -> None:
    """Items 50 and up are in nobody's history; their text is that of items 40 to 49."""
    rng = np.random.default_rng(0)
    text = rng.standard_normal((N_ITEMS, 12)).astype(np.float32)
    text[50:] = text[40:50]
    walks = [[item for item in walk if item < 50] for walk in chains(600)]
    past = Interactions.of_sequences([walk for walk in walks if len(walk) > 1])
    found = fit_sequence(
        past,
        ItemTable.blank(N_ITEMS, text=text),
        recipe=replace(RECIPE, p_content_only=0.3, max_epochs=8),
        work=tmp_path,
        progress=silent,
        threads=1,
    )
    assert found is not None
    proposed = source(found).recommend(Shopper.of_sequence(np.array([41, 42, 43], np.int32)), NOTHING, 60).ords
    assert {53, 54, 55} & set(proposed[proposed >= 50][:3].tolist())  # like 43 to 45, which are near


def test_it_is_fitted_again_on_a_longer_log_with_new_items(fitted: Fitted, tmp_path: Path) -> None:
    """Item 60 is new: it comes between 10 and 11 in all the newer walks."""
    newer = [[*range(7, 11), 60, 11, 12] for _ in range(120)]
    past = Interactions.of_sequences([*chains(400), *newer])
    after = fit_sequence(
        past, ItemTable.blank(N_ITEMS + 1), before=fitted, recipe=RECIPE, work=tmp_path, progress=silent, threads=1
    )
    assert after is not None
    assert len(after.arrays["vectors"]) == N_ITEMS + 1
    proposed = source(after).recommend(Shopper.of_sequence(np.array([8, 9, 10], np.int32)), NOTHING, 5).ords.tolist()
    assert 60 in proposed


def test_too_little_to_learn_from(tmp_path: Path) -> None:
    for walks in ([], [[1]], [[1, 2], [2, 3]]):
        past = Interactions.of_sequences(walks)
        assert fit_sequence(past, ItemTable.blank(5), work=tmp_path, progress=silent) is None


def test_a_visitor_of_a_hundred_thousand_steps_costs_no_more_than_others(tmp_path: Path) -> None:
    walks = [*chains(300), [n % N_ITEMS for n in range(100_000)]]
    past, held = hold_out_last(Interactions.of_sequences(walks))
    from aisle.learn.sequence import _windows

    assert _windows(past, 10).sizes.sum() < 10_000
    assert len(held) == 50


def test_only_steps_to_something_new_are_foretold() -> None:
    held = Held([np.array([1, 2]), np.array([3, 1]), np.array([5])], np.array([2, 4, 6], np.int32)).of_new_items()
    assert held.targets.tolist() == [4, 6]
    assert [history.tolist() for history in held.histories] == [[3, 1], [5]]


def test_windows_are_read_backwards_too() -> None:
    windows = Sequences(np.array([1, 2, 3, 7, 8]), np.array([0, 3, 5]))
    assert windows.reversed().flat.tolist() == [3, 2, 1, 8, 7]
    assert windows.reversed().starts.tolist() == [0, 3, 5]


def test_what_the_shopper_had_is_left_to_the_repeats(fitted: Fitted) -> None:
    """The walks go on by one; the shopper had the next two already."""
    had = np.array([12, 13, 10, 11], np.int32)
    assert not set(had.tolist()) & set(source(fitted).recommend(Shopper.of_sequence(had), NOTHING, 60).ords.tolist())


def test_spectral_vectors_put_what_is_together_side_by_side() -> None:
    lists = [[0, 1, 2], [1, 0, 2], [3, 4, 5], [5, 4, 3]] * 20
    past = Interactions.of_sequences(lists)
    vectors = spectral_vectors(past.ords, past.starts(past.visitor), 7, 2)
    assert vectors[0] @ vectors[1] > 0.8
    assert abs(vectors[0] @ vectors[4]) < 0.3
    assert not vectors[6].any()


def test_validation_counts_reciprocal_places(fitted: Fitted) -> None:
    assert fitted.metrics["valid_mrr@20"] > 0.3
    assert json.dumps(dict(fitted.params))  # goes into the version's card
