"""The shop's encoder made lighter: in int8, as a distilled student, as a table of tokens; measured side by side.

    SHOP/lighter/int8-<hash>/           the encoder as it is, in int8
    SHOP/lighter/student-<hash>/        fewer layers, heads and neurons; source/ is what can be tuned
    SHOP/lighter/student-int8-<hash>/   the student in int8
    SHOP/lighter/static-<hash>/         no network: vectors of tokens, looked up and added
    SHOP/lighter/table.json             size, speed and quality of each
    SHOP/lighter/.work/                 the teacher's vectors, checkpoints

Nothing that serves is touched: name one of the folders as `encoder.model` and it serves from the next start.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aisle.errors import InvalidRequest, StorageError
from aisle.learn.adapt.distil import LEAST_TEXTS, Recipe, distil, pieces
from aisle.learn.adapt.prune import Size
from aisle.learn.adapt.static import StaticRecipe, fit_static
from aisle.learn.workbench import STALE_HOURS, Workbench
from aisle.ports import TextEncoder
from aisle.represent.card import CARD, STATIC_FILE, TOKENIZER_FILE, StaticCard, sha256_of, text_card
from aisle.represent.encoders import ensure_encoder, source_of
from aisle.represent.texts import text_of
from aisle.training.lighter_table import FULL, Lighter, measured
from aisle.types import Progress, Vectors, now_ms

if TYPE_CHECKING:
    from aisle.parts import Parts

FOLDER: Final = "lighter"
_TABLE: Final = "table.json"
_RUN: Final = ".work/run.json"
_MOST_TEXTS: Final = 120_000
_HELD: Final = 1000
_CHUNK: Final = 2048
"""Texts that the teacher reads between two writes: what a kill loses."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made. `minutes` is what the student may learn for; `texts` are read beside the shop's own."""

    size: Size = field(default_factory=Size)
    minutes: float = 15.0
    int8: bool = True
    student: bool = True
    static: bool = True
    texts: Sequence[str] = ()
    recipe: Recipe = field(default_factory=Recipe)
    static_recipe: StaticRecipe = field(default_factory=StaticRecipe)


OpenEncoder = Callable[[Path], TextEncoder]


@dataclass(frozen=True, slots=True)
class Teacher:
    """The encoder that is made lighter: exported in `exported`, in Hugging Face's format in `source`."""

    exported: Path
    source: Path
    open: OpenEncoder


def compress_shop(parts: Parts, plan: Plan, progress: Progress | None = None) -> list[Lighter]:
    """See `Shop.compress`."""
    settings, out = parts.settings.encoder, parts.path / FOLDER
    exported = ensure_encoder(settings, parts.path / "models", progress)
    made = text_card(exported).made
    if made:
        raise InvalidRequest(
            f"the shop is served by a model that was made lighter already ({made}); set encoder.model to "
            f"{text_card(exported).source or 'the full model'} to make others", field="encoder.model",
        )  # fmt: skip
    open_encoder = parts.indexes.open_encoder
    assert open_encoder is not None  # whoever wires a shop gives one
    teacher = Teacher(exported, source_of(settings), open_encoder)
    threads = parts.settings.train.threads or os.cpu_count() or 1
    with Workbench(parts.path / "models"):  # two trainings at once would only slow each other down
        return compress(
            _texts_of(parts, plan.texts), teacher, out, plan,
            threads=threads, seed=parts.settings.train.seed, keep=settings.model, progress=progress,
        )  # fmt: skip


