"""The models that serve, and the sources made of them: followed while any process trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from aisle.errors import AisleError, ModelDamaged
from aisle.learn.fitted import Fitted
from aisle.ports import ModelStore, Recommender
from aisle.shelf import SHELF, Model, Surroundings, sources_of
from aisle.types import NOTHING

_NOT_FURTHER = frozenset({"arrays.safetensors", "card.json"})


@dataclass(frozen=True, slots=True)
class InUse:
    """What serves now, replaced as a whole, so that an answer never mixes two moments."""

    sources: Mapping[str, Recommender]
    versions: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@runtime_checkable
class KeepsUp(Protocol):
    """A source that has work to do when the shop changes."""

    def keep_up(self) -> None: ...


class ModelsInUse:
    """Takes up what is promoted. One thread follows, any number of threads read `now`."""

    def __init__(self, store: ModelStore, around: Surroundings, shelf: Sequence[Model] = SHELF) -> None:
        self._store, self._around, self._shelf = store, around, shelf
        self._sources: dict[str, tuple[Recommender, ...]] = {}
        self.now = InUse(sources_of([], around))

    def follow(self) -> None:
        """Take up every version that this or another process promoted.

        A damaged one leaves the last good one serving: the one in memory or, on
        opening, the one before it. Raises ModelDamaged when that happened, after
        all the others were taken up.
        """
        faults: list[str] = []
        versions = dict(self.now.versions)
        for model in self._shelf:
            try:
                promoted = self._store.promoted(model.name)
            except (AisleError, OSError) as error:
                faults.append(str(error))
                continue
            for version in promoted:
                if version == versions.get(model.name):
                    break
                try:
                    self._sources[model.name] = self._made(model, version)
                except (AisleError, OSError) as error:
                    faults.append(str(error))
                    continue
                versions[model.name] = version
                break
        if versions != self.now.versions:
            sources = [source for of_one in self._sources.values() for source in of_one]
            self.now = InUse(sources_of(sources, self._around), versions)
        for of_one in self._sources.values():
            for source in of_one:
                if isinstance(source, KeepsUp):
                    source.keep_up()
        if faults:
            raise ModelDamaged("; ".join(faults))

    def _made(self, model: Model, version: str) -> tuple[Recommender, ...]:
        try:
            return tuple(model.sources(stored(self._store, model.name, version), self._around))
        except (AisleError, OSError):
            raise
        except Exception as error:
            # Its files are whole, but not what this release reads: as good as damaged.
            told = f"{type(error).__name__}: {error}"
            raise ModelDamaged(
                f"model {model.name} {version} cannot be used ({told}); roll back to another version or train again"
            ) from error


def stored(store: ModelStore, name: str, version: str) -> Fitted:
    """A version as its sources are made of it. Raises NotFound, ModelDamaged."""
    arrays = store.arrays(name, version)
    folder = store.folder(name, version)
    files = {file.name: file for file in folder.iterdir() if file.name not in _NOT_FURTHER}
    return Fitted(name, arrays, files)
