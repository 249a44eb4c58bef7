"""A student learns to give the teacher's vectors, in time, and goes on where it was killed."""

import pytest

from aisle.errors import InvalidRequest
from aisle.learn.adapt.distil import Recipe, distil, pieces
from aisle.learn.adapt.prune import Size

from .lighter_model import TEXTS, make_source, vectors_of

RECIPE = Recipe(epochs=12, batch=48, learning_rate=3e-3, held=40, looks=3)
SIZE = Size(2, 3, 48)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def vectors(source):
    return vectors_of(source, TEXTS)


@pytest.fixture(scope="module")
def student(source, vectors, tmp_path_factory):
    place = tmp_path_factory.mktemp("student")
    return distil(TEXTS, vectors, source=source, out=place / "out", work=place / "work", size=SIZE, recipe=RECIPE)


def test_a_student_comes_nearer_to_its_teacher_on_texts_it_never_saw(student, vectors):
    assert student.cosine > student.pruned + 0.02
    assert student.cosine > 0.9
    assert len(student.layers) == 2
    own = vectors_of(student.folder, TEXTS)
    assert own.shape == vectors.shape
    assert float((own * vectors).sum(1).mean()) > 0.9


def test_a_student_is_a_model_like_any_other(student):
    from aisle.models.text import read_transformer

    network = read_transformer(student.folder)
    assert network.config.kept_layers == list(student.layers)
    assert network.encoder.layer[0].attention.self.num_attention_heads == 3
    assert (student.folder / "tokenizer.json").exists()
    assert (student.folder / "sentence_bert_config.json").exists()


def test_what_was_killed_goes_on_where_it_was(source, vectors, student, tmp_path):
    class Killed(Exception):
        pass

    def kill(_stage, done, of):
        if done > of / 2:
            raise Killed

    def again(progress=None):
        return distil(
            TEXTS, vectors, source=source, out=tmp_path / "out", work=tmp_path / "work", size=SIZE, recipe=RECIPE,
            progress=progress,
        )  # fmt: skip

    with pytest.raises(Killed):
        again(kill)
    assert not (tmp_path / "out").exists()
    seen = []
    resumed = again(lambda _stage, done, _of: seen.append(done))
    assert min(seen) > 1  # not from the beginning
    assert resumed.cosine == pytest.approx(student.cosine, abs=0.02)


def test_a_student_is_ready_in_time(source, vectors, tmp_path):
    hurried = distil(
        TEXTS, vectors, source=source, out=tmp_path / "out", work=tmp_path / "work", size=SIZE, seconds=1.0,
        recipe=Recipe(epochs=100_000, batch=48, learning_rate=3e-3, held=40, looks=2),
    )  # fmt: skip
    assert hurried.seconds < 30  # a busy machine measures slowly
    assert hurried.steps < 100_000
    assert hurried.cosine >= hurried.pruned


def test_too_few_texts_are_told(source, vectors, tmp_path):
    with pytest.raises(InvalidRequest, match="add some"):
        distil(TEXTS[:20], vectors[:20], source=source, out=tmp_path / "out", work=tmp_path / "work")


def test_pieces_are_words_in_a_row():
    texts = ["soft red cotton pullover with a hood and two pockets", "mug", ""]
    assert all(piece in text for piece, text in zip(pieces(texts), texts, strict=True))
    assert pieces(texts)[1:] == ["mug", ""]
    assert pieces(texts) == pieces(texts)
    assert pieces(texts, 1) != pieces(texts, 3)
