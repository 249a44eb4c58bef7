"""A causal language model from a folder, run by transformers on this machine."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aisle.errors import LanguageLate, LanguageNonsense, LanguageRefused, ModelDamaged, ModelError
from aisle.ports import Chosen, Message
from aisle.ports.language import checked_choices
from aisle.types import Scores

if TYPE_CHECKING:
    import torch

AT_ONCE: Final = 16
"""Choices whose likelihoods are computed together."""

_ROLES: Final = {"system": "System", "user": "User", "assistant": "Assistant"}


class HuggingFaceLanguageModel:
    """The causal model in a folder, or of a Hugging Face name already on this machine.

    Read at its first use, which takes its own time; then one call runs after
    the other, and who waits does so within their time. A call is ended
    between two words, never within one.
    """

    def __init__(self, model: str, *, timeout_s: float = 20.0, max_tokens: int = 256) -> None:
        self._source, self._timeout_s, self._max_tokens = model, timeout_s, max_tokens
        self._lock = threading.Lock()
        self._network: Any = None
        self._tokenizer: Any = None

    @property
    def name(self) -> str:
        return Path(self._source).name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> str:
        """What the model says next; see the port."""
        most = self._max_tokens if max_tokens is None else max_tokens
        with self._turn(timeout_s) as until:
            return self._generate(messages, most, temperature, [end for end in stop if end], until)

    def choose(self, messages: Sequence[Message], choices: Sequence[str], *, timeout_s: float | None = None) -> Chosen:
        """By the mean log likelihood of each choice's words: a long name is not held against a choice."""
        names = [_whole(name) for name in checked_choices(choices)]
        with self._turn(timeout_s) as until:
            likely = self._likelihoods(messages, names, until)
        if not np.isfinite(likely).all():
            raise LanguageNonsense(f"{self.name} gives likelihoods that are not finite")
        chance = np.exp(likely - likely.max())
        return Chosen((chance / chance.sum()).astype(np.float32), graded=True)

    def close(self) -> None:
        """Let go of the weights; a later call reads them again."""
        with self._lock:
            self._network = self._tokenizer = None

    # ---------------------------------------------------------------- inside

    @contextmanager
    def _turn(self, timeout_s: float | None) -> Iterator[float]:
        """This call's turn with the model, and when it must end."""
        import torch

        patience = self._timeout_s if timeout_s is None else timeout_s
        if not self._lock.acquire(timeout=max(0.0, patience)):
            raise LanguageLate(f"{self.name} was still at work for others after {patience:.3g} s")
        try:
            began = time.monotonic()
            if self._network is None:
                self._load()
                began = time.monotonic()
            with torch.inference_mode():
                yield began + patience
        finally:
            self._lock.release()

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self._source, local_files_only=True)
            network: Any = AutoModelForCausalLM.from_pretrained(
                self._source, local_files_only=True, use_safetensors=True, dtype="auto"
            )
        except Exception as error:  # transformers raises what it pleases for a folder it cannot read
            if not Path(self._source).is_dir():
                raise ModelError(
                    f"language.model: {self._source} is no folder, and no model of that name is on this machine; "
                    f"fetch it first, with: hf download {self._source}"
                ) from error
            raise ModelDamaged(f"{self._source}: no causal language model can be read from it ({error})") from error
        self._tokenizer = tokenizer
        self._network = network.eval().to("cuda" if torch.cuda.is_available() else "cpu")

    def _prompt(self, messages: Sequence[Message]) -> torch.Tensor:
        """int64[1, t], which ends where the model's answer begins."""
        import torch

        tokenizer = self._tokenizer
        if getattr(tokenizer, "chat_template", None):
            turns = [{"role": message.role, "content": _whole(message.content)} for message in messages]
            try:
                found = tokenizer.apply_chat_template(
                    turns, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
                )
            except Exception as error:  # a template is a program of its own, and may know no system's turn
                raise LanguageRefused(f"{self.name}: its chat template takes no such messages ({error})") from error
        else:
            told = [f"{_ROLES[message.role]}: {_whole(message.content)}" for message in messages]
            found = tokenizer.encode("\n\n".join([*told, "Assistant:"]) + "\n")
        most = self._most_tokens()
        if len(found) >= most:
            raise LanguageRefused(
                f"{self.name} reads {most} tokens, and the prompt has {len(found)}: give fewer examples, shorter texts"
            )
        return torch.tensor([found], dtype=torch.int64, device=self._network.device)

    def _most_tokens(self) -> int:
        told = getattr(self._network.config.get_text_config(), "max_position_embeddings", None)
        return int(told) if told else 1_000_000

    def _generate(
        self, messages: Sequence[Message], most: int, temperature: float, stop: Sequence[str], until: float
    ) -> str:
        import torch
        from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

        prompt = self._prompt(messages)
        tokenizer, n = self._tokenizer, prompt.shape[1]
        was_late = False

        class _Ended(StoppingCriteria):
            def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
                nonlocal was_late
                was_late = time.monotonic() > until
                said = tokenizer.decode(ids[0, n:], skip_special_tokens=True) if stop else ""
                ended = was_late or any(end in said for end in stop)
                return torch.full((1,), ended, dtype=torch.bool, device=ids.device)

        ends = self._network.generation_config.eos_token_id
        ends = tokenizer.eos_token_id if ends is None else ends
        first_end = ends[0] if isinstance(ends, list) else ends
        sampled = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature > 0 else {}
        most = min(most, self._most_tokens() - n)
        config: Any = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=most, eos_token_id=ends, pad_token_id=first_end, **sampled
        )
        try:
            found = self._network.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=config,
                stopping_criteria=StoppingCriteriaList([_Ended()]),
            )
        except RuntimeError as error:  # such as sampling from what is not finite, or too little memory
            raise LanguageNonsense(f"{self.name} failed: {str(error)[:200]}") from error
        said = found[0, n:]
        if was_late and len(said) < most and int(said[-1]) not in (ends if isinstance(ends, list) else [ends]):
            raise LanguageLate(f"{self.name} said {len(said)} tokens in its time, and was not at an end")
        text = str(tokenizer.decode(said, skip_special_tokens=True))
        return text[: min((at for end in stop if (at := text.find(end)) >= 0), default=len(text))]

    def _likelihoods(self, messages: Sequence[Message], names: Sequence[str], until: float) -> Scores:
        """float32[n], mean log likelihood of each name's tokens. The prompt is read once for all of them."""
        import torch

        prompt = self._prompt(messages)
        tails = [self._tokenizer.encode(name, add_special_tokens=False) for name in names]
        if not all(tails):
            raise LanguageRefused(f"{self.name} knows no word of the choice {names[tails.index([])]!r}")
        if prompt.shape[1] + max(len(tail) for tail in tails) > self._most_tokens():
            raise LanguageRefused(f"{self.name} reads too few tokens for the prompt with an answer")
        read = self._network(prompt, use_cache=True, logits_to_keep=1)
        first = read.logits[0, -1].float().log_softmax(0)  # [vocabulary]
        total = torch.stack([first[tail[0]] for tail in tails]).cpu().numpy().astype(np.float64)
        order = sorted((row for row in range(len(tails)) if len(tails[row]) > 1), key=lambda row: len(tails[row]))
        for rows in (order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)):
            if time.monotonic() > until:
                raise LanguageLate(f"{self.name} could not weigh {len(names)} choices in its time")
            longest = max(len(tails[row]) for row in rows)
            ids = torch.tensor([tails[row] + [0] * (longest - len(tails[row])) for row in rows], device=prompt.device)
            kept = torch.tensor([[1] * len(tails[row]) + [0] * (longest - len(tails[row])) for row in rows])
            cache = copy.deepcopy(read.past_key_values)
            cache.batch_repeat_interleave(len(rows))
            # What stands after a short name changes nothing before it: attention only looks back.
            logits = self._network(ids[:, :-1], past_key_values=cache, use_cache=True).logits.float()  # [b, t-1, v]
            each = logits.log_softmax(2).gather(2, ids[:, 1:, None])[:, :, 0].cpu()  # [b, t-1]
            total[rows] += (each * kept[:, 1:]).sum(1).numpy()
        if time.monotonic() > until:
            raise LanguageLate(f"{self.name} could not weigh {len(names)} choices in its time")
        found: Scores = (total / np.array([len(tail) for tail in tails])).astype(np.float32)
        return found


def _whole(text: str) -> str:
    """Without halves of characters, which no tokenizer takes."""
    return text.encode(errors="replace").decode()
