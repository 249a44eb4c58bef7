"""The demo shop: a simulator that knows the truth about its products and shoppers.

    world = World(WorldConfig(n_groups=3000, seed=7))
    write_demo_files(folder, world)            # a feed, pictures, a month of traffic, reviews …
    score_slates(world, slate_of)              # 0: popularity, 1: the oracle

Nothing here imports the recommender, so the truth cannot lean towards it.
"""

from aisle.demo.catalogue import products
from aisle.demo.files import write_demo_files
from aisle.demo.live import LiveTraffic
from aisle.demo.score import SlateScore, score_slates
from aisle.demo.traffic import simulate
from aisle.demo.world import Need, World, WorldConfig

__all__ = [
    "LiveTraffic", "Need", "SlateScore", "World", "WorldConfig", "products", "score_slates", "simulate",
    "write_demo_files",
]  # fmt: skip
