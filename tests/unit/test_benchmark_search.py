"""The search benchmark answers what the shop answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from aisle import Settings, Shop

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "search.py"


def test_the_run_file_is_what_the_shop_answers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = ["lamp", "shoe", "table", "chair", "kettle", "rug", "clock", "vase"]
    makers = ["Oak", "Elm", "Ash", "Fir", "Bay", "Yew", "Box", "Fig"]
    products, queries, qrels = ["id,title"], ["query_id,text"], []
    titles = [f"{makers[n % 8]} {' for a '.join(rng.choice(kinds, 2, replace=False))} {n}" for n in range(480)]
    products += [f"P{n},{title}" for n, title in enumerate(titles)]
    pairs = [f"{maker} {kind}" for maker in makers for kind in kinds]
    for number, text in enumerate(pairs):
        queries.append(f"q{number},{text}")
        qrels += [f"q{number} 0 P{n} {3 if text in t else 1}" for n, t in enumerate(titles) if text.split()[1] in t]
    for name, lines in (("products.csv", products), ("queries.csv", queries), ("qrels.txt", qrels)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    shop_folder, run, figures = tmp_path / "shop", tmp_path / "run.txt", tmp_path / "figures.json"
    files = {name: str(tmp_path / f"{name}.csv") for name in ("products", "queries")}
    command = [
        sys.executable, str(SCRIPT), "--products", files["products"], "--train-queries", files["queries"],
        "--train-qrels", str(tmp_path / "qrels.txt"), "--test-queries", files["queries"],
        "--test-qrels", str(tmp_path / "qrels.txt"), "--run-out", str(run), "--shop", str(shop_folder),
        "--out", str(figures), "--only", "ranking", "--threads", "1",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=280)
    told = json.loads(figures.read_text())
    assert told["search"]["judged_queries"] == len(pairs)
    assert told["search"]["ndcg@10"] > told["zero_shot"]["ndcg@10"]
    answers: dict[str, list[str]] = {}
    for line in run.read_text().splitlines():
        query_id, q0, item_id, place, _, name = line.split()
        answers.setdefault(query_id, []).append(item_id)
        assert (q0, name, int(place)) == ("Q0", "aisle", len(answers[query_id]))
    settings = Settings.checked({"search": {"cache_size": 0}}, "test")
    with Shop.open(shop_folder, settings=settings) as shop:
        shop._parts.ranking.catch_up()
        for number in (0, 7, 63):
            hits = shop.search(pairs[number], hits_per_page=100, record=False).hits
            assert [hit.item_id for hit in hits] == answers[f"q{number}"]
