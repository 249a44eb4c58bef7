"""A language model that learns to answer: causal or sequence to sequence, by the likelihood of the answers."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest, StorageError
from aisle.learn.adapt.methods import Kind, merged
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import Rows, arithmetic, batched, tokens_read
from aisle.learn.tuning import Tokens
from aisle.models.language import LanguageKind, read_language_model, save_language_model, with_prompts

if TYPE_CHECKING:
    import torch
    from torch import nn

    from aisle.learn.adapt.tune import Adapted
    from aisle.models.heads import LanguageNetwork

_AT_ONCE: Final = 16
_UNTOLD: Final = -100


@dataclass(frozen=True, slots=True)
class Written:
    """`answers[i]` is what should be written after `prompts[i]`, which is empty for a text alone."""

    prompts: tuple[str, ...]
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises InvalidRequest."""
        if len(self.prompts) != len(self.answers) or not self.prompts:
            raise InvalidRequest("there must be an answer for each prompt, one at least", field="data")

    @property
    def alone(self) -> bool:
        """Whether there are texts only, with nothing asked."""
        return not any(self.prompts)


class Generation(Rows):
    """Negative log likelihood of each answer's tokens, and of its end; a unit is a prompt with its answer."""

    measure = "likelihood"

    def __init__(
        self,
        data: Written,
        source: Path,
        recipe: Recipe,
        *,
        kind: LanguageKind = "causal",
        name: str = "answers",
    ) -> None:
        """A causal model reads prompt and answer in `recipe.max_tokens` together, another one each.

        Raises InvalidRequest where a prompt leaves no room for an answer.
        """
        self.name, self.data = name, data
        self.kind: Kind = kind
        self.language: LanguageKind = kind
        config = json.loads((source / "config.json").read_text("utf-8"))
        end = config.get("eos_token_id")
        self._end = np.array([end[0] if isinstance(end, list) else end] if end is not None else [], np.int64)
        self.max_tokens = most = tokens_read(source, recipe)
        reader = Tokens(source / "tokenizer.json", most, special=kind == "seq2seq")
        plain = Tokens(source / "tokenizer.json", most, special=False)
        self._prompts = reader.of(data.prompts)
        self._answers = [np.concatenate([ids, self._end]) for ids in plain.of(data.answers)]
        if data.alone and kind == "seq2seq":
            raise InvalidRequest(
                "a sequence-to-sequence model answers: give it what is asked as well, or take a causal model",
                field="model",
            )
        if kind == "causal":
            begin = config.get("bos_token_id")
            for number, prompt in enumerate(self._prompts):
                if not data.prompts[number]:  # a text alone: its first word is told by nothing, or by a beginning
                    answer = self._answers[number]
                    prompt = np.array([begin], np.int64) if begin is not None else answer[:1]
                    self._prompts[number] = prompt
                    self._answers[number] = answer if begin is not None else answer[1:]
                room = most - len(prompt)
                if room < 1 or not len(prompt):
                    raise InvalidRequest(
                        f"row {number}: its prompt has {len(prompt)} tokens of {most}; "
                        "there must be one at least, and room for an answer: raise max_tokens",
                        field="max_tokens",
                    )
                self._answers[number] = self._answers[number][:room]
        self._rows = np.arange(len(data.prompts))

    def examples(self) -> Written:
        """Its own prompts with their answers."""
        rows = self._rows.tolist()
        return Written(tuple(self.data.prompts[row] for row in rows), tuple(self.data.answers[row] for row in rows))

    def key(self, row: int) -> str:
        return self.data.prompts[row] or self.data.answers[row]

    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(self._prompts[row]) + len(self._answers[row]) for row in self._rows.tolist()], np.int64)

    def content(self) -> Iterator[str]:
        for row in self._rows.tolist():
            yield f"{self.data.prompts[row]}\t{self.data.answers[row]}"

    def network(self, source: Path, recipe: Recipe) -> LanguageNetwork:
        from aisle.models.heads import LanguageNetwork

        return LanguageNetwork(read_language_model(source, self.language))

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        lost, n = self._lost(network, self._rows[units].tolist(), recipe.smoothing)
        return lost / max(1, n)

    def _lost(self, network: nn.Module, rows: list[int], smoothing: float = 0.0) -> tuple[torch.Tensor, int]:
        """The summed negative log likelihood of these answers' tokens, and how many those are."""
        import torch

        if self.kind == "causal":
            whole = [np.concatenate([self._prompts[row], self._answers[row]]) for row in rows]
            ids, mask = batched(whole, network)
            wanted = np.full(ids.shape, _UNTOLD, np.int64)
            for line, row in enumerate(rows):
                wanted[line, len(self._prompts[row]) : len(whole[line])] = self._answers[row]
            labels = torch.from_numpy(wanted).to(ids.device)
            logits = network(input_ids=ids, attention_mask=mask).logits[:, -ids.shape[1] :]
            logits, labels = logits[:, :-1], labels[:, 1:]  # what stands at a place tells the next one
        else:
            ids, mask = batched([self._prompts[row] for row in rows], network)
            answers, told = batched([self._answers[row] for row in rows], network)
            labels = answers.masked_fill(told == 0, _UNTOLD)
            logits = network(input_ids=ids, attention_mask=mask, labels=labels).logits[:, -labels.shape[1] :]
        lost: torch.Tensor = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), ignore_index=_UNTOLD, label_smoothing=smoothing,
            reduction="sum",
        )  # fmt: skip
        return lost, int((labels != _UNTOLD).sum())

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """`perplexity` of a token; `likelihood` is its logarithm, turned so that higher is better."""
        import torch

        lost, n = 0.0, 0
        was = network.training
        network.eval()
        with torch.no_grad(), arithmetic(network):
            for begin in range(0, len(self._rows), _AT_ONCE):
                of_part, told = self._lost(network, self._rows[begin : begin + _AT_ONCE].tolist())
                lost, n = lost + float(of_part), n + told
        network.train(was)
        each = lost / max(1, n)
        return {"perplexity": math.exp(min(each, 700.0)), "likelihood": -each}


def write_language_model(adapted: Adapted, source: Path, folder: Path) -> None:
    """The model in Hugging Face's format (safetensors) into the folder `folder`, which must not be there yet.

    New weights are folded in; those of prefix and prompt tuning lie beside a
    model that stays as it is. Raises StorageError.
    """
    from safetensors import SafetensorError

    network: Any = merged(adapted.network)
    try:
        folder.mkdir(parents=True)
        save_language_model(network.body, folder)
        for file in source.glob("*"):
            ours = file.name == "card.json" or file.name.endswith(".index.json")  # of how the source is kept
            known = file.is_file() and file.suffix in (".json", ".txt", ".model") and not ours
            if known and not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{folder} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def measured_again(folder: Path, data: Written) -> dict[str, float]:
    """How likely a model that was exported into the folder finds other answers. Raises ModelError."""
    about = json.loads((folder / "card.json").read_text("utf-8"))["params"]
    kind: LanguageKind = about["architecture"]
    task = Generation(data, folder, Recipe(max_tokens=about["max_tokens"]), kind=kind)
    from aisle.models.heads import LanguageNetwork

    return task.metrics(LanguageNetwork(with_prompts(read_language_model(folder, kind), folder)))
