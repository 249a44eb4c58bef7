"""The kinds of tasks that a shop tunes for: how a file is read, what is learned from it, and what comes out.

A kind is recognised from a file's columns where only one fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aisle.errors import InvalidRequest
from aisle.learn.adapt import examples, exporting
from aisle.learn.adapt.generation import Generation, Written, measured_again
from aisle.learn.adapt.labelled import LABEL_COLUMNS, TEXT_COLUMNS, Labelled, read_labelled
from aisle.learn.adapt.pairs import Clicks, Graded, Pairs, click_metrics, grade_metrics
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tables import USUAL, Columns, read_table
from aisle.learn.adapt.tagging import Tagged, Tagging, tag_metrics
from aisle.learn.adapt.tasks import Classification, Task, label_metrics
from aisle.models.language import language_kind
from aisle.types import NOTHING, Scores

if TYPE_CHECKING:
    from aisle.learn.adapt.tune import Adapted
    from aisle.learn.fitted import Fitted


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of task, over examples of its own type.

    `read(file, columns, like)` reads a file, a test's like the training's;
    `keys(examples)` are what two files must not share;
    `task(examples, source, recipe, name, loss)` binds them to a model;
    `export(adapted, task, source, out)` writes what was trained;
    `measured(folder, examples)` is how well a written model does, empty where it tells other things than these.
    `needs` are the columns, each by the names it may have; `units` what is counted, `changed` numbers of the recipe,
    `serves` whether requests are answered by it.
    """

    name: str
    task_name: str
    units: str
    needs: tuple[tuple[str, ...], ...]
    read: Callable[[Path, Columns, Any], Any]
    keys: Callable[[Any], Sequence[str]]
    task: Callable[[Any, Path, Recipe, str, str], Task]
    export: Callable[[Adapted, Any, Path, Path], Fitted]
    measured: Callable[[Path, Any], dict[str, float]]
    losses: tuple[str, ...] = ()
    changed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    serves: bool = False
    a_base: bool = False
    """Whether models can be compared only where they were made from the same one: others count other words."""

    def fits(self, columns: Sequence[str]) -> bool:
        return all(set(names) & set(columns) for names in self.needs)


def kind_of(file: Path, said: str = "", columns: Columns = USUAL, *, writes: bool = False) -> Kind:
    """The kind that was said, or the one that the file's columns fit; `writes`: a language model was named.

    Raises InvalidRequest where none fits, or several do.
    """
    if said:
        if said not in KINDS:
            raise InvalidRequest(f"kind is one of {', '.join(KINDS)}, not {said[:40]!r}", field="kind")
        return KINDS[said]
    if file.suffix.lower() in examples.CONLL:
        return KINDS["tags"]
    if columns.label and not columns.query:  # what a column of that name holds is not for its name to say
        return KINDS["labels"]
    there = read_table(file).columns
    fitting = [kind for kind in KINDS.values() if kind.fits(there) and (writes or kind.name != "text")]
    if not fitting and columns.text in there:
        fitting = [kind for kind in KINDS.values() if kind.fits((*there, TEXT_COLUMNS[0])) and kind.name == "labels"]
    if not fitting and writes and set(examples.ALONE_COLUMNS) & set(there):
        fitting = [KINDS["text"]]
    if "label" in there and all(set(names) & set(there) for names in _PAIR):  # of the text, or of the pair
        fitting += [KINDS[name] for name in ("clicks", "relevance") if KINDS[name] not in fitting]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InvalidRequest(
            f"{file.name} has {', '.join(there)[:200]}, which may be {' or '.join(kind.name for kind in fitting)}: "
            "say which with --kind",
            field="kind",
        )
    known = "; ".join(f"{kind.name}: {' + '.join(names[0] for names in kind.needs)}" for kind in KINDS.values())
    hint = "; what is to be written needs --model, too" if KINDS["text"].fits(there) else ""
    raise InvalidRequest(
        f"{file.name} has {', '.join(there)[:200]}, which no kind fits ({known}){hint}: "
        "rename columns, or say --kind and what they are called",
        field="kind",
    )


