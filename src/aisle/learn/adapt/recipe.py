"""How a model is adapted: every number of a training in one frozen value, with what serves most shops."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, Self, get_args

from aisle.errors import InvalidRequest

Method = Literal["full", "top", "lora", "adalora", "prefix", "prompt", "ia3", "head"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
PROMPTS: Final = ("prefix", "prompt")
"""Methods that put virtual tokens before the text."""
FEW: Final = "few"
"""The method for a handful of examples of each label, which texts without labels help; its recipe is `FewRecipe`."""
NAMES: Final = "names"
"""The method for no example at all: labels' names, descriptions, and texts without labels. It has no recipe."""
WITHOUT_LABELS: Final = (FEW, NAMES)
"""Methods that learn from texts without labels."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a training goes. `Recipe.of(method)` has the defaults of a method.

    `epochs` over the examples in batches of `batch`, `accumulate` batches a
    step. The rate rises over the share `warm_up` and falls to nothing as
    `schedule` says; the head's is `head_rate` times as high, and each layer's
    `layer_decay` times that of the layer above it. `average` is the decay of
    the averaged weights, which are what one gets (0: the last ones).

    `smoothing` of labels, `contrast` the weight of a supervised contrastive
    term between the texts of a batch, `balance` from 0 (classes count as often
    as they come) to 1 (all the same). The share `held` of the examples is left
    out to measure by (0: none); `patience` measurements without gain end the
    training. `seconds` it may take (0: no limit).

    `rank` and `alpha` are LoRA's, `virtual` the tokens of prefix and prompt tuning. `words`: the vectors of words are
    trained too, with method full; for words that were added (`vocabulary.add_words`), which begin anywhere.
    """

    epochs: float = 12.0
    batch: int = 32
    accumulate: int = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["cosine", "linear"] = "cosine"
    learning_rate: float = 1e-4
    head_rate: float = 5.0
    layer_decay: float = 1.0
    warm_up: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    smoothing: float = 0.05
    contrast: float = 0.0
    balance: float = 0.5
    average: float = 0.99
    clip: float = 1.0
    rank: int = 16
    alpha: float = 32.0
    virtual: int = 20
    held: float = 0.1
    patience: int = 4
    max_tokens: int = 64
    words: bool = False
    seconds: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InvalidRequest for a number that no training can go by."""
        least = {"epochs": 0.01, "batch": 1, "accumulate": 1, "learning_rate": 1e-9, "head_rate": 1e-3, "rank": 1,
                 "virtual": 1, "patience": 1, "max_tokens": 4, "clip": 1e-6}  # fmt: skip
        for one in fields(self):
            value = getattr(self, one.name)
            if not isinstance(value, str) and value < least.get(one.name, 0.0):
                raise InvalidRequest(f"{one.name} must be at least {least.get(one.name, 0)}", field=one.name)
        if self.seed >= 1 << 32:
            raise InvalidRequest("seed must be below 2^32", field="seed")
        for name in ("held", "warm_up", "dropout", "smoothing", "average"):
            if getattr(self, name) >= 1.0:
                raise InvalidRequest(f"{name} must be below 1", field=name)
        for name, most in (("layer_decay", 1.0), ("balance", 1.0), ("held", 0.5)):
            if getattr(self, name) > most:
                raise InvalidRequest(f"{name} must be at most {most:g}", field=name)
        if self.optimizer not in ("adamw", "sgd") or self.schedule not in ("cosine", "linear"):
            raise InvalidRequest("optimizer is adamw or sgd, schedule is cosine or linear", field="optimizer")

    @classmethod
    def of(cls, method: Method, **changed: Any) -> Self:
        """The defaults of a method, chosen on a held-out part of training data, with some of them changed."""
        return replace(cls(**_DEFAULTS.get(method, {})), **{k: v for k, v in changed.items() if v is not None})


@dataclass(frozen=True, slots=True)
class FewRecipe:
    """How method few tunes an encoder; `benchmarks/few_shot.py --dev` measures one on a part of the training file.

    Each example is seen `epochs` times, or less often where that would be more than `steps` steps of `batch`.
    `contrast` is how much telling examples apart counts beside telling labels apart; `dropped` the share of an
    example's tokens that are left out. `names`: the label's name is an example, too. `kept` is the share of the
    weights as they were in the mean with the tuned ones that is taken in the end (Wortsman et al. 2022): it mends a
    rate that was too high (at 3e-4, 83.5% of held-out texts became 85.1% with a quarter kept; 84.0% untuned).
    """

    epochs: float = 10.0
    steps: int = 1000
    batch: int = 48
    learning_rate: float = 2e-4
    temperature: float = 0.07
    contrast: float = 0.5
    dropped: float = 0.1
    names: bool = True
    kept: float = 0.25
    max_tokens: int = 64


_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "full": {"learning_rate": 5e-5, "head_rate": 2.0, "layer_decay": 0.9, "contrast": 0.2, "epochs": 8.0},
    "top": {"learning_rate": 3e-4, "head_rate": 5.0},
    "lora": {"learning_rate": 1e-3, "head_rate": 1.0, "contrast": 0.5, "epochs": 6.0},
    "adalora": {"learning_rate": 3e-3, "head_rate": 1.0, "rank": 10},
    "prefix": {"learning_rate": 1e-2, "head_rate": 0.5},
    "prompt": {"learning_rate": 1e-2, "head_rate": 0.5},
    "ia3": {"learning_rate": 1e-2, "head_rate": 0.5},
}
