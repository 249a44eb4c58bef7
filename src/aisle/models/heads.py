"""What is put on a transformer to give it a task: classes of a text, a score of it, tags of its tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aisle.models.pooling import Pooling
from aisle.models.text import pool


class Classes(nn.Module):
    """Logits float32[n, c] of unit vectors float32[n, dim]: a linear map, after dropout."""

    def __init__(self, dim: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.zeros(n_classes, dim))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, vectors: Tensor) -> Tensor:
        logits: Tensor = self.dropout(vectors) @ self.weight.T + self.bias  # [n, c]
        return logits


class CentredClasses(Classes):
    """`Classes` of vectors from which `centre` float32[dim] was taken, made unit vectors again."""

    def __init__(self, dim: int, n_classes: int) -> None:
        super().__init__(dim, n_classes, 0.0)
        self.centre = nn.Parameter(torch.zeros(dim), requires_grad=False)

    def forward(self, vectors: Tensor) -> Tensor:
        return super().forward(_unit(vectors - self.centre))


class Score(nn.Module):
    """A logit float32[n] of vectors float32[n, dim]."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.randn(dim) * 0.02)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, vectors: Tensor) -> Tensor:
        # Not as a product of matrices: a score must keep its full precision, also in fast arithmetic.
        logits: Tensor = (self.dropout(vectors) * self.weight).sum(1) + self.bias  # [n]
        return logits


class TextNetwork(nn.Module):
    """A transformer that reads, and a head on its pooled tokens: (ids, mask) int64[n, t] -> what the head gives.

    `unit`: the head reads vectors of length 1.
    """

    def __init__(self, body: Any, head: nn.Module, pooling: Pooling, *, unit: bool) -> None:
        super().__init__()
        self.body, self.head, self.pooling, self.unit = body, head, pooling, unit

    def vectors(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """float32[n, dim]."""
        pooled = pool(_read(self.body, input_ids, attention_mask), attention_mask.to(torch.float32), self.pooling)
        return _unit(pooled) if self.unit else pooled

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        given: Tensor = self.head(self.vectors(input_ids, attention_mask))
        return given


class TokenNetwork(nn.Module):
    """A transformer and a linear head on each token: (ids, mask) int64[n, t] -> logits float32[n, t, tags]."""

    def __init__(self, body: Any, dim: int, n_tags: int, dropout: float) -> None:
        super().__init__()
        self.body, self.head = body, nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, n_tags))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.head(_read(self.body, input_ids, attention_mask))
        return logits.float()


class LanguageNetwork(nn.Module):
    """A language model as it is: what it gives for (ids, mask, ...) is its own."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body, self.head = body, nn.Identity()

    def forward(self, **inputs: Tensor) -> Any:
        return self.body(**inputs)


def _unit(vectors: Tensor) -> Tensor:
    scaled: Tensor = vectors * torch.rsqrt((vectors * vectors).sum(1, keepdim=True) + 1e-12)
    return scaled


def _read(body: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """float32[n, t, dim], without the prompts that a method may have put before the tokens."""
    tokens: Tensor = body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    return tokens[:, -input_ids.shape[1] :].float()


class WordNetwork(nn.Module):
    """A transformer that tells words from those around them, by the words' own vectors.

    (ids, mask) int64[n, t] and `places` bool[n, t] -> logits float32[places, vocabulary].
    """

    def __init__(self, body: Any, dim: int, n_words: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim))
        self.bias = nn.Parameter(torch.zeros(n_words))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        told = self.head(_read(self.body, input_ids, attention_mask)[places])  # [places, dim]
        logits: Tensor = told @ self.body.get_input_embeddings().weight.T + self.bias  # [places, vocabulary]
        return logits.float()
