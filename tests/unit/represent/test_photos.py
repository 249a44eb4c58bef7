"""Photos as vectors: each encoded once, broken ones told and left out; a network learned on the shop's own."""

import json
import wave

import numpy as np
import pytest
from PIL import Image

from aisle.adapters.files.models import FilesModelStore
from aisle.adapters.onnx.image_encoder import OnnxImageEncoder
from aisle.intake.rejects import RejectFile
from aisle.learn.photos import CARD_FILE, PHOTOS, PhotoLabels, beats_chance, fit_photos
from aisle.photos import Photos
from aisle.represent.photos import Listening, photo_vectors, photos_of, sound_vectors
from aisle.testing.image_encoder import ImageEncoderContract
from aisle.types import Group, Product

COLOURS = {"Red": (200, 30, 30), "Green": (30, 160, 40), "Blue": (40, 60, 200)}


class Vectors(dict):
    def get(self, hashes, model):
        return {h: self[model, h] for h in hashes if (model, h) in self}

    def put(self, hashes, model, vectors):
        self.update({(model, h): v for h, v in zip(hashes, vectors, strict=True)})


class MeanColour:
    """An encoder of three numbers, which counts what it is given."""

    name, dim = "mean-colour", 3

    def __init__(self):
        self.n = 0

    def encode(self, images):
        self.n += len(images)
        means = np.array([image.mean((0, 1)) for image in images], np.float32).reshape(-1, 3)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def picture(color, shape, rng):
    """A square or a disc of a colour, somewhere on a light ground, with noise."""
    pixels = np.full((64, 64, 3), 235.0)
    y, x = np.mgrid[0:64, 0:64]
    a, b, r = rng.integers(24, 40), rng.integers(24, 40), rng.integers(12, 20)
    inside = (abs(y - a) < r) & (abs(x - b) < r) if shape else (y - a) ** 2 + (x - b) ** 2 < r * r
    pixels[inside] = COLOURS[color]
    return np.clip(pixels + rng.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A media folder and 50 products of two categories in two colours each."""
    media, rng = tmp_path_factory.mktemp("media"), np.random.default_rng(0)
    groups = []
    for number in range(50):
        products = []
        for variant, color in enumerate(rng.choice(list(COLOURS), 2, replace=False)):
            name = f"p{number}-{variant}.png"
            Image.fromarray(picture(color, number % 2, rng)).save(media / name)
            products.append(
                Product(f"p{number}-{variant}", "Thing", group_id=f"g{number}", color=str(color),
                        product_type="Square" if number % 2 else "Disc", image_link=f"/media/{name}")
            )  # fmt: skip
        groups.append(Group(number, f"g{number}", tuple(products)))
    return media, groups


@pytest.fixture(scope="module")
def learned(shop, tmp_path_factory):
    """Photos of the shop with the network that a training made."""
    media, groups = shop
    place = tmp_path_factory.mktemp("models")
    photos = new_photos(media, place)
    version = photos.learn(groups, work=tmp_path_factory.mktemp("work"), minutes=10)
    return photos, version, place


def new_photos(media, models, **options):
    return Photos(
        photo_vectors(media, Vectors()),
        FilesModelStore(models),
        lambda folder: OnnxImageEncoder(folder, card=CARD_FILE, threads=1),
        **options,
    )


def one(number, *links):
    products = tuple(Product(f"p{n}", "Thing", image_link=link) for n, link in enumerate(links))
    return Group(number, f"g{number}", products)


class TestOwnNetwork(ImageEncoderContract):
    @pytest.fixture
    def encoder(self, learned):
        return learned[0].encoder


def test_it_tells_categories_and_colours_of_products_it_never_saw(learned):
    _, version, _ = learned
    assert version.metrics["color_held_out"] > version.metrics["color_most_common"] + 0.2
    assert beats_chance(version.metrics)


def test_the_next_training_finds_it_and_learns_nothing_anew(learned, shop, tmp_path):
    photos, version, place = learned
    assert photos.learn(shop[1], work=tmp_path) is None
    again = new_photos(shop[0], place)
    again.follow()
    assert again.encoder.name == photos.encoder.name
    assert again.rows(shop[1], 60).shape == (60, 64)
    assert version.note == ""


def test_a_damaged_network_leaves_the_last_good_one(learned, shop, tmp_path):
    _, version, place = learned
    for file in (place / PHOTOS).rglob("*"):
        target = tmp_path / PHOTOS / file.relative_to(place / PHOTOS)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            target.write_bytes(file.read_bytes())
    (tmp_path / PHOTOS / version.version / "model.onnx").write_bytes(b"half")
    photos = new_photos(shop[0], tmp_path)
    photos.follow()
    assert photos.of(shop[1]) == {}


def test_too_few_photos_or_labels_are_not_learned_from(tmp_path):
    pixels = np.zeros((80, 64, 64, 3), np.uint8)
    ords = np.arange(80, dtype=np.int32)
    nothing = PhotoLabels(ords, {"category": np.zeros(80, np.int32), "color": np.full(80, -1, np.int32)})
    assert fit_photos(pixels, nothing, work=tmp_path) is None
    few = PhotoLabels(ords[:9], {"category": ords[:9] % 2})
    assert fit_photos(pixels[:9], few, work=tmp_path) is None


def test_each_photo_is_encoded_once(shop):
    media, groups = shop
    encoder, store = MeanColour(), Vectors()
    first = photo_vectors(media, store).of(groups, encoder)
    assert encoder.n == 100
    again = photo_vectors(media, store).of([*groups, one(77, "/media/p0-0.png")], encoder)
    assert encoder.n == 100
    assert set(again) == {*range(50), 77}
    np.testing.assert_array_equal(first[3], again[3])
    np.testing.assert_allclose(np.linalg.norm(first[3]), 1, atol=1e-5)


def test_without_leave_to_encode_new_photos_wait(shop):
    media, groups = shop
    assert photo_vectors(media, Vectors()).of(groups, MeanColour(), encode_new=False) == {}


def test_missing_broken_and_foreign_photos_are_left_out_and_told_once(shop, tmp_path):
    media, _ = shop
    (tmp_path / "ok.png").write_bytes((media / "p0-0.png").read_bytes())
    (tmp_path / "half.png").write_bytes((media / "p0-0.png").read_bytes()[:90])
    groups = [
        one(0, "/media/ok.png", "/media/half.png"), one(1, "/media/half.png"), one(2, "/media/gone.png"),
        one(3, "https://example.com/a.jpg"), one(4, ""), one(5, "/media/../secret.key"), Group(6, "g6", ()),
    ]  # fmt: skip
    photos = new_photos(
        tmp_path, tmp_path / "models", pretrained=MeanColour(), rejects=RejectFile(tmp_path / "rejects.jsonl")
    )
    for _ in range(2):
        assert set(photos.of(groups)) == {0}
    told = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert sorted(row["file"] for row in told) == ["media/gone.png", "media/half.png"]
    assert all(row["field"] == "image_link" and row["reason"] for row in told)
    assert not photos.rows(groups, 7)[1:].any()
    assert photos.rows(groups[1:], 7) is None
    assert photos_of(groups[5]) == []


def test_learning_skips_what_cannot_be_read(shop, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    photos = new_photos(tmp_path, tmp_path / "models")
    pixels, known = photos.pixels_of([one(0, "/media/a.png")])
    assert pixels.shape == (0, 64, 64, 3)
    assert len(known.ords) == 0
    assert photos.learn([one(0, "/media/a.png")], work=tmp_path / "w") is None


class Loudness:
    """An audio encoder of two numbers, which counts what it is given."""

    name, dim, n = "loudness", 2, 0

    def encode(self, waveforms, rate):
        self.n += len(waveforms)
        loud = np.array([[np.abs(w).mean(), 1 / rate * len(w)] for w in waveforms], np.float32)
        return loud / np.linalg.norm(loud, axis=1, keepdims=True)


def test_recordings_stand_beside_photos_and_broken_ones_are_told(shop, tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(np.full(4000, 9000, "<i2").tobytes())
    (tmp_path / "b.wav").write_bytes(b"no sound")
    (tmp_path / "ok.png").write_bytes((shop[0] / "p0-0.png").read_bytes())

    def heard(number, name, photo=""):
        link = {"audio_link": (f"/media/{name}",)} if name else {}
        return Group(number, f"g{number}", (Product(f"p{number}", "T", image_link=photo, attributes=link),))

    groups = [heard(0, "a.wav", "/media/ok.png"), heard(1, "b.wav"), heard(2, ""), heard(3, "", "/media/ok.png")]
    encoder = Loudness()
    photos = new_photos(
        tmp_path, tmp_path / "models", pretrained=MeanColour(), sounds=sound_vectors(tmp_path, Vectors()),
        listening=Listening(encoder), rejects=RejectFile(tmp_path / "rejects.jsonl"),
    )  # fmt: skip
    for _ in range(2):
        rows = photos.rows(groups, 4)
    assert rows.shape == (4, 5)
    assert rows[:, :3].any(1).tolist() == [True, False, False, True]
    assert rows[:, 3:].any(1).tolist() == [True, False, False, False]
    assert encoder.n == 1
    (told,) = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert (told["file"], told["field"]) == ("media/b.wav", "audio_link")
