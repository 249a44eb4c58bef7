"""The simulated shoppers: latent tastes, budgets, habits, drawn once from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aisle.demo.kinds import KINDS
from aisle.demo.words import BRANDS, COLOURS, STYLES

N_PERSONAS = 14
N_VIBES = 6
"""Dimensions of taste that no text or picture shows: only behaviour reveals them."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Population:
    """Truth about V shoppers; each row of an array is one of them.

    Tastes are utilities (logits): `kinds` float32[V, kinds], `styles` float32[V, styles]
    with their change in 30 days `style_drift`, `vibes` float32[V, 6],
    `colours` float32[V, colours], `brands` float32[V, brands]. `budget` is the log of
    the price, relative to the usual one, from which a shopper finds things dear, `thrift`
    how much that matters, `gender` 1 men's and 2 women's clothes, `activity` sessions a
    day, `night` the share of visits late in the evening, `persona` the group each is near to.
    """

    kinds: Floats
    styles: Floats
    style_drift: Floats
    vibes: Floats
    colours: Floats
    brands: Floats
    budget: Floats
    thrift: Floats
    gender: NDArray[np.int8]
    activity: Floats
    night: Floats
    persona: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.budget)


def draw_population(n_shoppers: int, seed: int) -> Population:
    """Draw shoppers around personas, so that people who agree on some things agree on others."""
    personas = np.random.default_rng([seed, 11])
    n_kinds = len(KINDS)
    kinds = np.full((N_PERSONAS, n_kinds), -0.7, np.float32)
    departments = sorted({kind.department for kind in KINDS})
    for row in kinds:
        favourites = personas.choice(len(departments), 3, replace=False)
        for number, kind in enumerate(KINDS):
            if kind.department in {departments[f] for f in favourites}:
                row[number] = personas.normal(0.6, 0.7)
            else:
                row[number] += personas.normal(0, 0.4)
    styles = personas.normal(0, 0.3, (N_PERSONAS, len(STYLES))).astype(np.float32)
    for row in styles:
        liked = personas.choice(len(STYLES), 3, replace=False)
        row[liked] += (1.7, 1.2, -1.3)
    vibes = personas.normal(0, 0.75, (N_PERSONAS, N_VIBES)).astype(np.float32)
    colours = personas.normal(0, 0.5, (N_PERSONAS, len(COLOURS))).astype(np.float32)
    brands = personas.normal(0, 0.4, (N_PERSONAS, len(BRANDS))).astype(np.float32)
    budget = personas.normal(0.05, 0.35, N_PERSONAS).astype(np.float32)

    rng = np.random.default_rng([seed, 12])
    main, other = rng.integers(0, N_PERSONAS, (2, n_shoppers))
    share = rng.beta(6, 2, n_shoppers).astype(np.float32)[:, None]

    def near(centre: Floats, spread: float) -> Floats:
        mixed = share * centre[main] + (1 - share) * centre[other]
        tastes: Floats = (mixed + rng.normal(0, spread, mixed.shape)).astype(np.float32)
        return tastes

    return Population(
        kinds=near(kinds, 0.45),
        styles=near(styles, 0.3),
        style_drift=rng.normal(0, 0.3, (n_shoppers, len(STYLES))).astype(np.float32),
        vibes=near(vibes, 0.3),
        colours=near(colours, 0.3),
        brands=near(brands, 0.25),
        budget=(near(budget[:, None], 0.2))[:, 0],
        thrift=rng.gamma(4, 0.45, n_shoppers).astype(np.float32),
        gender=rng.choice(np.array([1, 2], np.int8), n_shoppers, p=[0.45, 0.55]),
        activity=np.minimum(rng.gamma(0.9, 0.078, n_shoppers) + 0.012, 0.9).astype(np.float32),
        night=rng.beta(2, 4, n_shoppers).astype(np.float32),
        persona=main.astype(np.int16),
    )
