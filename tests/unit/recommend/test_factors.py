"""Factorisation: tastes are learnt, the next event counts at once, bad input is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aisle.errors import TrainingFailed
from aisle.learn.factors import WAYS, Factorised, fit_factors
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.steady import steadily
from aisle.learn.tastes import HeldOut, Tastes
from aisle.ports import Recommender, Shopper
from aisle.retrieve.factors import Factors
from aisle.testing.recommender import RecommenderContract
from aisle.types import Ords

N_SIDE = 30
NONE = np.empty(0, np.int32)


def two_tastes(n_shoppers: int = 120, seed: int = 0) -> Interactions:
    """Half of the shoppers take products below N_SIDE, half those above, eight each."""
    rng = np.random.default_rng(seed)
    return Interactions.of_sequences(
        (rng.choice(N_SIDE, 8, replace=False) + N_SIDE * (who % 2)).tolist() for who in range(n_shoppers)
    )


def silent(stage: str, done: int, total: int) -> None:
    pass


def fitted(work: Path, way: str, before: Fitted | None = None) -> Fitted:
    past = two_tastes()
    made = fit_factors(
        past, ItemTable.blank(past.n_ords), work=work, progress=silent, seed=3, ways=(way,), before=before
    )
    assert made is not None
    return made


@pytest.fixture(scope="module", params=WAYS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fitted(tmp_path_factory.mktemp("work"), request.param)


class TestFactors(RecommenderContract):
    @pytest.fixture
    def recommender(self, model: Fitted) -> Recommender:
        return Factors.of(model.arrays)

    @pytest.fixture
    def known(self) -> Ords:
        return np.array([3, 5], np.int32)


def test_shoppers_of_a_taste_are_shown_that_taste(model: Fitted) -> None:
    source = Factors.of(model.arrays)
    for side in (0, N_SIDE):
        found = source.recommend(Shopper.of_sequence(np.array([side + 1, side + 2, side + 3])), NONE, 10)
        assert (found.ords // N_SIDE == side // N_SIDE).all()
        assert len(found) == 10
        assert found.because is not None
        assert np.isin(found.because, [side + 1, side + 2, side + 3]).all()


def test_the_last_event_counts_at_once(model: Fitted) -> None:
    source = Factors.of(model.arrays)
    before = Shopper.of_sequence(np.array([1, 2], np.int32))
    after = Shopper.of_sequence(np.array([1, 2, N_SIDE + 1, N_SIDE + 2], np.int32))
    assert (source.recommend(before, NONE, 10).ords < N_SIDE).all()
    moved = source.recommend(after, NONE, 20)
    assert (moved.ords >= N_SIDE).any()


def test_what_is_known_is_not_proposed(model: Fitted) -> None:
    shopper = Shopper.of_sequence(np.arange(20, dtype=np.int32))
    found = Factors.of(model.arrays).recommend(shopper, NONE, 60)
    assert not np.isin(found.ords, np.arange(20)).any()


def test_the_same_seed_gives_the_same_vectors(tmp_path: Path, model: Fitted) -> None:
    again = fitted(tmp_path, str(model.params["way"]))
    assert all((again.arrays[name] == array).all() for name, array in model.arrays.items())


def test_a_fit_for_good_keeps_the_choices_and_learns_from_everything(tmp_path: Path, model: Fitted) -> None:
    final = fitted(tmp_path, str(model.params["way"]), before=model)
    assert final.params["way"] == model.params["way"]
    assert final.arrays["half"] == model.arrays["half"]
    assert final.arrays["items"].shape == model.arrays["items"].shape
    assert list(tmp_path.iterdir()) == [], "no checkpoint is left behind"


def test_training_and_serving_fold_a_shopper_in_alike(model: Fitted) -> None:
    tastes = Tastes.of(two_tastes())
    _, cases = HeldOut.of(tastes, most=40, seed=1)
    arrays = model.arrays
    one = Factorised(
        "any", arrays["items"], float(arrays["half"][0]), arrays.get("gram"), float(arrays["confidence"][0])
    )
    source, folded = Factors.of(arrays), one.shoppers(cases)
    for case in range(len(cases)):
        before = cases.before[cases.starts[case] : cases.starts[case + 1]]
        scores = folded[case] @ one.items.T
        scores[before] = -np.inf
        best = tastes.ords[int(scores.argmax())]
        assert source.recommend(Shopper.of_sequence(tastes.ords[before]), NONE, 1).ords.tolist() == [best]


def test_the_best_way_is_chosen_on_what_was_held_out(tmp_path: Path) -> None:
    past = two_tastes()
    made = fit_factors(past, ItemTable.blank(past.n_ords), work=tmp_path, progress=silent, seed=3)
    assert made is not None
    assert made.params["way"] in WAYS
    ndcg = {way: made.metrics[f"{way}.heldout_ndcg@20"] for way in WAYS}
    assert ndcg[made.params["way"]] == max(ndcg.values()) > made.metrics["popularity.heldout_ndcg@20"]


@pytest.mark.parametrize("sequences", [[], [[0], [1], [2]], [[0, 1, 2, 3, 4]], [[0, 1]] * 300])
def test_too_little_data_is_no_model(sequences: list[list[int]], tmp_path: Path) -> None:
    past = Interactions.of_sequences(sequences)
    assert fit_factors(past, ItemTable.blank(5), work=tmp_path, progress=silent) is None


def test_numbers_that_run_away_are_never_saved(tmp_path: Path) -> None:
    past = two_tastes()
    past.strength[:] = np.nan
    with pytest.raises(TrainingFailed):
        fit_factors(past, ItemTable.blank(past.n_ords), work=tmp_path, progress=silent, ways=("lightgcn",))


def test_one_shopper_with_everything_does_not_draw_the_whole_map() -> None:
    hoarder = list(range(3000))
    tastes = Tastes.of(Interactions.of_sequences([hoarder, [5, 6, 7]]))
    assert np.bincount(tastes.shopper).tolist() == [400, 3]


def test_a_killed_lightgcn_is_taken_up_where_it_was(tmp_path: Path) -> None:
    from aisle.learn.light import _Run

    tastes = Tastes.of(two_tastes())
    with steadily(7, 1):
        whole = _Run(tastes, 7)
        for _ in range(4):
            whole.one_round()
    with steadily(7, 1):
        first = _Run(tastes, 7)
        for _ in range(2):
            first.one_round()
        first.keep(tmp_path / "kept")
        second = _Run(tastes, 7)
        second.restore(tmp_path / "kept")
        assert second.round == 2
        for _ in range(2):
            second.one_round()
    assert np.allclose(second.vectors(), whole.vectors(), atol=1e-6)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    from aisle.learn.light import _Run

    (tmp_path / "kept").write_bytes(b"not a checkpoint")
    run = _Run(Tastes.of(two_tastes()), 7)
    run.restore(tmp_path / "kept")
    assert run.round == 0
