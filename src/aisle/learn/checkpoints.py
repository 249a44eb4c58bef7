"""What a training leaves behind so that it goes on after a kill: safetensors, never half a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from aisle.errors import StorageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The last state of a training and the best weights so far, in `folder`."""

    folder: Path

    def save(
        self, network: torch.nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any], *, best: bool
    ) -> None:
        """`state` (what JSON can say) comes back from `load`; `best`: keep the weights as the best, too.

        Raises StorageError.
        """
        from safetensors import SafetensorError

        try:
            self._save(network, optimizer, state, best)
        except (OSError, SafetensorError) as error:
            raise StorageError(
                f"{self.folder}: the checkpoint cannot be written ({error}). Make room on the disk and run the same "
                "command: it goes on from the checkpoint before; what serves is untouched"
            ) from error

    def _save(
        self, network: torch.nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any], best: bool
    ) -> None:
        from safetensors.torch import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        weights = {k: v.detach().clone().contiguous() for k, v in network.state_dict().items()}
        if best:
            _replace(self._best, lambda file: save_file(weights, file))
        inner = {
            f"optimizer.{key}.{name}": value
            for key, of_one in optimizer.state_dict()["state"].items()
            for name, value in of_one.items()
        }
        both = {f"model.{k}": v for k, v in weights.items()} | inner
        told = orjson.dumps(dict(state)).decode()
        _replace(self._last, lambda file: save_file(both, file, {"told": told}))

    def load(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        """The state of the last checkpoint, put into both; None when there is none that can be read and fits."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._last, "pt") as file:
                told: dict[str, Any] = orjson.loads(file.metadata()["told"])
                held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
            if not self._best.exists():
                return None
            network.load_state_dict({k.removeprefix("model."): v for k, v in held.items() if k.startswith("model.")})
            state: dict[int, dict[str, Any]] = {}
            for key, value in held.items():
                if key.startswith("optimizer."):
                    _, number, name = key.split(".")
                    state.setdefault(int(number), {})[name] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError):
            return None
        return told

    def take_best(self, network: torch.nn.Module) -> None:
        """Give the network its best weights, ready to be asked."""
        from safetensors.torch import load_file

        network.load_state_dict(load_file(self._best))
        network.eval()

    @property
    def _last(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def _best(self) -> Path:
        return self.folder / "best.safetensors"


def _replace(place: Path, write: Callable[[Path], None]) -> None:
    making = place.with_name(f".{place.name}")
    write(making)
    making.replace(place)
