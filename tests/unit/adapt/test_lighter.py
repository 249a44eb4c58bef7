"""A shop's encoder made lighter: every model of the table can serve, and what serves is left alone."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from aisle.adapters.numpy.static_encoder import StaticTextEncoder
from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.cli import app
from aisle.errors import InvalidRequest, ModelDamaged, ModelError
from aisle.learn.adapt.distil import Recipe
from aisle.learn.adapt.prune import Size
from aisle.models import exported
from aisle.represent import quantise as quantising
from aisle.represent.card import MODEL_FILE, EncoderCard, text_card
from aisle.represent.encoders import ensure_encoder, source_of
from aisle.represent.quantise import quantise
from aisle.settings import EncoderSettings, Settings
from aisle.shop import Shop
from aisle.testing.encoder import TextEncoderContract
from aisle.training.lighter import Plan, Teacher, compress
from aisle.training.lighter_table import overlap
from aisle.types import Product

from .lighter_model import TEXTS, make_source

PLAN = Plan(Size(2, 3, 48), minutes=0.5, recipe=Recipe(epochs=6, batch=48, learning_rate=3e-3, held=30, looks=2))
KINDS = ["fp32", "int8", "student", "student-int8", "static"]


def settings_of(model, **more):
    return Settings(encoder={"model": str(model), "threads": 1, **more}, storage={"poll_ms": 20}, train={"threads": 1})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("lighter")


@pytest.fixture(scope="module", autouse=True)
def _cache(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISLE_CACHE_DIR", str(place / "cache"))
        yield


@pytest.fixture(scope="module")
def source(place):
    return make_source(place / "source")


@pytest.fixture(scope="module")
def made(place, source):
    """The rows of a shop's table, and what was in the shop's models before."""
    with Shop.open(place / "shop", settings=settings_of(source)) as shop:
        shop.upsert_products([Product(f"P{n}", text) for n, text in enumerate(TEXTS[:240])])
        assert shop.wait_indexed(60)
        name = shop._parts.encoder_name
        rows = shop.compress(PLAN)
        assert shop._parts.encoder_name == name
        assert shop.search("red mug").hits
    return rows


def opened(row):
    return StaticTextEncoder(row.folder) if row.name == "static" else OnnxTextEncoder(row.folder, threads=1)


def test_the_table_has_size_speed_and_quality_of_each(made, place):
    assert [row.name for row in made] == KINDS
    full = made[0]
    assert (full.speed, full.speed_one) == (1.0, 1.0)
    assert full.cosine == pytest.approx(1.0, abs=1e-5)
    assert (full.overlap, full.mixed) == (1.0, 1.0)
    for row in made[1:]:
        assert row.speed > 0
        assert 0.3 < row.cosine <= 1.0
        assert row.made
    by_name = {row.name: row for row in made}
    assert by_name["student"].megabytes < full.megabytes
    assert by_name["student-int8"].megabytes < by_name["student"].megabytes
    assert by_name["int8"].cosine > 0.99
    told = json.loads((place / "shop" / "lighter" / "table.json").read_text())
    assert [row["name"] for row in told] == KINDS


def test_the_vectors_are_in_the_teachers_space(made):
    full, *others = (opened(row).encode(TEXTS[:240]) for row in made)
    for row, vectors in zip(made[1:], others, strict=True):
        assert vectors.shape == full.shape
        assert float((vectors * full).sum(1).mean()) > row.cosine - 0.1


class TestInt8Encoder(TextEncoderContract):
    tolerance = 0.15  # activations are rounded by what shares the batch, and this model's are few and wild

    @pytest.fixture
    def encoder(self, made):
        return opened(made[1])


def test_a_second_call_makes_nothing_again(made, place, source, monkeypatch):
    monkeypatch.setattr("aisle.training.lighter.distil", lambda *_, **__: pytest.fail("distilled again"))
    monkeypatch.setattr("aisle.training.lighter.fit_static", lambda *_, **__: pytest.fail("fitted again"))
    monkeypatch.setattr("aisle.represent.quantise.quantise", lambda *_, **__: pytest.fail("quantised again"))
    with Shop.open(place / "shop", settings=settings_of(source)) as shop:
        again = shop.compress(PLAN)
    assert [row.folder for row in again] == [row.folder for row in made]


def test_what_was_killed_goes_on_with_the_texts_it_had(source, place, monkeypatch):
    class Killed(Exception):
        pass

    def kill(stage, done, of):
        if stage == "distilling" and done > of / 2:
            raise Killed

    teacher = Teacher(
        ensure_encoder(EncoderSettings(model=str(source)), place / "models"),
        source,
        lambda folder: OnnxTextEncoder(folder, threads=1),
    )
    plan = replace(PLAN, int8=False, static=False)
    with pytest.raises(Killed):
        compress(TEXTS[:200], teacher, place / "out", plan, progress=kill)
    seen = []
    rows = compress(  # the catalogue has changed meanwhile
        TEXTS, teacher, place / "out", plan, progress=lambda stage, done, of: seen.append((stage, done, of))
    )
    assert {of for stage, _, of in seen if stage == "asking the teacher"} == {180}
    assert min(done for stage, done, _ in seen if stage == "distilling") > 1  # not from the beginning
    assert [row.name for row in rows] == ["fp32", "student"]
    compress(TEXTS, teacher, place / "out", plan, progress=lambda stage, done, of: seen.append((stage, done, of)))
    assert seen[-1][0] == "measuring quality"
    assert {of for stage, _, of in seen if stage == "asking the teacher"} == {180, 432}
    assert len(list((place / "out").glob("student-*"))) == 1


@pytest.mark.parametrize("kind", ["student-int8", "static"])
def test_a_shop_serves_what_its_settings_name(made, place, kind):
    row = next(row for row in made if row.name == kind)
    with Shop.open(place / f"serves {kind}", settings=settings_of(row.folder)) as shop:
        shop.upsert_products([Product(f"P{n}", text) for n, text in enumerate(TEXTS[:120])])
        assert shop.wait_indexed(60)
        assert shop._parts.encoder_name.startswith(text_card(row.folder).name)
        vector = shop._parts.indexes.encoder.encode(["red mug"])
        np.testing.assert_allclose(vector, opened(row).encode(["red mug"]), atol=1e-5)
        assert shop.search("red mug").hits
        with pytest.raises(InvalidRequest, match="lighter already"):
            shop.compress(PLAN)


def test_a_shop_keeps_its_lighter_encoder_when_the_folder_is_gone(made, place, tmp_path):
    import shutil

    row = made[3]
    shutil.copytree(row.folder, tmp_path / "given")
    settings = EncoderSettings(model=str(tmp_path / "given"))
    first = ensure_encoder(settings, tmp_path / "models")
    assert ensure_encoder(settings, tmp_path / "models") == first
    shutil.rmtree(tmp_path / "given")
    assert ensure_encoder(settings, tmp_path / "models") == first


def test_what_is_tuned_is_the_student_or_the_teacher(made, source):
    by_name = {row.name: row for row in made}
    for kind in ("student", "student-int8"):
        tuned = source_of(EncoderSettings(model=str(by_name[kind].folder)))
        assert json.loads((tuned / "config.json").read_text())["kept_heads"] == 3
    for kind in ("int8", "static"):
        assert source_of(EncoderSettings(model=str(by_name[kind].folder))) == source


def test_what_came_before_a_tuned_encoder_can_be_gone_back_to(made, tmp_path):
    import shutil

    from aisle.learn.bi_encoder import CARD_FILE
    from aisle.training.encoder import as_it_was
    from aisle.wiring import _text_encoder

    for row in made[3:]:
        first = as_it_was(row.folder)
        folder = tmp_path / row.name
        folder.mkdir()
        for name, file in first.files.items():
            shutil.copyfile(file, folder / name)
        again = _text_encoder(folder, Settings(), CARD_FILE).encode(["red mug"])
        np.testing.assert_allclose(again, opened(row).encode(["red mug"]), atol=1e-5)


def test_a_damaged_folder_is_refused(made, tmp_path):
    import shutil

    shutil.copytree(made[1].folder, tmp_path / "damaged")
    (tmp_path / "damaged" / MODEL_FILE).write_bytes(b"no model")
    with pytest.raises(ModelDamaged):
        ensure_encoder(EncoderSettings(model=str(tmp_path / "damaged")), tmp_path / "models")
    assert not list((tmp_path / "models").rglob("card.json"))


def test_serving_int8_and_a_table_needs_no_torch(made):
    code = (
        "import sys; from pathlib import Path; from aisle.settings import Settings; import aisle.wiring as w\n"
        "for folder in sys.argv[1:]: w._text_encoder(Path(folder), Settings(), 'card.json').encode(['red hoodie'])\n"
        "print({'torch', 'transformers', 'onnx', 'scipy'} & sys.modules.keys())"
    )
    folders = [str(made[3].folder), str(made[4].folder)]
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_int8_that_loses_too_much_is_not_kept(made, tmp_path, monkeypatch):
    monkeypatch.setattr(quantising, "LEAST_PARITY", 1.1)
    with pytest.raises(ModelError, match="below 1"):
        quantise(made[0].folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_seven_bits_where_the_processor_would_overflow(made, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("flags : fpu sse avx2\n")
    monkeypatch.setattr(exported, "_CPU", tmp_path / "cpuinfo")
    assert not exported.has_vnni()
    card = quantise(made[0].folder, tmp_path / "out")
    assert "7 bits" in card.made
    assert EncoderCard.verify(tmp_path / "out") == card
    (tmp_path / "cpuinfo").write_text("flags : fpu avx512_vnni\n")
    assert exported.has_vnni()


def test_overlap_counts_the_same_neighbours():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert overlap(vectors, vectors, vectors) == 1.0
    others = rng.normal(size=(60, 8)).astype(np.float32)
    assert overlap(vectors, others, others) < 0.5


def test_the_command_prints_a_table_and_how_to_serve(made, place, source, monkeypatch):
    monkeypatch.setenv("AISLE_ENCODER__MODEL", str(source))
    monkeypatch.setenv("AISLE_TRAIN__THREADS", "1")
    (place / "more.txt").write_text("a purple teapot\n\na yellow kettle\n")
    options = ["--layers", "1", "--heads", "2", "--neurons", "32", "--minutes", "0.1", "--no-int8", "--no-static"]
    command = ["compress", str(place / "shop"), *options, "--texts", str(place / "more.txt")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "student" in done.output
    assert "model = '" in done.output
    done = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    rows = json.loads(done.stdout[done.stdout.index("[") :])
    assert [row["name"] for row in rows] == ["fp32", "student"]
    assert "layers" in rows[1]["made"]


def test_a_shop_without_texts_says_what_to_do(source, tmp_path):
    with Shop.open(tmp_path / "shop", settings=settings_of(source)) as shop:
        with pytest.raises(InvalidRequest, match="import products"):
            shop.compress(replace(PLAN, static=False))
        assert not (tmp_path / "shop" / "lighter" / "table.json").exists()
