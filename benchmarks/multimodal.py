"""Where photos help, and by how much, on a real shop.

    python benchmarks/multimodal.py --data ../shared/data/luma [--folds 3] [--seed 0] [--image-model NAME]

Attributes: category, colour, material and style of products held out, told by
their five nearest among the others, by text (without the words that are asked
for), by photo, and by both joined with the weights that the product begins
with. Without `--image-model` the encoder is the shop's own network, learned in
each fold without the photos of the products held out.

Links: the merchant's `links.csv` (crosssell, related, upsell). A fifth of the
linked pairs is held out, whichever way round; the others are what fusion learns
behaviour from. recall@10 of the held-out ones among all products, without those
known already. Intervals are paired, by bootstrap over products. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from aisle.learn.fitted import Fitted
from aisle.learn.fusion import WAYS, WEIGHTS, fit_fusion
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.photos import PhotoLabels, fit_photos
from aisle.learn.tower import Tower, unit
from aisle.represent.photos import photos_of
from aisle.serving.slate import group_title
from aisle.settings import Settings
from aisle.shop import Shop
from aisle.types import Group, Vectors
from aisle.wiring import create_shop

NEAREST, TOP_K, EPOCHS = 5, 10, 15


def opened(folder: Path, data: Path, image_model: str) -> Shop:
    create_shop(folder)
    settings = Settings(encoder={"image_model": image_model})
    shop = Shop.open(folder, settings=settings)
    shop.import_products(data / "feed.tsv", full=True)
    shop.wait_indexed()
    return shop


def first(product, *names: str) -> str:
    """The first value of the first of those attributes that a product has."""
    for name in names:
        for value in product.attributes.get(name, ()):
            return value.split("/")[0].strip()
    return ""


def codes(values: list[str]) -> np.ndarray:
    known: dict[str, int] = {}
    return np.array([known.setdefault(v, len(known)) if v else -1 for v in values], np.int32)


# ------------------------------------------------------------------ attributes


def rows_of(groups: list[Group]) -> tuple[list[tuple[Group, str, str]], dict[str, np.ndarray], np.ndarray]:
    """A row for each photo (product and colour), its labels, and the product it is of."""
    rows, told, owner = [], {name: [] for name in ("category", "color", "material", "style")}, []
    for number, group in enumerate(groups):
        by_photo = {product.image_link.rsplit("/", 1)[-1]: product for product in group.products}
        for name in photos_of(group):
            product = by_photo[name]
            rows.append((group, name, product.color))
            owner.append(number)
            told["category"].append(product.product_type.rsplit(">", 1)[-1].strip())
            told["color"].append(product.color)
            told["material"].append(product.material.split("/")[0].strip())
            told["style"].append(first(product, "style_general", "style_bottom"))
    return rows, {name: codes(values) for name, values in told.items()}, np.array(owner)


def told_by(vectors: Vectors, label: np.ndarray, owner: np.ndarray, test: np.ndarray) -> dict[int, float]:
    """Whether the weighted vote of the nearest rows outside the fold gives the right label, by row."""
    bank = np.flatnonzero(~test & (label >= 0))
    right = {}
    for row in np.flatnonzero(test & (label >= 0)).tolist():
        cosines = vectors[bank] @ vectors[row]
        near = np.argsort(-cosines, kind="stable")[:NEAREST]
        votes: Counter[int] = Counter()
        for place in near.tolist():
            votes[int(label[bank[place]])] += float(cosines[place])
        right[row] = float(votes.most_common(1)[0][0] == label[row])
    return right


def centred(vectors: Vectors, bank: np.ndarray) -> Vectors:
    return unit(vectors - vectors[bank].mean(0))


def attributes(shop: Shop, groups: list[Group], n_folds: int, seed: int, work: Path) -> dict[str, dict[str, float]]:
    rows, labels, owner = rows_of(groups)
    photos, encoder = shop._parts.indexes.photos, shop._parts.indexes.encoder
    assert photos is not None
    assert encoder is not None
    # Titles without variants; what is asked for as such (category, colour, material, style) is not among the words.
    texts = [f"{group_title(group)}. {group.lead.description[:400]}" for group in groups]
    text = encoder.encode(texts)[owner]
    fold = np.random.default_rng(seed).permutation(len(groups))[owner] % n_folds
    right: dict[str, dict[str, dict[int, float]]] = {}
    for number in range(n_folds):
        test = fold == number
        image = photo_vectors(shop, groups, rows, test, work / f"fold{number}", seed)
        by_text, by_photo = centred(text, ~test), centred(image, ~test)
        fused = unit(np.concatenate([WEIGHTS["text"] * by_text, WEIGHTS["image"] * by_photo], 1))
        equal = unit(np.concatenate([by_text, by_photo], 1))
        for name, label in labels.items():
            asked = right.setdefault(name, {})
            for way, vectors in (("text", by_text), ("image", by_photo), ("fused", fused), ("equal", equal)):
                asked.setdefault(way, {}).update(told_by(vectors, label, owner, test))
            bank = label[~test & (label >= 0)]
            common = np.bincount(bank).argmax() if len(bank) else -1
            asked.setdefault("commonest", {}).update(
                {r: float(label[r] == common) for r in np.flatnonzero(test & (label >= 0)).tolist()}
            )
        print(f"fold {number + 1} of {n_folds}", flush=True)
    return {name: compared(asked, "text", owner, seed) for name, asked in right.items()}


def photo_vectors(shop: Shop, groups, rows, test: np.ndarray, work: Path, seed: int) -> Vectors:
    """Unit vectors of every photo; the shop's own network sees the photos and labels outside the fold only."""
    from aisle.adapters.onnx.image_encoder import OnnxImageEncoder
    from aisle.learn.photos import CARD_FILE
    from aisle.represent.pixels import read_picture

    photos = shop._parts.indexes.photos
    images = [read_picture(shop.path / "media" / name) for _, name, _ in rows]
    if photos.encoder is not None:
        return photos.encoder.encode(images)
    pixels, known = photos.pixels_of(groups)
    ord_of = {group.ord for (group, _, _), held in zip(rows, test, strict=True) if held}
    kept = ~np.isin(known.ords, list(ord_of))
    labels = {name: values[kept] for name, values in known.labels.items()}
    fitted = fit_photos(pixels[kept], PhotoLabels(known.ords[kept], labels), work=work, seed=seed, held_out=0.0)
    assert fitted is not None
    return OnnxImageEncoder(fitted.files["model.onnx"].parent, card=CARD_FILE).encode(images)


