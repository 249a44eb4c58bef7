"""The kinds of tasks that a shop tunes for: how a file is read, what is learned from it, and what comes out.

A kind is recognised from a file's columns where only one fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aisle.errors import InvalidRequest
from aisle.learn.adapt.labelled import LABEL_COLUMNS, TEXT_COLUMNS, Labelled, read_labelled
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tables import Columns, read_table
from aisle.ports import TextClassifier
from aisle.types import NOTHING

if TYPE_CHECKING:
    from aisle.learn.adapt.generation import Generation, Written
    from aisle.learn.adapt.pairs import Clicks, Graded, Pairs
    from aisle.learn.adapt.tagging import Tagged, Tagging
    from aisle.learn.adapt.tasks import Classification, Task
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
    `needs` are the columns, each by the names it may have; `units` what is counted, `changed` numbers of the recipe.
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
    changed: Mapping[str, Any] = NOTHING

    def fits(self, columns: Sequence[str]) -> bool:
        return all(set(names) & set(columns) for names in self.needs)


def kind_of(file: Path, said: str = "", columns: Columns = Columns(), *, writes: bool = False) -> Kind:
    """The kind that was said, or the one that the file's columns fit; `writes`: a language model was named.

    Raises InvalidRequest where none fits, or several do.
    """
    from aisle.learn.adapt.examples import ALONE_COLUMNS, CONLL

    if said:
        if said not in KINDS:
            raise InvalidRequest(f"kind is one of {', '.join(KINDS)}, not {said[:40]!r}", field="kind")
        return KINDS[said]
    if file.suffix.lower() in CONLL:
        return KINDS["tags"]
    if columns.label and not columns.query:  # what a column of that name holds is not for its name to say
        return KINDS["labels"]
    there = read_table(file).columns
    fitting = [kind for kind in KINDS.values() if kind.fits(there) and (writes or kind.name != "text")]
    if not fitting and columns.text in there:
        fitting = [kind for kind in KINDS.values() if kind.fits((*there, TEXT_COLUMNS[0])) and kind.name == "labels"]
    if not fitting and writes and set(ALONE_COLUMNS) & set(there):
        fitting = [KINDS["text"]]
    paired = _QUERY in there and bool({"text", "title", "item"} & set(there))
    if len(fitting) == 1 and not (fitting[0].name == "labels" and paired):
        return fitting[0]
    if fitting:
        names = [kind.name for kind in fitting]
        if paired:
            names = list(dict.fromkeys([*names, "clicks", "relevance"]))
        raise InvalidRequest(
            f"{file.name} has {', '.join(there)[:200]}, which may be {' or '.join(names)}: say which with --kind",
            field="kind",
        )
    known = "; ".join(f"{kind.name}: {' + '.join(names[0] for names in kind.needs)}" for kind in KINDS.values())
    hint = "; what is to be written needs --model, too" if KINDS["text"].fits(there) else ""
    raise InvalidRequest(
        f"{file.name} has {', '.join(there)[:200]}, which no kind fits ({known}){hint}: "
        "rename columns, or say --kind and what they are called",
        field="kind",
    )


_QUERY: Final = "query"


# ----------------------------------------------------------------- labels


def _read_labels(file: Path, columns: Columns, like: Labelled | None) -> Labelled:
    names = like.names if like is not None else None
    return read_labelled(file, text=columns.text, label=columns.label, names=names)


def _classification(data: Labelled, source: Path, recipe: Recipe, name: str, _loss: str) -> Classification:
    from aisle.learn.adapt.tasks import Classification

    return Classification(data, source, recipe, name=name)


def _export_classifier(adapted: Adapted, task: Classification, source: Path, out: Path) -> Fitted:
    from aisle.learn.adapt.exporting import export_classifier

    return export_classifier(adapted, task, source, out)


def _classified(folder: Path, data: Labelled) -> dict[str, float]:
    from aisle.learn.adapt.tasks import label_metrics

    classifier = opened_classifier(folder)
    if classifier.names != data.names:
        return {}
    return label_metrics(classifier.classify(data.texts).argmax(1), data.labels, len(data.names))


def opened_classifier(folder: Path) -> TextClassifier:
    """As `wiring.open_classifier`, which is imported only when a classifier is needed."""
    from aisle.wiring import open_classifier

    return open_classifier(folder)


# ------------------------------------------------------ clicks, relevance


def _read_clicks(file: Path, columns: Columns, like: Pairs | None) -> Pairs:
    from aisle.learn.adapt.examples import read_clicks

    return read_clicks(file, columns, like)


def _read_grades(file: Path, columns: Columns, like: Pairs | None) -> Pairs:
    from aisle.learn.adapt.examples import read_grades

    return read_grades(file, columns, like)


def _pair_keys(data: Pairs) -> Sequence[str]:
    return [f"{query}\t{text}" for query, text in zip(data.queries, data.texts, strict=True)]


def _clicks(data: Pairs, source: Path, recipe: Recipe, name: str, _loss: str) -> Clicks:
    from aisle.learn.adapt.pairs import Clicks

    return Clicks(data, source, recipe, name=name)


def _graded(data: Pairs, source: Path, recipe: Recipe, name: str, loss: str) -> Graded:
    from aisle.learn.adapt.pairs import Graded

    ranking: Any = loss or "listwise"
    return Graded(data, source, recipe, ranking=ranking, name=name)


def _export_scorer(adapted: Adapted, task: Clicks | Graded, source: Path, out: Path) -> Fitted:
    from aisle.learn.adapt.exporting import export_scorer

    return export_scorer(adapted, task, source, out)


def _click_measured(folder: Path, data: Pairs) -> dict[str, float]:
    from aisle.learn.adapt.pairs import click_metrics

    return click_metrics(_scores(folder, data), data.grades)


def _grade_measured(folder: Path, data: Pairs) -> dict[str, float]:
    from aisle.learn.adapt.pairs import grade_metrics

    return grade_metrics(_scores(folder, data), data)


def _scores(folder: Path, data: Pairs) -> Any:
    """float32[n], by the model in the folder; each query is read with all its texts."""
    import numpy as np

    from aisle.wiring import open_pair_scorer

    scorer, found = open_pair_scorer(folder), np.empty(len(data), np.float32)
    rows: dict[str, list[int]] = {}
    for row, query in enumerate(data.queries):
        rows.setdefault(query, []).append(row)
    for query, of_query in rows.items():
        found[of_query] = scorer.score(query, [data.texts[row] for row in of_query])
    return found


# ------------------------------------------------------------------- tags


def _read_tags(file: Path, columns: Columns, like: Tagged | None) -> Tagged:
    from aisle.learn.adapt.examples import read_tagged

    return read_tagged(file, columns, like)


def _tagging(data: Tagged, source: Path, recipe: Recipe, name: str, _loss: str) -> Tagging:
    from aisle.learn.adapt.tagging import Tagging

    return Tagging(data, source, recipe, name=name)


def _export_tagger(adapted: Adapted, task: Tagging, source: Path, out: Path) -> Fitted:
    from aisle.learn.adapt.exporting import export_tagger

    return export_tagger(adapted, task, source, out)


def _tagged(folder: Path, data: Tagged) -> dict[str, float]:
    from aisle.learn.adapt.tagging import tag_metrics
    from aisle.wiring import open_tagger

    tagger = open_tagger(folder)
    if not data.names() <= set(tagger.names):
        return {}
    return tag_metrics([[tag for _, tag in words] for words in tagger.tag(data.words)], data.tags)


# ------------------------------------------------------------------- text


def _read_text(file: Path, columns: Columns, like: Written | None) -> Written:
    from aisle.learn.adapt.examples import read_written

    return read_written(file, columns, like)


def _generation(data: Written, source: Path, recipe: Recipe, name: str, _loss: str) -> Generation:
    from aisle.learn.adapt.generation import Generation
    from aisle.models.language import language_kind

    kind = language_kind(source)
    if kind is None:
        raise InvalidRequest(
            f"{source.name} reads, but does not write: name a causal or a sequence-to-sequence model", field="model"
        )
    return Generation(data, source, recipe, kind=kind, name=name)


def _export_generator(adapted: Adapted, task: Generation, source: Path, out: Path) -> Fitted:
    from aisle.learn.adapt.exporting import export_generator

    return export_generator(adapted, task, source, out)


def _written(folder: Path, data: Written) -> dict[str, float]:
    from aisle.learn.adapt.generation import measured_again

    return measured_again(folder, data)


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "labels", "intent", "texts", (TEXT_COLUMNS, LABEL_COLUMNS),
            _read_labels, lambda data: data.texts, _classification, _export_classifier, _classified,
        ),
        Kind(
            "clicks", "click", "pairs", (("query", "search", "search_query", "search_term"),
            ("text", "title", "item", "product", "product_title"),
            ("clicked", "bought", "click", "purchased", "purchase")),
            _read_clicks, _pair_keys, _clicks, _export_scorer, _click_measured,
            changed={"max_tokens": 128, "epochs": 4.0},
        ),
    )
}  # fmt: skip
