"""What the nearness of a query to a category's name adds to search.

    python benchmarks/categories.py [--groups 1000] [--queries 1200]

Searches a demo shop, where the truth is known, with the queries that its shoppers type for a need (typing errors
and all). A product of the needed kind that fits every wish has grade 2, another of the kind grade 1. The weight is
chosen on one half of the queries (by their hash); the other half is reported, in a last line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from hashlib import blake2b
from pathlib import Path
from random import Random

import numpy as np

from aisle.demo import World, WorldConfig, products
from aisle.demo.queries import matches, write_query
from aisle.demo.world import Need
from aisle.settings import Settings
from aisle.shop import Shop

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=1000, help="products of the demo shop")
    parser.add_argument("--queries", type=int, default=1200, help="distinct queries, both halves together")
    parser.add_argument("--seed", type=int, default=11, help="of the world and the queries")
    arguments = parser.parse_args()

    world = World(WorldConfig(n_groups=arguments.groups, n_shoppers=200, seed=arguments.seed))
    asked = _queries(world, arguments.queries, Random(arguments.seed))
    scores: dict[float, list[tuple[str, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for weight in WEIGHTS:
            settings = Settings(search={"category_weight": weight})
            with Shop.open(Path(temporary) / "shop", settings=settings) as shop:
                if not shop.status()["groups"]:
                    shop.upsert_products(products(world))
                shop.wait_indexed()
                scores[weight] = [(query, _ndcg(shop, query, grades)) for query, grades in asked.items()]
            print(f"weight {weight}: validation {_mean(scores[weight], 0):.4f}", flush=True)
    best = max(WEIGHTS, key=lambda w: _mean(scores[w], 0))
    test = {w: [s for q, s in scores[w] if _half(q) == 1] for w in WEIGHTS}
    gain = np.array(test[best]) - np.array(test[0.0])
    half_width = 1.96 * gain.std() / np.sqrt(len(gain))
    print(
        json.dumps(
            {
                "queries_validation": sum(_half(q) == 0 for q in asked),
                "queries_test": len(gain),
                "weight": best,
                "ndcg10_without": round(float(np.mean(test[0.0])), 4),
                "ndcg10_with": round(float(np.mean(test[best])), 4),
                "gain": round(float(gain.mean()), 4),
                "gain_interval": [round(float(gain.mean() - half_width), 4), round(float(gain.mean() + half_width), 4)],
                "validation": {str(w): round(_mean(scores[w], 0), 4) for w in WEIGHTS},
            }
        )
    )


def _queries(world: World, wanted: int, rng: Random) -> dict[str, dict[str, int]]:
    """Query -> grade by group id."""
    found: dict[str, dict[str, int]] = {}
    kinds = [k for k, numbers in enumerate(world.by_kind) if len(numbers)]
    while len(found) < wanted:
        kind = rng.choice(kinds)
        example = int(rng.choice(world.by_kind[kind].tolist()))
        colour = int(world.goods.colours[example][0]) if rng.random() < 0.4 else -1
        feature = int(world.goods.features[example][0]) if rng.random() < 0.4 else -1
        need = Need(kind, colour, feature)
        query = write_query(world, need, rng.randrange(2), rng)
        exact = {world.group_id(int(n)): 2 for n in matches(world, need, query)}
        if exact and query not in found:
            found[query] = {world.group_id(int(n)): 1 for n in world.by_kind[kind]} | exact
    return found


def _ndcg(shop: Shop, query: str, grades: dict[str, int]) -> float:
    hits = shop.search(query, hits_per_page=10, record=False).hits
    gains = [grades.get(hit.group_id, 0) for hit in hits]
    ideal = sorted(grades.values(), reverse=True)[:10]
    return _dcg(gains) / _dcg(ideal)


def _dcg(gains: list[int]) -> float:
    return float(sum(gain / np.log2(place + 2) for place, gain in enumerate(gains)))


def _half(query: str) -> int:
    return blake2b(query.encode(), digest_size=1).digest()[0] % 2


def _mean(scores: list[tuple[str, float]], half: int) -> float:
    return float(np.mean([s for q, s in scores if _half(q) == half]))


if __name__ == "__main__":
    main()
