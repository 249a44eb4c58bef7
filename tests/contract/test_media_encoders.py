"""Image and audio encoders of several architectures, exported from tiny models made here, fulfil their ports."""

import subprocess
import sys
import wave

import numpy as np
import pytest
from PIL import Image

from aisle.adapters.onnx.audio_encoder import OnnxAudioEncoder
from aisle.adapters.onnx.image_encoder import OnnxImageEncoder
from aisle.errors import EncoderMissing, ModelDamaged, ModelError
from aisle.represent.card import MODEL_FILE, AudioCard, ImageCard
from aisle.represent.encoders import ensure_audio_encoder, ensure_image_encoder
from aisle.represent.pixels import read_picture
from aisle.represent.sounds import read_sound, resampled
from aisle.settings import EncoderSettings
from aisle.testing.audio_encoder import AudioEncoderContract
from aisle.testing.image_encoder import ImageEncoderContract

# Made in one process of its own: the test process, like a server, stays without torch.
_MAKE_TINY_MODELS = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import torch
from transformers import (ASTConfig, ASTFeatureExtractor, ASTModel, CLIPConfig, CLIPImageProcessor, CLIPModel,
    ResNetConfig, ResNetModel, SiglipVisionConfig, SiglipVisionModel, SiglipImageProcessor, ViTConfig, ViTModel,
    ViTImageProcessor, Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model)
root = Path(sys.argv[1])
torch.manual_seed(0)
small = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
def save(name, model, processor):
    with torch.no_grad():  # random weights of a usual spread give vectors that hardly differ
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(3)
    model.save_pretrained(root / name)
    processor.save_pretrained(root / name)
vision = dict(small, image_size=32, patch_size=8)
save("vit", ViTModel(ViTConfig(**vision)), ViTImageProcessor(size={"height": 32, "width": 32}))
text = dict(small, vocab_size=99, max_position_embeddings=16)
clip = CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
save("clip", CLIPModel(clip), CLIPImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}))
save("siglip", SiglipVisionModel(SiglipVisionConfig(**vision)),
     SiglipImageProcessor(size={"height": 32, "width": 32}))
net = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]))
save("resnet", net, ViTImageProcessor(size={"height": 32, "width": 32}))
waves = Wav2Vec2Config(**small, conv_dim=(8, 8), conv_kernel=(10, 4), conv_stride=(8, 4), num_conv_pos_embeddings=4,
    num_conv_pos_embedding_groups=2, feat_extract_norm="layer", do_stable_layer_norm=True)
