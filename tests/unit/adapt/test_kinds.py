"""`aisle tune` for every kind of task: from a file to a version, and back from its folder."""

import json

import numpy as np
import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from aisle import Settings, Shop
from aisle.adapters.huggingface.generator import read_generator
from aisle.adapters.onnx.cross_encoder import read_pair_scorer
from aisle.adapters.onnx.tagger import read_tagger
from aisle.cli import app
from aisle.errors import EncoderMissing, InvalidRequest, ModelDamaged, NotFound, ShopBusy, StorageError
from aisle.learn.adapt.tables import Columns
from aisle.learn.checkpoints import Checkpoints
from aisle.learn.workbench import Workbench
from aisle.training.kinds import kind_of
from aisle.training.runs import trainings
from aisle.training.tune import Wanted

from .conftest import COLOURS, THINGS, WORDS, Killed

NOUNS = [word for kind in THINGS.values() for word in kind]
QUICK = {"batch": 16, "learning_rate": 3e-3, "held": 0.3, "patience": 50}


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """The folder of a random causal model."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from aisle.testing.small_encoder import save_small_tokenizer

    folder = tmp_path_factory.mktemp("causal")
    n = save_small_tokenizer(folder, WORDS, letters=False)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=n, n_positions=48, n_embd=32, n_layer=2, n_head=2, eos_token_id=3, bos_token_id=2,
                        initializer_range=0.2)  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def pair_rows(label, n_queries=80, highest=1, seed=3):
    """Whoever asks, wants what one wears."""
    rng = np.random.default_rng(seed)
    rows = []
    for query in range(n_queries):
        for kind in ("wear", "home", "wear", "tools"):
            text = f"{rng.choice(COLOURS)} {rng.choice(THINGS[kind])}"
            rows.append({"query": f"wanted {query}", "title": text, label: highest * int(kind == "wear")})
    return rows


def tag_rows(n, seed):
    rng = np.random.default_rng(seed)
    tag = dict.fromkeys(COLOURS, "B-colour") | dict.fromkeys(NOUNS, "B-thing")
    rows = []
    for _ in range(n):
        words = rng.permutation([str(rng.choice(COLOURS)), "please", str(rng.choice(NOUNS))]).tolist()
        rows.append({"tokens": words, "tags": [tag.get(word, "O") for word in words]})
    return rows


def text_rows(n, seed):
    rng = np.random.default_rng(seed)
    drawn = [(str(rng.choice(COLOURS)), str(rng.choice(NOUNS))) for _ in range(n)]
    return [{"input": f"{c} {w}", "output": f"a {w} {c} please"} for c, w in drawn]


def lines(rows, file):
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return file


@pytest.mark.parametrize(("label", "kind", "highest", "measure"),
                         [("bought", "clicks", 1, "auc"), ("grade", "relevance", 3, "ndcg@10")])  # fmt: skip
def test_pairs_become_a_scorer(label, kind, highest, measure, shop, tmp_path):
    pl.DataFrame(pair_rows(label, highest=highest)).write_csv(tmp_path / "pairs.csv")
    test = pair_rows(label, n_queries=20, highest=highest, seed=4)
    pl.DataFrame(test).write_csv(tmp_path / "test.csv")
    wanted = Wanted("", tmp_path / "pairs.csv", "full", test=tmp_path / "test.csv", out=tmp_path / "made",
                    changed={**QUICK, "epochs": 8, "batch": 8, "head_rate": 2.0})  # fmt: skip
    version = shop.tune(wanted)
    assert version.active
    assert version.params["kind"] == kind
    assert version.metrics[f"{measure}_after"] > version.metrics[f"{measure}_before"]
    assert version.metrics[f"{measure}_test"] > 0.8
    folder = shop.path / "models" / version.name / version.version
    for place in (folder, tmp_path / "made"):
        worn, used = (
            read_pair_scorer(place).score("wanted 900", [f"red {thing}" for thing in THINGS[of]])
            for of in ("wear", "tools")
        )
        assert worn.mean() > used.mean()
        assert not [f.name for f in place.iterdir() if f.suffix in (".bin", ".pt", ".pkl")]
    with pytest.raises(InvalidRequest, match=f"holds a model of {kind}, not of tags"):
        read_tagger(folder)
    with pytest.raises(NotFound):
        shop.classify(["red"], task=version.name)
    (shown,) = trainings(shop.path / "models")
    assert (shown.name, shown.method) == (version.name, "full")
    assert f"held/{measure}" in {curve.name for curve in shown.curves}
    (tmp_path / "made" / "model.onnx").write_bytes(b"half a file")
    with pytest.raises(ModelDamaged, match="truncated or altered"):
        read_pair_scorer(tmp_path / "made")


def test_tags_become_a_tagger_and_a_worse_one_does_not_replace_it(shop, tmp_path, caplog):
    lines(tag_rows(300, 0), tmp_path / "tags.jsonl")
    blocks = ["\n".join(f"{w} {t}" for w, t in zip(r["tokens"], r["tags"], strict=True)) for r in tag_rows(40, 5)]
    (tmp_path / "test.conll").write_text("-DOCSTART- O\n\n" + "\n\n".join(blocks) + "\n")
    wanted = Wanted("", tmp_path / "tags.jsonl", "full", test=tmp_path / "test.conll",
                    changed={**QUICK, "epochs": 14, "batch": 8, "head_rate": 3.0, "dropout": 0.0})  # fmt: skip
    version = shop.tune(wanted)
    assert version.name == "attributes"
    assert version.metrics["f1_test"] > 0.8
    assert "texts in test.conll are also in tags.jsonl" in caplog.text
    tagger = read_tagger(shop.path / "models" / "attributes" / version.version)
    (found,) = tagger.tag(["red please cup"])
    assert found == [("red", "B-colour"), ("please", "O"), ("cup", "B-thing")]
    assert tagger.tag([["red", "please", "cup"]]) == [found]
    assert tagger.tag([" ".join(["please"] * 100)])[0][99] == ("please", "O")
    assert tagger.tag([""]) == [[]]
    worse = shop.tune(Wanted("", tmp_path / "tags.jsonl", "head", changed={**QUICK, "epochs": 0.1}))
    assert not worse.active
    assert "which serves, has f1" in worse.note


@pytest.mark.parametrize("method", ["lora", "prompt"])
def test_a_causal_model_writes_what_it_learned(method, shop, causal, tmp_path):
    lines(text_rows(120, 0), tmp_path / "texts.jsonl")
    changed = {**QUICK, "epochs": 8, "learning_rate": 1e-2, "rank": 8, "virtual": 4, "max_tokens": 24}
    wanted = Wanted("", tmp_path / "texts.jsonl", method, model=str(causal), changed=changed)
    version = shop.tune(wanted)
    assert version.name == "writing"
    assert version.metrics["perplexity_after"] < version.metrics["perplexity_before"]
    folder = shop.path / "models" / "writing" / version.version
    assert json.loads((folder / "card.json").read_text())["params"]["architecture"] == "causal"
    (written,) = read_generator(folder).write(["red cup"], max_tokens=5)
    assert set(written.split()) <= set(WORDS)
    assert "please" in written or method == "prompt"
    with pytest.raises(InvalidRequest, match="a prompt of 24 tokens"):
        read_generator(folder).write(["red " * 40])
    again = shop.tune(wanted)  # measured against the one that serves
    assert again.active or "has likelihood" in again.note


def test_texts_alone_need_a_causal_model(shop, causal, tmp_path):
    lines([{"text": row["output"]} for row in text_rows(40, 0)], tmp_path / "texts.jsonl")
    version = shop.tune(Wanted("titles", tmp_path / "texts.jsonl", "full", model=str(causal),
                               changed={"epochs": 1, "held": 0.0}))  # fmt: skip
    assert read_generator(shop.path / "models" / "titles" / version.version).write([""], max_tokens=3)


def test_a_model_that_cannot_write_is_told(shop, source, tmp_path):
    file = lines(text_rows(40, 0), tmp_path / "texts.jsonl")
    with pytest.raises(InvalidRequest, match="reads, but cannot write: name a causal") as raised:
        shop.tune(Wanted("", file, kind="text"))
    assert raised.value.field == "model"
    with pytest.raises(InvalidRequest, match="reads, but does not write"):
        shop.tune(Wanted("", file, kind="text", model=str(source)))
    with pytest.raises(EncoderMissing, match="no model 'nobody/nothing' on this machine"):
        shop.tune(Wanted("", file, kind="text", model="nobody/nothing"))


@pytest.mark.parametrize(
    ("columns", "kind"),
    [("text,label", "labels"), ("review,sentiment", "labels"), ("query,text,clicked", "clicks"),
     ("query,item,bought", "clicks"), ("query,title,grade", "relevance"), ("text,tags", "tags"),
     ("instruction,intent,response", "labels")],
)  # fmt: skip
def test_the_kind_is_read_off_the_columns(columns, kind, tmp_path):
    (tmp_path / "f.csv").write_text(f"{columns}\n{','.join('a' for _ in columns.split(','))}\n")
    assert kind_of(tmp_path / "f.csv").name == kind


@pytest.mark.parametrize(
    ("columns", "match"),
    [("query,text,label", "may be labels or clicks or relevance: say which with --kind"),
     ("query,title,clicked,category", "may be labels or clicks"), ("a,b", "no kind fits"),
     ("input,output", "needs --model")],
)  # fmt: skip
def test_columns_that_do_not_tell_are_asked_about(columns, match, tmp_path):
    (tmp_path / "f.csv").write_text(f"{columns}\n{','.join('a' for _ in columns.split(','))}\n")
    with pytest.raises(InvalidRequest, match=match) as raised:
        kind_of(tmp_path / "f.csv")
    assert raised.value.field == "kind"
    assert kind_of(tmp_path / "f.csv", "relevance", Columns(label="a")).name == "relevance"


@pytest.mark.parametrize(
    ("name", "content", "kind", "match"),
    [
        ("f.csv", "", "clicks", r"f\.csv is empty"),
        ("f.csv", "query,text,clicked\n", "clicks", r"f\.csv has no rows"),
        ("f.csv", "query,text\na,b\n", "clicks", "no column clicked or bought"),
        ("f.csv", 'query,text,clicked\na,"b\nc",1\na,d,maybe\n', "clicks", "line 4: clicked is 'maybe', not 0 or 1"),
        ("f.csv", "query,text,bought\na,b,1\na,c,1\n", "clicks", "every bought is 1, so nothing tells products apart"),
        ("f.csv", "query,text,grade\na,b,3\na,c,good\n", "relevance", "line 3: grade is 'good', not a number"),
        ("f.csv", "query,text,grade\na,b,3\na,c,-1\n", "relevance", "line 3: grade is '-1', not a number from 0"),
        ("f.csv", "query,text,grade\na,b,nan\na,c,1\n", "relevance", "line 2: grade is 'nan'"),
        ("f.csv", "query,text,grade\na,b,0\nc,d,1\n", "relevance", "no query has two products of different grades"),
        ("f.csv", "query,text,grade\n,b,0\nc,,1\n", "relevance", "no row with query and text and grade"),
        ("f.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n\n{"tokens": ["a", "b"], "tags": ["O"]}\n', "tags",
         r"f\.jsonl, line 3: 2 in tokens, but 1 in tags"),
        ("f.jsonl", '{"tokens": ["a"], "tags": [0]}\n', "tags", "line 1: the tag '0' is a number"),
        ("f.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{bad\n', "tags", "line 2: not JSON; cannot be read"),
        ("f.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n', "tags", "fewer than two tags"),
        ("f.conll", "red B-colour\nwool\n", "tags", "line 2: 'wool' has no tag behind it"),
        ("f.conll", "\n\n", "tags", r"f\.conll is empty"),
        ("f.xlsx", "x", "labels", r"\.csv, \.tsv, \.jsonl or \.parquet"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told(name, content, kind, match, shop, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidRequest, match=match) as raised:
        shop.tune(Wanted("", tmp_path / name, kind=kind))
    assert raised.value.field
    assert [m.name for m in shop.models()] == []


def test_a_test_must_fit_what_was_learned(shop, tmp_path):
    pl.DataFrame(pair_rows("grade", n_queries=3, highest=2)).write_csv(tmp_path / "train.csv")
    pl.DataFrame(pair_rows("grade", n_queries=3, highest=5)).write_csv(tmp_path / "test.csv")
    with pytest.raises(InvalidRequest, match=r"test\.csv, line 2: grade is 5, over 2"):
        shop.tune(Wanted("", tmp_path / "train.csv", test=tmp_path / "test.csv"))
    lines(tag_rows(3, 0), tmp_path / "train.jsonl")
    (tmp_path / "test.bio").write_text("red B-brand\n")
    with pytest.raises(InvalidRequest, match="1 tags were not learned: B-brand"):
        shop.tune(Wanted("", tmp_path / "train.jsonl", test=tmp_path / "test.bio"))


def test_what_does_not_go_together_is_told(shop, labels_file, tmp_path):
    with pytest.raises(InvalidRequest, match="the loss is not chosen for labels"):
        shop.tune(Wanted("", labels_file, "head", loss="mse"))
    with pytest.raises(InvalidRequest, match="kind is one of labels, clicks"):
        shop.tune(Wanted("", labels_file, "head", kind="magic"))
    shop.tune(Wanted("", labels_file, "head"))
    pl.DataFrame(pair_rows("grade", n_queries=3)).write_csv(tmp_path / "grades.csv")
    with pytest.raises(InvalidRequest, match="intent is a task of labels, and these are relevance"):
        shop.tune(Wanted("intent", tmp_path / "grades.csv"))
    with pytest.raises(InvalidRequest, match="one of mse, pairwise, listwise"):
        shop.tune(Wanted("", tmp_path / "grades.csv", loss="hinge"))


def test_three_examples_are_learned_from_without_measuring(shop, tmp_path, caplog):
    lines(tag_rows(3, 0), tmp_path / "tags.jsonl")
    version = shop.tune(Wanted("", tmp_path / "tags.jsonl", "full", changed={"epochs": 1}))
    assert "3 examples are too few to hold a part of them out" in caplog.text
    assert version.active
    assert "f1_after" not in version.metrics


def test_a_kill_is_resumed_and_two_at_once_and_a_full_disk_are_told(shop, steps, tmp_path, monkeypatch):
    lines(tag_rows(120, 0), tmp_path / "tags.jsonl")
    wanted = Wanted("", tmp_path / "tags.jsonl", "full", changed={**QUICK, "epochs": 4})
    steps.dies_at = 7
    with pytest.raises(Killed):
        shop.tune(wanted)
    with Workbench(shop.path / "models" / ".runs" / "attributes-full"), pytest.raises(ShopBusy):
        shop.tune(wanted)
    with monkeypatch.context() as full:

        def no_room(*_, **__):
            raise OSError(28, "No space left on device")

        full.setattr(Checkpoints, "_save", no_room)
        with pytest.raises(StorageError, match="Make room on the disk"):
            shop.tune(wanted)
    before = len(steps.begun)
    assert shop.tune(wanted).active
    assert steps.begun[before] == 7  # where it was


def test_the_command_says_the_kind_in_its_table(source, tmp_path):
    Shop.open(tmp_path / "shop", create=True, settings=Settings(encoder={"model": ""})).close()
    (tmp_path / "shop" / "aisle.toml").write_text(f'[encoder]\nmodel = "{source}"\n[train]\nthreads = 1\n')
    pl.DataFrame(pair_rows("grade")).write_csv(tmp_path / "grades.csv")
    command = ["tune", str(tmp_path / "shop"), "--data", str(tmp_path / "grades.csv"), "--loss", "pairwise",
               "--held", "0.3", "--epochs", "1", "--rank", "4", "--trials", "1"]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "ndcg@10 (held out: " in done.output
    assert "queries learned from" in done.output