def compress(
    texts: Sequence[str],
    teacher: Teacher,
    out: Path,
    plan: Plan,
    *,
    threads: int = 1,
    seed: int = 0,
    keep: str = "",
    progress: Progress | None = None,
) -> list[Lighter]:
    """Make what the plan asks for in `out`, and measure it beside the teacher, which is the first row.

    What was killed goes on where it was; what is finished is not made again.
    Older models of the same kind go, but for the folder `keep`. Raises
    InvalidRequest with too few texts, ModelError, TrainingFailed, StorageError.
    """
    tell = progress or (lambda _stage, _done, _of: None)
    about = _key(text_card(teacher.exported).source_hash, plan.size, plan.recipe, plan.static_recipe, seed)
    begun = _begun(out / _RUN, about)
    clean = (text.encode("utf-8", "replace").decode("utf-8") for text in texts)  # a lone surrogate cannot be kept
    texts = begun or list(dict.fromkeys(text for text in clean if text.strip()))
    if len(texts) < LEAST_TEXTS:
        raise InvalidRequest(
            f"{len(texts)} texts are too few to make a model lighter by ({LEAST_TEXTS} at least): import products, "
            "or give a file of texts", field="texts",
        )  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(texts))[:_MOST_TEXTS]
    n_held = min(_HELD, len(order) // 10)
    held, learned = [texts[row] for row in order[:n_held]], [texts[row] for row in order[n_held:]]
    work = _Work(out, teacher, learned, plan, threads, seed, tell)
    with _disk(out):
        if not begun:
            _begin(out / _RUN, about, texts)
        made = [(FULL, teacher.exported), *work.make()]
        work.tidy({folder for _, folder in made}, keep)
        rows = measured([(name, folder, teacher.open(folder)) for name, folder in made], held, tell)
        told = [asdict(row) | {"folder": str(row.folder)} for row in rows]
        (out / _TABLE).write_text(json.dumps(told, indent=2) + "\n", "utf-8")
        (out / _RUN).unlink()
    return rows


class _Work:
    """The making, step by step; every step is kept under the key of all that it depends on."""

    def __init__(
        self, out: Path, teacher: Teacher, texts: Sequence[str], plan: Plan, threads: int, seed: int, tell: Progress
    ) -> None:
        self._out, self._teacher, self._texts, self._plan = out, teacher, texts, plan
        self._threads, self._seed, self._tell = threads, seed, tell
        self._root = out / ".work"
        self._hash = text_card(teacher.exported).source_hash
        self._said = _key(self._hash, *texts)
        self._used: set[str] = set()

    def make(self) -> Iterator[tuple[str, Path]]:
        plan = self._plan
        if plan.int8:
            yield "int8", self._step("int8", self._hash, partial(self._quantised, self._teacher.exported))
        if plan.student:
            about = (self._said, plan.size, plan.recipe, plan.minutes, self._seed)
            student = self._step("student", about, self._student)
            yield "student", student
            if plan.int8:
                hashed = text_card(student).source_hash
                yield "student-int8", self._step("student-int8", hashed, partial(self._quantised, student))
        if plan.static:
            yield "static", self._step("static", (self._said, plan.static_recipe, self._seed), self._static)

    def tidy(self, made: set[Path], keep: str) -> None:
        """Remove checkpoints that nobody will go on from, and older models of the kinds that were made."""
        for entry in self._root.iterdir():
            if entry.is_dir() and entry.name not in self._used:
                shutil.rmtree(entry, ignore_errors=True)
        kinds = {folder.name.rpartition("-")[0] for folder in made if folder.parent == self._out}
        kept = Path(keep).expanduser().resolve() if keep else None
        for entry in self._out.iterdir():
            if entry.name.rpartition("-")[0] in kinds and entry not in made and entry.resolve() != kept:
                shutil.rmtree(entry, ignore_errors=True)

    def _step(self, name: str, about: object, making: Callable[[Path, Path], None]) -> Path:
        """The folder of what `making(work, folder)` writes, made unless it is there already."""
        key = f"{name}-{_key(repr(about))}"
        work = self._root / key
        self._used.add(key)
        done = work / "done"
        if done.exists() and (self._out / done.read_text("utf-8") / CARD).exists():
            return self._out / done.read_text("utf-8")
        work.mkdir(parents=True, exist_ok=True)
        temporary = self._out / f".{key}"
        shutil.rmtree(temporary, ignore_errors=True)
        making(work, temporary)
        folder = self._out / f"{name}-{text_card(temporary).source_hash[:8]}"
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        done.write_text(folder.name, "utf-8")
        return folder

    # ------------------------------------------------------------------ steps

    def _quantised(self, folder: Path, _work: Path, out: Path) -> None:
        from aisle.represent.quantise import quantise

        self._tell("writing int8", 0, 1)
        quantise(folder, out)
        beside = text_card(folder).source
        if beside:  # a student's own, to tune it
            shutil.copytree(folder / beside, out / beside, copy_function=_linked)
        self._tell("writing int8", 1, 1)

    def _student(self, work: Path, out: Path) -> None:
        from aisle.represent.export import export_encoder

        plan, card = self._plan, text_card(self._teacher.exported)
        student = distil(
            self._texts, self._vectors(), source=self._teacher.source, out=work / "source", work=work, size=plan.size,
            recipe=plan.recipe, seconds=60 * plan.minutes, threads=self._threads, seed=self._seed, progress=self._tell,
        )  # fmt: skip
        out.mkdir()
        layers = ", ".join(map(str, student.layers))
        widths = ", ".join(
            f"{n} {what} a layer" for n, what in ((student.size.heads, "heads"), (student.size.neurons, "neurons")) if n
        )
        made = (
            f"layers {layers} of {card.model}{f', {widths}' if widths else ''}; distilled on {student.n_texts} texts "
            f"in {student.steps} steps, {student.seconds:.0f} s: cosine {student.pruned:.4f} to {student.cosine:.4f}"
        )
        weights = sha256_of(student.folder / "model.safetensors")
        export_encoder(
            student.folder, out, name=f"{card.name}-student", model=card.model, source_hash=weights,
            made=made, made_of="source",
        )  # fmt: skip
        student.folder.replace(out / "source")

    def _static(self, work: Path, out: Path) -> None:
        from safetensors.numpy import save_file

        plan, card = self._plan, text_card(self._teacher.exported)
        static = fit_static(
            self._texts, self._vectors(), source=self._teacher.source, recipe=plan.static_recipe,
            threads=self._threads, seed=self._seed, progress=self._tell,
        )  # fmt: skip
        out.mkdir()
        save_file(dict(static.arrays), out / STATIC_FILE)
        shutil.copyfile(self._teacher.exported / TOKENIZER_FILE, out / TOKENIZER_FILE)
        files = {file: sha256_of(out / file) for file in (STATIC_FILE, TOKENIZER_FILE)}
        StaticCard(
            name=f"{card.name}-static", model=card.model, source_hash=files[STATIC_FILE], dim=card.dim,
            parity=round(static.cosine, 6), files=files, max_tokens=card.max_tokens, source=card.model,
            made=f"vectors of tokens of {card.model}, tuned on {len(self._texts)} texts with strength "
            f"{static.strength:g}: cosine {static.begun:.4f} to {static.cosine:.4f}",
        ).write(out)  # fmt: skip

    def _vectors(self) -> Vectors:
        """The teacher's vectors of the texts, float32[n, dim], each computed once, also over several calls."""
        key = f"teacher-{self._said}"
        self._used.add(key)
        folder = self._root / key
        folder.mkdir(parents=True, exist_ok=True)
        encoder: TextEncoder | None = None
        parts = []
        for begin in range(0, len(self._texts), _CHUNK):
            file = folder / f"{begin:08d}.npy"
            if not file.exists():
                encoder = encoder or self._teacher.open(self._teacher.exported)
                making = file.with_suffix(".new")
                with making.open("wb") as handle:
                    np.save(handle, encoder.encode(self._texts[begin : begin + _CHUNK]))
                making.replace(file)
            parts.append(np.load(file))
            self._tell("asking the teacher", min(begin + _CHUNK, len(self._texts)), len(self._texts))
        return np.concatenate(parts)


# -------------------------------------------------------------------- details


def _texts_of(parts: Parts, more: Sequence[str]) -> list[str]:
    """What the encoder reads in this shop: products, what shoppers typed, and pieces of products as they might."""
    ords = np.flatnonzero(parts.columns.facts.alive).tolist()
    products: list[str] = []
    for begin in range(0, len(ords), _CHUNK):
        found = parts.stores.catalog.groups(ords[begin : begin + _CHUNK])
        products += [text_of(group) for group in found if group is not None]
    asked = [judgement.query for judgement in parts.stores.content.judgements()]
    # What only one shopper typed may be about them, and is not written to disk once more.
    return [*products, *parts.queries.popular(), *asked, *more, *pieces(products)]


def _key(*about: Any) -> str:
    digest = blake2b(digest_size=8)
    for one in about:
        digest.update(f"{one}\0".encode("utf-8", "replace"))
    return digest.hexdigest()


def _begun(file: Path, about: str) -> list[str]:
    """The texts of a call about the same that was killed: the catalogue has changed since, its checkpoints have not."""
    try:
        kept = json.loads(file.read_text("utf-8"))
        fresh = now_ms() - kept["started_ms"] < STALE_HOURS * 3_600_000
        return list(kept["texts"]) if kept["about"] == about and fresh else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _begin(file: Path, about: str, texts: Sequence[str]) -> None:
    making = file.with_suffix(".new")
    making.write_text(json.dumps({"about": about, "started_ms": now_ms(), "texts": texts}), "utf-8")
    making.replace(file)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".work").mkdir(exist_ok=True)
        yield
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}") from error
