"""Where a shop's language model meets its recommendations."""

from __future__ import annotations

from aisle.learn.adapt.templates import RankPrompt
from aisle.ports import CatalogStore, LanguageModel
from aisle.rank.prompted import InTime, PromptedOrder, PromptedRanking, Ranks
from aisle.serving.slate import group_title
from aisle.settings import Settings
from aisle.types import Ords


class Prompted:
    """Puts the best of a combination in a language model's order, where the settings give it time.

    One for a shop, whichever combination serves: what the model said is kept here.
    """

    def __init__(self, model: LanguageModel, settings: Settings, catalog: CatalogStore) -> None:
        self.name = model.name
        self._catalog, self._top_n = catalog, settings.language.ranked
        ordered = PromptedOrder(model, RankPrompt.of(settings.shop.language), self._titles)
        self._in_time = InTime(ordered, settings.language.rank_ms / 1000)

    def __call__(self, ranks: Ranks) -> Ranks:
        return PromptedRanking(ranks, self._in_time, self._top_n)

    def close(self) -> None:
        self._in_time.close()

    def _titles(self, ords: Ords) -> list[str]:
        groups = self._catalog.groups(ords.tolist())
        return [group_title(group) if group is not None and group.products else "" for group in groups]
