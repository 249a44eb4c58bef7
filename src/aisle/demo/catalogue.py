"""The simulated catalogue, written out one product at a time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from types import MappingProxyType

from aisle.demo.features import FEATURES, MATERIALS
from aisle.demo.kinds import KINDS, Kind
from aisle.demo.prose import write
from aisle.demo.words import BRANDS, COLOURS, STYLES
from aisle.demo.world import World
from aisle.types import Money, Product

_GENDER_VALUES = ("unisex", "male", "female")
_PATTERNS_EN, _PATTERNS_ZH = {2: "Striped", 3: "Colour Block"}, {2: "条纹", 3: "拼色"}


def picture_key(world: World, number: int, colour: int) -> str:
    """The name of the picture of a group in a colour: groups that look the same share it."""
    kind = KINDS[world.goods.kind[number]]
    return f"{kind.key}-{COLOURS[colour].en.lower()}-{world.goods.look[number]}"


def colours_of(world: World, number: int) -> list[int]:
    """Indexes into COLOURS, the leading one first."""
    return [int(colour) for colour in world.goods.colours[number] if colour >= 0]


def variant_ids(world: World, number: int) -> list[str]:
    """The item ids of a group, in the order of `group_products`."""
    group_id, kind = world.group_id(number), KINDS[world.goods.kind[number]]
    colours = colours_of(world, number)
    if len(colours) == 1 and not kind.sizes:
        return [group_id]
    return [_item_id(group_id, colour, size) for colour in colours for size in kind.sizes or ("",)]


def _item_id(group_id: str, colour: int, size: str) -> str:
    suffix = f"-{size.replace(' ', '')}" if size else ""
    return f"{group_id}-{COLOURS[colour].en.upper()}{suffix}"


def category(world: World, number: int) -> str:
    """The leaf category of a group, as `A > B`."""
    kind: Kind = KINDS[world.goods.kind[number]]
    return kind.category_zh if world.config.language == "zh" else kind.category_en


def group_products(world: World, number: int) -> list[Product]:
    """The variants of one group; a lone product has no group id."""
    goods = world.goods
    zh = world.config.language == "zh"
    kind, brand = KINDS[goods.kind[number]], BRANDS[goods.brand[number]]
    rng = Random(world.config.seed * 7919 + number)
    title, description = write(world, number)
    group_id = world.group_id(number)
    ids = variant_ids(world, number)
    colours = colours_of(world, number)
    choices = [(colour, size) for colour in colours for size in kind.sizes or ("",)]
    left = _split_stock(int(goods.stock[number]), len(choices), rng)
    material = MATERIALS[kind.materials[goods.material[number]]]
    has_patterns = "striped" in kind.features
    pattern = (_PATTERNS_ZH if zh else _PATTERNS_EN).get(int(goods.look[number]), "") if has_patterns else ""
    details = MappingProxyType(_details(world, number, kind, zh))
    name = brand.in_china if zh else brand.en
    products = []
    for item_id, (colour, size), quantity in zip(ids, choices, left, strict=True):
        dearer = 1 + 0.35 * kind.sizes.index(size) if size and kind.department in "KO" else 1.0
        price = _money(float(goods.price[number]) * dearer, world.config.currency)
        off = float(goods.discount[number])
        picture = picture_key(world, number, colour)
        products.append(
            Product(
                item_id=item_id,
                group_id=group_id if len(ids) > 1 else "",
                title=title,
                description=description,
                link=f"/p/{item_id}",
                image_link=f"images/{picture}.jpg",
                additional_image_links=(f"images/{picture}-detail.jpg",),
                availability="in_stock" if quantity else "out_of_stock",
                price=price,
                sale_price=_money(float(price.amount) * (1 - off), world.config.currency) if off else None,
                brand=name,
                condition="new",
                product_type=category(world, number),
                color=COLOURS[colour].zh if zh else COLOURS[colour].en,
                size=size,
                gender=_GENDER_VALUES[goods.gender[number]] if kind.gender and kind.department in "ASBC" else "",
                material=material.zh if zh else material.en,
                pattern=pattern,
                quantity=quantity,
                attributes=details,
            )
        )
    return products


def _details(world: World, number: int, kind: Kind, zh: bool) -> dict[str, tuple[str, ...]]:
    traits = {t: FEATURES[kind.features[t]] for t in world.goods.features[number]}.values()
    word = STYLES[int(world.goods.styles[number].argmax())].words[0]
    if zh:
        return {"特点": tuple(t.zh for t in traits), "风格": (word[1],)}
    return {"Features": tuple(t.en for t in traits), "Style": (word[0],)}


def _split_stock(total: int, n_variants: int, rng: Random) -> list[int]:
    """Share stock among variants; now and then one of them is sold out."""
    if total == 0:
        return [0] * n_variants
    left = [max(1, round(total / n_variants * rng.uniform(0.5, 1.5))) for _ in range(n_variants)]
    for place in range(1, n_variants):  # never the first: a group with stock can be bought
        if rng.random() < 0.05:
            left[place] = 0
    return left


def _money(amount: float, currency: str) -> Money:
    return Money(Decimal(f"{amount:.2f}"), currency)


def products(world: World) -> Iterator[Product]:
    """Every product of the world, group after group, in a stable order; nothing is kept in memory."""
    for number in range(len(world.goods)):
        yield from group_products(world, number)


def picture_keys(world: World) -> list[str]:
    """Every picture the catalogue shows, sorted."""
    keys = {picture_key(world, n, c) for n in range(len(world.goods)) for c in colours_of(world, n)}
    return sorted(keys)
