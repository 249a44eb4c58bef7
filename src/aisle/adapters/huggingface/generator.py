"""The language model that `aisle tune` made, as it writes: run by transformers on this machine."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from aisle.adapters.files.tuned import checked
from aisle.errors import InvalidRequest, ModelDamaged

_TOKENIZER: Final = "tokenizer.json"


class HuggingFaceGenerator:
    """Writes the likeliest words after a prompt; one call after the other, as it is not safe to share.

    Raises InvalidRequest, ModelDamaged, ModelError.
    """

    def __init__(self, folder: Path) -> None:
        import torch

        from aisle.models.language import read_language_model, with_prompts

        params = checked(folder, "text")
        self._kind, self._alone, self._most = params["architecture"], params["alone"], int(params["max_tokens"])
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
            config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        except Exception as error:  # the tokenizers library raises bare Exceptions for a file it cannot read
            raise ModelDamaged(f"{folder}: cannot be loaded ({error}); tune again") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._most)
        self._begin, self._end, self._pad = (config.get(f"{name}_token_id") for name in ("bos", "eos", "pad"))
        if self._pad is None:
            self._pad = self._end[0] if isinstance(self._end, list) else self._end
        network = with_prompts(read_language_model(folder, self._kind), folder).eval()
        self._network: Any = network.to("cuda" if torch.cuda.is_available() else "cpu")

    def write(self, prompts: Sequence[str], *, max_tokens: int = 64) -> list[str]:
        """What follows each prompt, its end left out; a causal model has `max_tokens` of training for both.

        Raises InvalidRequest for a prompt without words where the model needs one, or with no room behind it.
        """
        return [self._written(prompt, max_tokens) for prompt in prompts]

    def _written(self, prompt: str, most: int) -> str:
        import torch

        causal = self._kind == "causal"
        clean = prompt.encode("utf-8", "replace").decode("utf-8")
        ids = list(self._tokenizer.encode(clean, add_special_tokens=not causal).ids)
        if causal and self._begin is not None and (self._alone or not ids):
            ids = [self._begin, *ids]  # as texts alone were read
        room = min(most, self._most - len(ids)) if causal else most
        if not ids or room < 1:
            raise InvalidRequest(
                f"a prompt of {len(ids)} tokens: there must be one at least, and fewer than {self._most}",
                field="prompts",
            )
        read = torch.tensor([ids], device=next(self._network.parameters()).device)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft tells of position ids that it finds out by itself
            told = self._network.generate(
                input_ids=read, attention_mask=torch.ones_like(read), max_new_tokens=room, do_sample=False,
                eos_token_id=self._end, pad_token_id=self._pad,
            )[0].tolist()  # fmt: skip
        ends = self._end if isinstance(self._end, list) else [self._end]
        words = [one for one in told[len(ids) if causal else 1 :] if one not in (*ends, self._pad)]
        return str(self._tokenizer.decode(words, skip_special_tokens=True))


def read_generator(folder: Path | str) -> HuggingFaceGenerator:
    """What `aisle tune --kind text` made, its files checked. Raises InvalidRequest, ModelDamaged, ModelError."""
    return HuggingFaceGenerator(Path(folder))