def _read_labels(file: Path, columns: Columns, like: Labelled | None) -> Labelled:
    names = like.names if like is not None else None
    return read_labelled(file, text=columns.text, label=columns.label, names=names)


def _classified(folder: Path, data: Labelled) -> dict[str, float]:
    from aisle.wiring import open_classifier

    classifier = open_classifier(folder)
    if classifier.names != data.names:
        return {}
    return label_metrics(classifier.classify(data.texts).argmax(1), data.labels, len(data.names))


def _pair_keys(data: Pairs) -> Sequence[str]:
    return [f"{query}\t{text}" for query, text in zip(data.queries, data.texts, strict=True)]


def _graded(data: Pairs, source: Path, recipe: Recipe, name: str, loss: str) -> Graded:
    ranking: Any = loss or "listwise"
    return Graded(data, source, recipe, ranking=ranking, name=name)


def _scores(folder: Path, data: Pairs) -> Scores:
    """float32[n], by the model in the folder; each query is read with all its texts."""
    from aisle.wiring import open_reranker

    scorer, found = open_reranker(folder), np.empty(len(data), np.float32)
    rows: dict[str, list[int]] = {}
    for row, query in enumerate(data.queries):
        rows.setdefault(query, []).append(row)
    for query, of_query in rows.items():
        found[of_query] = scorer.score(query, [data.texts[row] for row in of_query])
    return found


def _tagged(folder: Path, data: Tagged) -> dict[str, float]:
    from aisle.wiring import open_tagger

    tagger = open_tagger(folder)
    if not data.names() <= set(tagger.names):
        return {}
    return tag_metrics([[tag for _, tag in words] for words in tagger.tag(data.words)], data.tags)


def _generation(data: Written, source: Path, recipe: Recipe, name: str, _loss: str) -> Generation:
    kind = language_kind(source)
    if kind is None:
        raise InvalidRequest(
            f"{source.name} reads, but does not write: name a causal or a sequence-to-sequence model", field="model"
        )
    return Generation(data, source, recipe, kind=kind, name=name)


_PAIR: Final = (examples.QUERY_COLUMNS, examples.ITEM_COLUMNS)
KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "labels", "intent", "texts", (TEXT_COLUMNS, LABEL_COLUMNS),
            read=_read_labels,
            keys=lambda data: data.texts,
            task=lambda data, source, recipe, name, _: Classification(data, source, recipe, name=name),
            export=exporting.export_classifier,
            measured=_classified,
            serves=True,
        ),
        Kind(
            "clicks", "click", "pairs", (*_PAIR, examples.CLICK_COLUMNS),
            read=examples.read_clicks,
            keys=_pair_keys,
            task=lambda data, source, recipe, name, _: Clicks(data, source, recipe, name=name),
            export=exporting.export_scorer,
            measured=lambda folder, data: click_metrics(_scores(folder, data), data.grades),
            changed={"max_tokens": 128, "epochs": 4.0},
        ),
        Kind(
            "relevance", "relevance", "queries", (*_PAIR, examples.GRADE_COLUMNS),
            read=examples.read_grades,
            keys=_pair_keys,
            task=_graded,
            export=exporting.export_scorer,
            measured=lambda folder, data: grade_metrics(_scores(folder, data), data),
            losses=("mse", "pairwise", "listwise"),
            changed={"max_tokens": 128, "epochs": 4.0, "batch": 8},
        ),
        Kind(
            "tags", "attributes", "texts", (examples.WORD_COLUMNS, examples.TAG_COLUMNS),
            read=examples.read_tagged,
            keys=lambda data: [" ".join(words) for words in data.words],
            task=lambda data, source, recipe, name, _: Tagging(data, source, recipe, name=name),
            export=exporting.export_tagger,
            measured=_tagged,
        ),
        Kind(
            "text", "writing", "texts", (examples.INPUT_COLUMNS, examples.OUTPUT_COLUMNS),
            read=examples.read_written,
            keys=lambda data: data.answers if data.alone else data.prompts,
            task=_generation,
            export=exporting.export_generator,
            measured=measured_again,
            changed={"max_tokens": 256, "epochs": 3.0, "batch": 8},
            a_base=True,
        ),
    )
}  # fmt: skip