def compared(found: dict[str, dict[int, float]], base: str, owner: np.ndarray, seed: int) -> dict[str, float]:
    """Means by way, and the gain of each over `base` with its 95% interval, by bootstrap over products."""
    keys = sorted(found[base])
    products = owner[keys]
    names, at = np.unique(products, return_inverse=True)
    size = np.bincount(at)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(names), (2000, len(names)))
    result = {"cases": float(len(keys))}
    for way, values in found.items():
        value = np.array([values[key] for key in keys])
        result[way] = round(float(value.mean()), 4)
        if way == base:
            continue
        gain = np.bincount(at, value - np.array([found[base][key] for key in keys]))
        means = gain[draws].sum(1) / size[draws].sum(1)
        result |= {
            f"{way}_gain_low": round(float(np.quantile(means, 0.025)), 4),
            f"{way}_gain_high": round(float(np.quantile(means, 0.975)), 4),
        }
    return result


# ----------------------------------------------------------------------- links


def links(shop: Shop, groups: list[Group], file: Path, seed: int, work: Path) -> dict[str, dict[str, float]]:
    parts = shop._parts
    n = max(group.ord for group in groups) + 1
    dense = parts.indexes.dense
    text = dense.dense.vectors(np.arange(n, dtype=np.int32))
    parts.indexes.photos.learn(groups, work=work)
    items = ItemTable.of(groups, text, parts.indexes.photos.rows(groups, n))
    pairs: dict[tuple[int, int], str] = {}
    with file.open() as lines:
        for line in csv.DictReader(lines):
            one, other = parts.ord_of(line["item_id"]), parts.ord_of(line["linked_item_id"])
            if one >= 0 and other >= 0 and one != other:
                pairs[one, other] = line["kind"]
    rng = np.random.default_rng(seed)
    both = sorted({tuple(sorted(pair)) for pair in pairs})
    held = {pair for pair, out in zip(both, rng.random(len(both)) < 0.2, strict=True) if out}
    known: dict[int, set[int]] = {}
    asked: dict[tuple[int, str], set[int]] = {}
    for (one, other), kind in pairs.items():
        if tuple(sorted((one, other))) in held:
            asked.setdefault((one, kind), set()).add(other)
        else:
            known.setdefault(one, set()).add(other)
            known.setdefault(other, set()).add(one)
    past = Interactions.of_sequences([pair for pair in both if pair not in held])
    candidates = vectors_by_way(items, past, seed)
    result = {}
    for kind in ("all", *sorted({kind for _, kind in asked})):
        cases = {key: wanted for key, wanted in asked.items() if kind in ("all", key[1])}
        found = {way: recalls(vectors, items, cases, known) for way, vectors in candidates.items()}
        owner = np.array([key[0] for key in cases])
        result[kind] = compared(found, "text", owner, seed)
    return result


