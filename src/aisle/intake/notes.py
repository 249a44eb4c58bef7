"""Small departures from a file that are worth telling, but no reason to refuse a row."""

from __future__ import annotations


class Notes:
    """Counts equal remarks, remembering one example of each, so that a million rows stay a few lines."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, str]] = {}

    def add(self, remark: str, example: str = "") -> None:
        count, first = self._counts.get(remark, (0, example))
        self._counts[remark] = (count + 1, first)

    def lines(self) -> tuple[str, ...]:
        """One line a remark: how often, and where first."""
        return tuple(
            f"{remark}: {count} (first: {first[:80]})" if first else f"{remark}: {count}"
            for remark, (count, first) in self._counts.items()
        )

    def __len__(self) -> int:
        return len(self._counts)
