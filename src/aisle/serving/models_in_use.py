"""The models that serve, and the sources made of them: followed while any process trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, runtime_checkable

from aisle.errors import AisleError, ModelDamaged
from aisle.learn.fitted import Fitted
from aisle.ports import ModelStore, Recommender
from aisle.rank.combine import Combination
from aisle.rank.mix import SURFACES
from aisle.retrieve.combined import Combined, Once
from aisle.shelf import SHELF, Model, Surroundings, sources_of
from aisle.types import NOTHING

COMBINATION: Final = "combination"
"""The model that makes one order of the sources (`aisle.training.combining`)."""

_NOT_FURTHER = frozenset({"arrays.safetensors", "card.json"})


@dataclass(frozen=True, slots=True)
class InUse:
    """What serves now, replaced as a whole, so that an answer never mixes two moments.

    `combination` makes one order of several sources; without one they are mixed by fixed weights.
    """

    sources: Mapping[str, Recommender]
    versions: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    combination: Combination | None = None


@runtime_checkable
class KeepsUp(Protocol):
    """A source that has work to do when the shop changes."""

    def keep_up(self) -> None: ...


class ModelsInUse:
    """Takes up what is promoted. One thread follows, any number of threads read `now`."""

    def __init__(self, store: ModelStore, around: Surroundings, shelf: Sequence[Model] = SHELF) -> None:
        self._store, self._around, self._shelf = store, around, shelf
        self._sources: dict[str, tuple[Recommender, ...]] = {}
        self._combination: Combination | None = None
        self.now = InUse(sources_of([], around))

    def follow(self, *, keep_up: bool = True) -> None:
        """Take up every version that this or another process promoted.

        A damaged one leaves the last good one serving: the one in memory or, on
        opening, the one before it. Raises ModelDamaged when that happened, after
        all the others were taken up. Without `keep_up`, what takes long is left
        to the next call.
        """
        faults: list[str] = []
        versions = dict(self.now.versions)
        takers: dict[str, Callable[[Fitted], None]] = {m.name: partial(self._take, m) for m in self._shelf}
        for name, take in {**takers, COMBINATION: self._take_combination}.items():
            try:
                promoted = self._store.promoted(name)
            except (AisleError, OSError) as error:
                faults.append(str(error))
                continue
            for version in promoted:
                if version == versions.get(name):
                    break
                try:
                    _use(stored(self._store, name, version), take, version)
                except (AisleError, OSError) as error:
                    faults.append(str(error))
                    continue
                versions[name] = version
                break
        if versions != self.now.versions:
            sources = [source for of_one in self._sources.values() for source in of_one]
            found = sources_of(sources, self._around)
            if self._combination is not None:
                twice = [name for name in self._combination.sources if name in found and name in SURFACES["home"]]
                found |= {name: Once(found[name]) for name in twice}
                prompted = self._around.prompted
                ranks = self._combination if prompted is None else prompted(self._combination)
                found[Combined.name] = Combined(ranks, found)
            self.now = InUse(found, versions, self._combination)
        for of_one in self._sources.values() if keep_up else ():
            for source in of_one:
                if isinstance(source, KeepsUp):
                    source.keep_up()
        if faults:
            raise ModelDamaged("; ".join(faults))

    def _take(self, model: Model, fitted: Fitted) -> None:
        self._sources[model.name] = tuple(model.sources(fitted, self._around))

    def _take_combination(self, fitted: Fitted) -> None:
        self._combination = Combination.of(fitted.arrays, fitted.params["sources"])


def _use(fitted: Fitted, take: Callable[[Fitted], None], version: str) -> None:
    try:
        take(fitted)
    except (AisleError, OSError):
        raise
    except Exception as error:
        # Its files are whole, but not what this release reads: as good as damaged.
        told = f"{type(error).__name__}: {error}"
        raise ModelDamaged(
            f"model {fitted.name} {version} cannot be used ({told}); roll back to another version or train again"
        ) from error


def stored(store: ModelStore, name: str, version: str) -> Fitted:
    """A version as its sources are made of it. Raises NotFound, ModelDamaged."""
    arrays = store.arrays(name, version)
    folder = store.folder(name, version)
    files = {file.name: file for file in folder.iterdir() if file.name not in _NOT_FURTHER}
    params = next((one.params for one in store.versions(name) if one.version == version), NOTHING)
    return Fitted(name, arrays, files, params)