save("wav2vec2", Wav2Vec2Model(waves), Wav2Vec2FeatureExtractor(do_normalize=True))
ast = ASTConfig(**small, num_mel_bins=16, max_length=64, patch_size=8)
save("ast", ASTModel(ast), ASTFeatureExtractor(num_mel_bins=16, max_length=64))
"""
IMAGES = ("vit", "clip", "siglip", "resnet")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder with tiny models; exported copies are cached beside them."""
    place = tmp_path_factory.mktemp("tiny")
    done = subprocess.run([sys.executable, "-c", _MAKE_TINY_MODELS, str(place)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AISLE_CACHE_DIR", str(place / "cache"))
        yield place


@pytest.fixture(scope="session", params=IMAGES)
def image_folder(request, tiny):
    return ensure_image_encoder(EncoderSettings(image_model=str(tiny / request.param)), tiny / "shop")


@pytest.fixture(scope="session")
def audio_folder(tiny):
    return ensure_audio_encoder(EncoderSettings(audio_model=str(tiny / "wav2vec2")), tiny / "shop")


class TestOnnxImageEncoder(ImageEncoderContract):
    @pytest.fixture
    def encoder(self, image_folder):
        return OnnxImageEncoder(image_folder, batch=3, threads=1)


class TestOnnxAudioEncoder(AudioEncoderContract):
    @pytest.fixture
    def encoder(self, audio_folder):
        return OnnxAudioEncoder(audio_folder, threads=1)


def test_the_exports_agree_with_their_originals(image_folder, audio_folder):
    assert ImageCard.verify(image_folder).parity >= 0.999
    assert AudioCard.verify(audio_folder).parity >= 0.999


def test_they_serve_without_torch(image_folder, audio_folder):
    # In a process of its own: here other tests may have imported it.
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from aisle.adapters.onnx.audio_encoder import OnnxAudioEncoder\n"
        "from aisle.adapters.onnx.image_encoder import OnnxImageEncoder\n"
        "OnnxImageEncoder(Path(sys.argv[1])).encode([np.zeros((9, 9, 3), np.uint8)])\n"
        "OnnxAudioEncoder(Path(sys.argv[2])).encode([np.zeros(99, np.float32)], 16000)\n"
        "print({'torch', 'transformers'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, str(image_folder), str(audio_folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_a_model_that_reads_spectrograms_is_refused_with_a_reason(tiny, tmp_path):
    with pytest.raises(ModelError, match="waveforms"):
        ensure_audio_encoder(EncoderSettings(audio_model=str(tiny / "ast")), tmp_path)


def test_no_name_and_a_model_that_is_not_there_say_what_to_do(tmp_path):
    with pytest.raises(EncoderMissing, match="image_model"):
        ensure_image_encoder(EncoderSettings(), tmp_path)
    with pytest.raises(EncoderMissing, match="image encoder 'nobody/has-this'"):
        ensure_image_encoder(EncoderSettings(image_model="nobody/has-this"), tmp_path)
    with pytest.raises(EncoderMissing, match="audio encoder 'all-MiniLM-L6-v2'"):
        ensure_audio_encoder(EncoderSettings(audio_model="all-MiniLM-L6-v2"), tmp_path)


def test_a_text_model_is_no_image_encoder(tiny, tmp_path, monkeypatch):
    (tiny / "vit" / "preprocessor_config.json").rename(tiny / "vit" / "kept")
    try:
        with pytest.raises(ModelError, match="image processor"):
            ensure_image_encoder(EncoderSettings(image_model=str(tiny / "vit")), tmp_path)
    finally:
        (tiny / "vit" / "kept").rename(tiny / "vit" / "preprocessor_config.json")


def test_an_altered_model_is_noticed(image_folder, tmp_path):
    for file in image_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / MODEL_FILE).write_bytes(b"no model")
    with pytest.raises(ModelDamaged):
        OnnxImageEncoder(tmp_path)


def test_photo_files_of_every_kind_are_read_and_broken_ones_say_why(tmp_path):
    red = Image.new("RGB", (40, 30), (200, 10, 10))
    red.save(tmp_path / "a.jpg")
    red.convert("L").save(tmp_path / "grey.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    red.convert("P").save(tmp_path / "p.gif")
    assert read_picture(tmp_path / "a.jpg").shape == (30, 40, 3)
    assert read_picture(tmp_path / "grey.png").shape == (30, 40, 3)
    assert (read_picture(tmp_path / "clear.png") == 255).all()
    assert read_picture(tmp_path / "p.gif").dtype == np.uint8
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("<html>not found</html>")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("half.jpg", "text.jpg", "empty.jpg", "none.jpg"):
        with pytest.raises(ValueError, match=r"broken|picture|file"):
            read_picture(tmp_path / name)


def test_recordings_are_read_and_broken_ones_say_why(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(np.full((4000, 2), [16384, 0], "<i2").tobytes())
    samples, rate = read_sound(tmp_path / "a.wav")
    assert rate == 8000
    np.testing.assert_allclose(samples, 0.25, atol=1e-3)
    assert len(resampled(samples, 8000, 16000)) == 8000
    (tmp_path / "b.wav").write_bytes(b"RIFFxxxx")
    for name in ("b.wav", "none.wav"):
        with pytest.raises(ValueError, match=r"WAV|file"):
            read_sound(tmp_path / name)
