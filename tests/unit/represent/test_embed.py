"""Texts of products, and vectors that are made once."""

import numpy as np
import pytest

from aisle.represent.embed import embed
from aisle.represent.texts import hash_of, text_of
from aisle.types import Group, Product


class CountingEncoder:
    name, dim = "counting", 4

    def __init__(self, fails_at=None):
        self.texts, self.fails_at = [], fails_at

    def knows(self, word):
        return False

    def covers(self, language):
        return language == "en"

    def encode(self, texts):
        if self.fails_at is not None and len(self.texts) + len(texts) > self.fails_at:
            raise RuntimeError("killed")
        self.texts += texts
        drawn = [np.random.default_rng(int(hash_of(t)[:8], 16)).standard_normal(4) for t in texts]
        return np.array([d / np.linalg.norm(d) for d in drawn], np.float32)


class Vectors(dict):
    def get(self, hashes, model):
        return {h: self[model, h] for h in hashes if (model, h) in self}

    def put(self, hashes, model, vectors):
        self.update({(model, h): v for h, v in zip(hashes, vectors, strict=True)})


def group(number, title, **fields):
    return Group(number, f"g{number}", (Product(f"p{number}", title, **fields),))


def variants(*titles, **fields):
    return Group(1, "g", tuple(Product(f"p{n}", title, **fields) for n, title in enumerate(titles)))


def test_reads_what_shoppers_search_by():
    hoodies = tuple(
        Product(f"p{n}", f"Teton Hoodie-{s}-{c}", color=c, size=s, brand="Luma", product_type="Men > Tops > Hoodies",
                description="Soft.")
        for n, (c, s) in enumerate([("Red", "XS"), ("Black", "S"), ("Red", "XL")])
    )  # fmt: skip
    assert text_of(Group(1, "g", hoodies)) == "Teton Hoodie. Hoodies. Red Black"


def test_without_a_category_the_description_says_what_it_is():
    text = text_of(group(1, "Apex 5", brand="Apex", description="<p>Soft &amp; warm\n gloves.</p>" + " word" * 5000))
    assert text.startswith("Apex 5. Soft & warm gloves. word word")
    assert len(text) < 200
    assert text_of(group(1, "One", brand="Luma")) == "One. Luma"


def test_no_products_no_text():
    assert text_of(Group(1, "g", ())) == ""


def test_variants_share_their_titles_beginning():
    assert text_of(variants("Eos V-Neck Hoodie-XS-Red", "Eos V-Neck Hoodie-XL-Red")) == "Eos V-Neck Hoodie"
    assert text_of(variants("Yoga Pant -32-Black", "Yoga Pant -33-Black")) == "Yoga Pant"
    assert text_of(variants("Red Shirt", "Blue Shirt")) == "Red Shirt"
    assert text_of(variants("Same", "Same")) == "Same"


def test_every_living_group_gets_its_vector():
    encoder, groups = CountingEncoder(), [group(7, "one"), Group(8, "gone", ()), group(3, "two"), group(9, "one")]
    found = embed(groups, encoder, Vectors())
    assert found.ords.tolist() == [7, 3, 9]
    assert found.ords.dtype == np.int32
    np.testing.assert_array_equal(found.vectors[0], found.vectors[2])
    assert (found.n_encoded, found.n_missing, encoder.texts) == (2, 0, ["one", "two"])


def test_what_is_known_is_not_encoded_again():
    encoder, store = CountingEncoder(), Vectors()
    first = embed([group(1, "one"), group(2, "two")], encoder, store)
    again = embed([group(1, "one"), group(2, "two"), group(3, "three")], encoder, store)
    assert encoder.texts == ["one", "two", "three"]
    np.testing.assert_array_equal(again.vectors[:2], first.vectors)


def test_without_leave_to_encode_new_texts_wait():
    encoder, store = CountingEncoder(), Vectors()
    embed([group(1, "one")], encoder, store)
    found = embed([group(1, "one"), group(2, "two")], encoder, store, encode_new=False)
    assert (found.ords.tolist(), found.n_missing, found.n_encoded) == ([1], 1, 0)
    assert embed([group(2, "two")], encoder, store, encode_new=False).vectors.shape == (0, 4)


def test_a_killed_run_goes_on_where_it_stopped():
    store, groups, seen = Vectors(), [group(n, f"title {n}") for n in range(3000)], []
    with pytest.raises(RuntimeError, match="killed"):
        embed(groups, CountingEncoder(fails_at=2500), store)
    second = CountingEncoder()
    found = embed(groups, second, store, lambda *step: seen.append(step))
    assert len(found.ords) == 3000
    assert 0 < len(second.texts) == found.n_encoded < 1000
    assert seen[-1] == ("Reading products", found.n_encoded, found.n_encoded)
