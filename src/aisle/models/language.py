"""Language models in a folder of Hugging Face's format, with the prompts that were learned for them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Final, Literal

from aisle.errors import ModelError

LanguageKind = Literal["causal", "seq2seq"]
PROMPTS_FILE: Final = "prompts.safetensors"
"""Learned virtual tokens or keys and values, beside a model that stays as it was."""
PROMPTS_CONFIG: Final = "prompts.json"
_ADAPTER_CONFIG: Final = "adapter_config.json"  # of that name, transformers would look for the model elsewhere
_CAUSAL: Final = ("ForCausalLM", "LMHeadModel")


def language_kind(folder: Path) -> LanguageKind | None:
    """What the model's configuration says it is; None for one that does not write, such as an encoder."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if config.get("is_encoder_decoder"):
        return "seq2seq"
    return "causal" if any(str(name).endswith(_CAUSAL) for name in config.get("architectures") or ()) else None


def read_language_model(folder: Path, kind: LanguageKind) -> Any:
    """The model as it was published or exported, its learned prompts left out. Raises ModelError."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    made: Any = AutoModelForCausalLM if kind == "causal" else AutoModelForSeq2SeqLM
    try:
        return made.from_pretrained(folder, use_safetensors=True, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no {kind} language model: {error}") from error


def save_language_model(body: Any, folder: Path) -> None:
    """Write the model and, of prefix and prompt tuning, what was learned beside it. Raises OSError, SafetensorError."""
    if hasattr(body, "get_base_model"):
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        state = {name: weight.contiguous() for name, weight in get_peft_model_state_dict(body).items()}
        save_file(state, folder / PROMPTS_FILE)
        body.active_peft_config.save_pretrained(folder)
        (folder / _ADAPTER_CONFIG).replace(folder / PROMPTS_CONFIG)
        body = body.get_base_model()
    body.save_pretrained(folder)


def with_prompts(body: Any, folder: Path) -> Any:
    """The model with the prompts that lie in the folder; as it is where none do. Raises ModelError."""
    if not (folder / PROMPTS_FILE).exists():
        return body
    import peft
    from safetensors.torch import load_file

    try:
        told = json.loads((folder / PROMPTS_CONFIG).read_text("utf-8"))
        made: Any = peft.PeftConfig  # its from_peft_type has no types
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own deprecations
            whole = peft.get_peft_model(body, made.from_peft_type(**told))
        peft.set_peft_model_state_dict(whole, load_file(folder / PROMPTS_FILE))
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder}: its prompts cannot be read: {error}") from error
    return whole.eval()
