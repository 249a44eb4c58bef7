"""Which weights are trained: all, the top layer, or a few new ones beside them (peft)."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, Final, Literal

from aisle.errors import InvalidRequest, ModelError
from aisle.learn.adapt.recipe import METHODS, PROMPTS, Method, Recipe

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["encoder", "causal", "seq2seq"]
_PEFT_KINDS: Final = {"encoder": "FEATURE_EXTRACTION", "causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM"}
_START: Final = 1.5
"""AdaLoRA begins with so many times the rank that it ends with."""
_ORTHOGONAL: Final = 0.5
"""Weight of the orthogonality of AdaLoRA's two sides, as in its paper."""


def put_on(network: nn.Module, method: Method, recipe: Recipe, n_steps: int, kind: Kind = "encoder") -> None:
    """Make `network.body` train by the method, in place; the head is trained whatever the method.

    Raises InvalidRequest for an unknown method, ModelError for a model that it does not fit.
    """
    if method not in METHODS:
        raise InvalidRequest(f"no method is called {method!r}: use one of {', '.join(METHODS)}", field="method")
    if recipe.words and method != "full":
        raise InvalidRequest("the vectors of words are trained by method full only", field="words")
    body: Any = network.body
    for parameter in body.parameters():
        parameter.requires_grad_(method == "full")
    if method == "full":
        for embedding in body.get_input_embeddings().parameters():
            # Else a word that no example has must not drift off from those that have.
            embedding.requires_grad_(recipe.words)
        if getattr(body, "pooler", None) is not None:
            body.pooler.requires_grad_(False)  # tokens are pooled otherwise: it would get no gradient
    elif method == "top":
        _stacks(body)[-1][-1].requires_grad_(True)
    elif method != "head":
        network.body = _with_peft(body, method, recipe, n_steps, kind)
    _drop(network.body, recipe.dropout)


def share(network: nn.Module) -> float:
    """Trained weights, of all there are."""
    counts = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(n for n, trained in counts if trained) / max(1, sum(n for n, _ in counts))


def merged(network: nn.Module) -> nn.Module:
    """A copy ready to be exported: the new weights are folded into the old ones where the method allows it."""
    whole: Any = copy.deepcopy(network).eval()
    if hasattr(whole.body, "merge_and_unload") and not whole.body.active_peft_config.is_prompt_learning:
        whole.body = whole.body.merge_and_unload()
    return whole  # type: ignore[no-any-return]


def after_step(network: nn.Module, step: int) -> None:
    """What a method does once the optimiser has stepped: AdaLoRA moves ranks to where they matter."""
    allocate = getattr(getattr(network.body, "base_model", None), "update_and_allocate", None)
    if allocate is not None:
        allocate(step)


def penalty(network: nn.Module) -> None:
    """Add to the gradients what keeps AdaLoRA's two sides orthogonal; nothing for other methods."""
    if own_state(network) is None:
        return
    import torch

    sides = [p for name, p in network.named_parameters() if "lora_A" in name or "lora_B" in name]
    total = torch.zeros(())
    for side in sides:
        rows = side if side.shape[0] < side.shape[1] else side.T  # [rank, dim]
        off = rows @ rows.T - torch.eye(len(rows), device=rows.device)
        total = total.to(rows.device) + torch.linalg.matrix_norm(off)
    (_ORTHOGONAL * total / len(sides)).backward()  # type: ignore[no-untyped-call]


def ranks(network: nn.Module) -> dict[str, Any]:
    """The ranks that AdaLoRA has settled on, as JSON can say them; nothing for other methods or before it has."""
    if own_state(network) is None:
        return {}
    body: Any = network.body
    return dict(body.active_peft_config.rank_pattern or {})


def take_ranks(network: nn.Module, found: dict[str, Any]) -> None:
    """Give back what `ranks` said."""
    if found:
        body: Any = network.body
        body.active_peft_config.rank_pattern = found