def vectors_by_way(items: ItemTable, past: Interactions, seed: int) -> dict[str, Vectors]:
    """Single modalities as blocks, content alone, and each fusion of everything with the links that are known."""
    found: dict[str, Vectors] = {}
    for way in WAYS:
        chosen = Fitted("content", {}, params={"way": way, "epochs": EPOCHS})  # nothing is chosen on these few links
        fitted = fit_fusion(past, items, before=chosen, seed=seed)
        assert fitted is not None
        tower = Tower.of(fitted.arrays)
        if not found:
            blocks = tower.blocks(items)
            found |= {name: blocks[name] for name in ("text", "image", "words", "price") if name in blocks}
            weights = fitted.arrays["weights"]
            for name, left_out in (("content", ()), ("content without photos", ("image",))):
                kept = [m for m in blocks if m not in left_out]
                order = ("text", "image", "words", "price")
                found[name] = unit(np.concatenate([weights[order.index(m)] * blocks[m] for m in kept], 1))
            found["behaviour"] = fitted.arrays["behaviour"]
        found[way] = fitted.arrays["vectors"]
        bare = fit_fusion(past, without_photos(items), before=chosen, seed=seed)
        assert bare is not None
        found[f"{way} without photos"] = bare.arrays["vectors"]
    return found


def without_photos(items: ItemTable) -> ItemTable:
    from dataclasses import replace

    return replace(items, image=np.zeros((len(items), 0), np.float32))


def recalls(vectors: Vectors, items: ItemTable, cases, known: dict[int, set[int]]) -> dict[int, float]:
    found = {}
    for row, ((one, _), wanted) in enumerate(cases.items()):
        scores = np.where(items.alive, vectors @ vectors[one], -np.inf)
        scores[[one, *known.get(one, ())]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:TOP_K]
        found[row] = len(wanted & set(best.tolist())) / min(TOP_K, len(wanted))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("AISLE_DATA", "../shared/data")) / "luma"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image-model", default="", help="instead of the shop's own network")
    args = parser.parse_args()
    for name in ("feed.tsv", "links.csv", "images"):
        if not (args.data / name).exists():
            sys.exit(f"{args.data / name} is not there: name the folder with --data or AISLE_DATA")
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="aisle-multimodal-") as temporary,
        opened(Path(temporary) / "shop", args.data, args.image_model) as shop,
    ):
        groups = [g for g in shop._parts.stores.catalog.changed(0, 10**6) if g.products]
        result = {
            "products": len(groups),
            "attributes": attributes(shop, groups, args.folds, args.seed, Path(temporary)),
            "links": links(shop, groups, args.data / "links.csv", args.seed, Path(temporary) / "own"),
            "image_model": args.image_model or "the shop's own network",
        }
    result["seconds"] = round(time.perf_counter() - started, 1)
    for part in ("attributes", "links"):
        for name, values in result[part].items():
            print(f"{part:11}{name}")
            for way in (k for k in values if not k.endswith(("_low", "_high")) and k != "cases"):
                low, high = values.get(f"{way}_gain_low"), values.get(f"{way}_gain_high")
                against = "" if low is None else f"  against text [{low:+.4f}, {high:+.4f}]"
                print(f"    {way:30} {values[way]:.4f}{against}")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "multimodal.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
