"""Contract suites of the small stores: content, vectors, states, keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aisle.errors import AisleError, InvalidRequest
from aisle.ports import ApiKey, ContentStore, KeyStore, LabelStore, StateStore, VectorStore
from aisle.testing.samples import ODD_TEXT
from aisle.types import Judgement, Label, Page, Promotion, Review


class ContentStoreContract:
    """What every ContentStore does."""

    @pytest.fixture
    def store(self) -> ContentStore:
        raise NotImplementedError("give an empty ContentStore")

    def test_reviews(self, store: ContentStore) -> None:
        assert isinstance(store, ContentStore)
        reviews = [
            Review("r1", "A", 5.0, "Good", ODD_TEXT, "Ann", 10),
            Review("r2", "A", 2.0, time_ms=20),
            Review("r3", "B", 4.0),
        ]
        assert store.upsert_reviews(reviews) == (3, 0, 0)
        version = store.version()
        assert store.upsert_reviews(reviews) == (0, 0, 3)
        assert store.version() == version
        assert store.reviews(["A"], 10) == [reviews[1], reviews[0]]
        assert store.reviews(["A", "B"], 1) == [reviews[1]]
        assert store.ratings() == {"A": (3.5, 2), "B": (4.0, 1)}
        assert store.upsert_reviews([replace(reviews[2], rating=1.0)]) == (0, 1, 0)
        assert store.version() > version
        assert store.ratings()["B"] == (1.0, 1)

    def test_promotions_hold_between_their_moments(self, store: ContentStore) -> None:
        always = Promotion("p0", "Always", "desc", "CODE", details={"minimum": "50"})
        summer = Promotion("p1", "Summer", starts_ms=100, ends_ms=200)
        assert store.upsert_promotions([always, summer]) == (2, 0, 0)
        assert store.upsert_promotions([always, replace(summer, name="Sun")]) == (0, 1, 1)
        assert [p.promotion_id for p in store.promotions(99)] == ["p0"]
        assert store.promotions(100) == [always, replace(summer, name="Sun")]
        assert store.promotions(200) == [always]

    def test_pages(self, store: ContentStore) -> None:
        page = Page("returns", "Returns", ODD_TEXT)
        assert store.upsert_pages([page, page]) == (1, 0, 0)
        assert store.upsert_pages([page]) == (0, 0, 1)
        assert store.pages() == [page]

    def test_judgements_are_of_a_query_and_an_item(self, store: ContentStore) -> None:
        red = Judgement("red shoe", "A", 3.0)
        assert store.upsert_judgements([red, Judgement("red shoe", "B", 1.0), Judgement("boot", "A", 0.0)]) == (3, 0, 0)
        assert store.upsert_judgements([replace(red, grade=2.0)]) == (0, 1, 0)
        assert store.judgements() == [
            Judgement("boot", "A", 0.0),
            Judgement("red shoe", "A", 2.0),
            Judgement("red shoe", "B", 1.0),
        ]
        with pytest.raises(InvalidRequest):
            store.upsert_judgements([Judgement("half a pair \ud800", "A", 1.0)])

    def test_refuses_text_that_is_not_unicode(self, store: ContentStore) -> None:
        with pytest.raises(InvalidRequest):
            store.upsert_pages([Page("a", "fine", "half a pair \ud800")])
        assert store.pages() == []


class LabelStoreContract:
    """What every LabelStore does."""

    @pytest.fixture
    def store(self) -> LabelStore:
        raise NotImplementedError("give an empty LabelStore")

    def test_a_text_has_one_label_for_a_task(self, store: LabelStore) -> None:
        assert isinstance(store, LabelStore)
        assert store.labels("intent") == []
        first = Label("intent", "Where is my order", "order", "Ann", 10)
        store.put(first)
        store.put(Label("intent", ODD_TEXT, ODD_TEXT, "", 20))
        store.put(Label("sentiment", "Where is my order", "neutral", "Ann", 5))
        assert store.labels("intent") == [first, Label("intent", ODD_TEXT, ODD_TEXT, "", 20)]
        again = Label("intent", "where is my ORDER", "help", "Bob", 30)
        store.put(again)
        assert store.labels("intent") == [Label("intent", ODD_TEXT, ODD_TEXT, "", 20), again]
        assert [one.label for one in store.labels("sentiment")] == ["neutral"]

    def test_a_label_is_taken_back(self, store: LabelStore) -> None:
        store.put(Label("intent", "Straße", "product", "", 1))
        assert not store.remove("category", "Straße")
        assert store.remove("intent", "STRASSE")
        assert not store.remove("intent", "Straße")
        assert store.labels("intent") == []


class VectorStoreContract:
    """What every VectorStore does."""

    @pytest.fixture
    def store(self) -> VectorStore:
        raise NotImplementedError("give an empty VectorStore")

    def test_gives_vectors_back_by_hash_and_model(self, store: VectorStore) -> None:
        assert isinstance(store, VectorStore)
        rng = np.random.default_rng(0)
        hashes = [f"{n:064x}" for n in range(2_500)]
        vectors = rng.standard_normal((2_500, 8)).astype(np.float32)
        store.put(hashes, "minilm", vectors)
        found = store.get([*hashes, "unknown"], "minilm")
        assert list(found) == sorted(hashes)
        np.testing.assert_allclose(np.stack([found[h] for h in hashes]), vectors, rtol=1e-3, atol=1e-3)
        assert found[hashes[0]].dtype == np.float32
        assert store.get(hashes[:5], "another") == {}
        store.put(hashes[:1], "minilm", np.ones((1, 8), np.float32))
        assert store.get(hashes[:1], "minilm")[hashes[0]].tolist() == [1.0] * 8

    def test_what_models_of_the_past_made_can_be_dropped(self, store: VectorStore) -> None:
        hashes, vectors = [f"{n:064x}" for n in range(2_500)], np.ones((2_500, 8), np.float32)
        for model in ("tuned-1", "tuned-2", "minilm"):
            store.put(hashes, model, vectors)
        store.keep_only("tuned-", {"tuned-2"})
        assert [len(store.get(hashes, model)) for model in ("tuned-1", "tuned-2", "minilm")] == [0, 2_500, 2_500]
        store.put(hashes[:1], "tuned-1", vectors[:1])
        assert len(store.get(hashes, "tuned-1")) == 1

    def test_nothing_in_nothing_out(self, store: VectorStore) -> None:
        store.put([], "minilm", np.empty((0, 8), np.float32))
        assert store.get([], "minilm") == {}


class StateStoreContract:
    """What every StateStore does."""

    @pytest.fixture
    def store(self) -> StateStore:
        raise NotImplementedError("give an empty StateStore")

    def test_keeps_the_latest_snapshot(self, store: StateStore) -> None:
        assert isinstance(store, StateStore)
        assert store.load("shoppers") is None
        store.save("shoppers", 7, b"\x00one")
        store.save("shoppers", 9, b"two")
        store.save("trending", 1, b"")
        assert store.load("shoppers") == (9, b"two")
        assert store.load("trending") == (1, b"")
        store.drop("shoppers")
        store.drop("shoppers")
        assert store.load("shoppers") is None


class KeyStoreContract:
    """What every KeyStore does."""

    @pytest.fixture
    def store(self) -> KeyStore:
        raise NotImplementedError("give an empty KeyStore")

    def test_keys_are_found_by_hash_and_revoked_once(self, store: KeyStore) -> None:
        assert isinstance(store, KeyStore)
        first = ApiKey("k1", "storefront", ("search", "events"), "aa" * 32, 10)
        second = ApiKey("k2", ODD_TEXT, ("admin",), "bb" * 32, 20)
        store.add(second)
        store.add(first)
        assert store.keys() == [first, second]
        assert (store.find("aa" * 32), store.find("cc" * 32)) == (first, None)
        assert (store.revoke("k1", 30), store.revoke("k1", 40), store.revoke("k9", 40)) == (True, False, False)
        assert store.find("aa" * 32) == replace(first, revoked_ms=30)

    def test_a_hash_belongs_to_one_key(self, store: KeyStore) -> None:
        store.add(ApiKey("k1", "one", ("search",), "aa" * 32, 10))
        with pytest.raises(AisleError):
            store.add(ApiKey("k2", "two", ("search",), "aa" * 32, 20))
        assert len(store.keys()) == 1