def own_state(network: nn.Module) -> dict[str, Any] | None:
    """What AdaLoRA knows of its weights beside them: their importance, by kind and name; None for other methods."""
    allocator = getattr(getattr(network.body, "base_model", None), "rankallocator", None)
    if allocator is None:
        return None
    return {"ipt": allocator.ipt, "exp_avg_ipt": allocator.exp_avg_ipt, "exp_avg_unc": allocator.exp_avg_unc}


def _with_peft(body: Any, method: Method, recipe: Recipe, n_steps: int, kind: Kind) -> Any:
    import peft

    common: dict[str, Any] = {"task_type": _PEFT_KINDS[kind]}
    if method in PROMPTS:
        if recipe.virtual + recipe.max_tokens > int(getattr(body.config, "max_position_embeddings", 1 << 30)):
            raise InvalidRequest(
                f"the model has no places for {recipe.virtual} virtual tokens before {recipe.max_tokens} others: "
                "lower virtual or max_tokens",
                field="virtual",
            )
        made = peft.PrefixTuningConfig if method == "prefix" else peft.PromptTuningConfig
        config: Any = made(num_virtual_tokens=recipe.virtual, **common)
    else:
        linear = _linear_of(body)
        if method == "ia3":
            keys = [name for name in linear if name.rsplit(".", 1)[-1] in _IA3_ATTENTION]
            ends = [name for name in linear if name.endswith(_IA3_FEED_FORWARD) and "attention" not in name]
            if not keys or not ends:
                raise ModelError(f"method ia3 does not know the layers of a {type(body).__name__}; use lora")
            config = peft.IA3Config(target_modules=keys + ends, feedforward_modules=ends, **common)
        elif method == "lora":
            config = peft.LoraConfig(
                r=recipe.rank,
                lora_alpha=round(recipe.alpha),
                target_modules=linear,
                **common,
            )
        else:
            # Ranks are moved between a tenth and seven tenths of the way; peft wants room for both ends.
            begin, end = max(1, n_steps // 10), max(1, (3 * n_steps) // 10)
            if n_steps < 10:
                raise InvalidRequest(f"adalora needs 10 steps or more, here are {n_steps}: more epochs", field="epochs")
            config = peft.AdaLoraConfig(
                init_r=max(1, round(recipe.rank * _START)), target_r=recipe.rank, lora_alpha=round(recipe.alpha),
                tinit=begin, tfinal=end, deltaT=max(1, n_steps // 100), total_step=n_steps, target_modules=linear,
                **common,
            )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own deprecations
            return peft.get_peft_model(body, config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"method {method} does not fit a {type(body).__name__}: {error}") from error


_IA3_ATTENTION: Final = ("key", "value", "k_lin", "v_lin", "k_proj", "v_proj", "k", "v")
_IA3_FEED_FORWARD: Final = ("output.dense", "lin2", "down_proj", "fc2", "wo")


def _stacks(body: Any) -> list[nn.ModuleList]:
    """The transformer's stacks of blocks, lists within a block left out. Raises ModelError where there is none."""
    from torch import nn

    lists = [part for part in body.modules() if isinstance(part, nn.ModuleList) and len(part)]
    inside = {id(inner) for outer in lists for inner in outer.modules() if inner is not outer}
    found = [one for one in lists if id(one) not in inside]
    if not found:
        raise ModelError(f"a {type(body).__name__} keeps its layers in no list: use method full or head")
    return found


def _linear_of(body: Any) -> list[str]:
    """Names of the linear maps in the transformer's blocks."""
    inside = {id(part) for stack in _stacks(body) for part in stack.modules()}
    kinds = ("Linear", "Conv1D")
    return [name for name, part in body.named_modules() if id(part) in inside and type(part).__name__ in kinds]


def _drop(body: Any, dropout: float) -> None:
    """The model's own dropout, at the recipe's rate; none of peft's beside it, which costs a quarter of a step."""
    from torch import nn

    for part in body.modules():
        if isinstance(part, nn.Dropout):
            part.p = dropout
