"""What comes next after a sequence of items: a causal transformer over item vectors.

SASRec (Kang and McAuley 2018) as eSASRec trains it (Tikhonovich et al. 2025):
tied item vectors, pre-norm blocks, sampled softmax. Departures: item vectors
have length 1 and the logit is their cosine with the state over a temperature
(CORE, Hou et al. 2022), which trains in a tenth of the epochs; an item is its
own vector plus what its attributes and its text say of it, so that one without
history has a vector too; positions count from the end; it also learns to go
backwards, for what comes after a product mostly came before it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_POOL = 1 << 22


class PooledDropout(nn.Module):
    """Dropout whose masks are windows into one pool of random numbers, drawn anew now and then, and after `renew`.

    On a CPU drawing a fresh mask costs as much as the layers themselves: this is a third faster.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._pool = torch.empty(0)
        self._uses = 0

    def renew(self) -> None:
        self._uses = 0

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        n = x.numel()
        if self._uses % 500 == 0 or n > len(self._pool):
            size = max(_POOL, 2 * n)
            self._pool = (torch.rand(size) >= self.p).to(x.dtype) / (1 - self.p)
        self._uses += 1
        start = int(torch.randint(0, len(self._pool) - n + 1, ()).item())
        return x * self._pool[start : start + n].view_as(x)


class Block(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm, self.forward_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.queries_keys_values, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.widen, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.dropout, self.inner_dropout = PooledDropout(dropout), PooledDropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        b, t, dim = x.shape
        qkv = self.queries_keys_values(self.attention_norm(x))  # [b, t, 3 * dim]
        q, k, v = qkv.view(b, t, 3, self.n_heads, dim // self.n_heads).permute(2, 0, 3, 1, 4)  # 3 x [b, h, t, dim / h]
        scores = q @ k.transpose(-2, -1) / math.sqrt(dim // self.n_heads) + mask  # [b, h, t, t]
        attended = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, dim)  # [b, t, dim]
        x = x + self.dropout(self.out(attended))
        widened = self.inner_dropout(functional.gelu(self.widen(self.forward_norm(x))))  # [b, t, 4 * dim]
        narrowed: Tensor = x + self.dropout(self.narrow(widened))  # [b, t, dim]
        return narrowed


class SequenceModel(nn.Module):
    """`states` reads vectors of items, `items` makes them.

    `attributes` is (codes int64[m], starts int64[n_items]) of an embedding bag
    over `n_attributes` codes; `text` float32[n_items, d_text] fixed vectors.
    """

    codes: Tensor
    starts: Tensor
    text: Tensor

    def __init__(
        self,
        n_items: int,
        dim: int = 64,
        *,
        n_blocks: int = 2,
        n_heads: int = 2,
        dropout: float = 0.5,
        max_length: int = 50,
        temperature: float = 0.07,
        attributes: tuple[Tensor, Tensor] | None = None,
        n_attributes: int = 0,
        text: Tensor | None = None,
        p_content_only: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim, self.max_length, self.temperature = dim, max_length, temperature
        self.p_content_only = p_content_only
        self.own = nn.Embedding(n_items, dim)
        nn.init.normal_(self.own.weight, 0, 1 / math.sqrt(dim))
        self.attributes: nn.EmbeddingBag | None = None
        self.text_projection: nn.Linear | None = None
        if attributes is not None:
            self.register_buffer("codes", attributes[0], persistent=False)
            self.register_buffer("starts", attributes[1], persistent=False)
            self.attributes = nn.EmbeddingBag(n_attributes + 1, dim, mode="mean")
            nn.init.normal_(self.attributes.weight, 0, 0.3 / math.sqrt(dim))
        if text is not None:
            self.register_buffer("text", text, persistent=False)
            self.text_projection = nn.Linear(text.shape[1], dim, bias=False)
            nn.init.normal_(self.text_projection.weight, 0, 0.3 / math.sqrt(dim))
        self.positions = nn.Embedding(max_length, dim)
        nn.init.normal_(self.positions.weight, 0, 0.1 / math.sqrt(dim))
        self.backwards = nn.Parameter(torch.zeros(dim))
        self.dropout = PooledDropout(dropout)
        self.blocks = nn.ModuleList([Block(dim, n_heads, dropout) for _ in range(n_blocks)])
        self.norm = nn.LayerNorm(dim)

    def renew_masks(self) -> None:
        """Let the masks of dropout depend on the seed that is set now, and on nothing before."""
        for module in self.modules():
            if isinstance(module, PooledDropout):
                module.renew()

    @property
    def has_content(self) -> bool:
        return self.attributes is not None or self.text_projection is not None

    def content(self, rows: Tensor) -> Tensor:
        """What attributes and text say of items: int64[n] -> float32[n, dim]."""
        total = torch.zeros(len(rows), self.dim)  # [n, dim]
        if self.attributes is not None:
            begin, ends = self.starts[rows], self.starts[rows + 1]  # [n]
            sizes = ends - begin  # [n]
            into = torch.cumsum(sizes, 0) - sizes  # [n]
            places = torch.arange(int(sizes.sum())) + torch.repeat_interleave(begin - into, sizes)  # [m]
            total = total + self.attributes(self.codes[places], into)  # [n, dim]
        if self.text_projection is not None:
            total = total + self.text_projection(self.text[rows])  # [n, dim]
        return total

    def items(self, rows: Tensor) -> Tensor:
        """Unit vectors of items: int64[n] -> float32[n, dim]."""
        vectors: Tensor = self.own(rows)  # [n, dim]
        if self.has_content:
            if self.training and self.p_content_only:
                vectors = vectors * (torch.rand(len(rows), 1) >= self.p_content_only)  # [n, dim]
            vectors = vectors + self.content(rows)
        return functional.normalize(vectors, dim=-1)

    def states(self, vectors: Tensor, kept: Tensor, *, backwards: bool = False) -> Tensor:
        """Unit states after each step: vectors float32[b, t, dim], kept bool[b, t] -> float32[b, t, dim].

        Sequences are padded on the left; `kept` marks their own steps. `backwards`
        tells that the newest step stands first: what came before is asked for.
        """
        t = vectors.shape[1]
        places = self.positions(t - 1 - torch.arange(t))  # [t, dim], counted from the end
        if backwards:
            places = places + self.backwards  # [t, dim]
        x = self.dropout(vectors * (math.sqrt(self.dim) / 2) + places)  # [b, t, dim]
        seen = torch.ones(t, t).tril()[None, None] * kept[:, None, None, :].to(x.dtype)  # [b, 1, t, t]
        mask = (1.0 - torch.clamp(seen + torch.eye(t), max=1.0)) * -1e4  # [b, 1, t, t]; a padding sees itself
        for block in self.blocks:
            x = block(x, mask)
        return functional.normalize(self.norm(x), dim=-1)


class NextItem(nn.Module):
    """What serving runs: several members side by side.

    vectors float32[b, t, m * dim] of the last steps -> the states after them float32[b, m * dim].
    """

    def __init__(self, members: Sequence[SequenceModel]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.dim = members[0].dim

    def forward(self, vectors: Tensor) -> Tensor:
        states = []
        for number, member in enumerate(self.members):
            assert isinstance(member, SequenceModel)
            own = vectors[..., number * self.dim : (number + 1) * self.dim]  # [b, t, dim]
            kept = own.abs().sum(-1) > 0  # [b, t]
            states.append(member.states(own, kept)[:, -1])  # [b, dim]
        return torch.cat(states, -1)  # [b, m * dim]
