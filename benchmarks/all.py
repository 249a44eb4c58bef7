"""Every benchmark, one after the other; each last line goes to results/<name>.json.

    make bench                       # or: python benchmarks/all.py [--data DIR] [--only NAME …]

`--data` (or AISLE_DATA) is the folder with the data sets; a benchmark whose data is absent is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def _judged(folder: Path) -> list[str]:
    files = {"--products": "products.csv", "--train-queries": "queries.csv", "--train-qrels": "qrels.txt"}
    return [word for option, file in files.items() for word in (option, str(folder / file))]


def commands(data: Path, work: Path) -> dict[str, tuple[list[Path], list[str]]]:
    """Name -> the files it needs and its command."""
    retrotech, homedepot = data / "retrotech" / "products.csv", data / "homedepot"
    shop, amazon = work / "retrotech", data / "amazon"
    fields = ["--map", "item_id=upc", "--map", "title=name", "--map", "brand=manufacturer"]
    return {
        "indexing": ([retrotech], ["indexing.py", "--products", str(retrotech), *fields, "--shop", str(shop)]),
        "serving": ([retrotech], ["serving.py", "--shop", str(shop)]),
        "recommending": (
            [retrotech, data / "diginetica"],
            ["recommending.py", "--shop", str(shop), "--sessions", str(data / "diginetica" / "train.txt")],
        ),
        "suggest": ([retrotech], ["suggest.py", "--products", str(retrotech), "--chinese", "45000", "--personal"]),
        "chinese": ([], ["chinese.py"]),
        "searching": ([retrotech], ["searching.py", "--data", str(data / "retrotech"), "--shop", str(shop)]),
        "search": (
            [homedepot],
            ["search.py", *_judged(homedepot), "--halves", "--run-out", str(work / "search_run.txt"), "--ablate"],
        ),
        "blending": ([homedepot], ["blending.py", "--data", str(homedepot)]),
        "tuning": ([homedepot], ["tuning.py", "--data", str(homedepot), "--out", str(work / "tuning")]),
        "robustness": (
            [homedepot],
            [
                "robustness.py",
                "--data",
                str(homedepot),
                "--cache",
                str(work / "tuning"),
                "--tuned",
                str(work / "tuning" / "bi_encoder" / "exported"),
            ],
        ),
        "generative": ([homedepot], ["generative.py", "--data", str(homedepot), "--cache", str(work / "tuning")]),
        "compress": (
            [homedepot, data / "intents"],
            [
                "compress.py",
                *(
                    word
                    for option, file in (
                        ("--products", homedepot / "products.csv"),
                        ("--queries", homedepot / "queries.csv"),
                        ("--qrels", homedepot / "qrels.txt"),
                        ("--train", data / "intents" / "banking77_train.csv"),
                        ("--test", data / "intents" / "banking77_test.csv"),
                        ("--out", work / "compress"),
                    )
                    for word in (option, str(file))
                ),
            ],
        ),
        "categories": ([], ["categories.py"]),
        "covisitation": ([data / "online_retail", data / "diginetica"], ["covisitation.py", "--data", str(data)]),
        **{
            f"sequence_{name.lower()}": (
                [amazon / f"{name}.txt"],
                [
                    "sequence.py",
                    "--data",
                    str(amazon / f"{name}.txt"),
                    "--attributes",
                    str(amazon / f"{name}_item2attributes.json"),
                    "--run-out",
                    str(work / f"{name}.jsonl"),
                ],
            )
            for name in ("Beauty", "Toys_and_Games")
        },
        **{
            f"sessions_{name}": (
                [data / name],
                [
                    "sessions.py",
                    "--train",
                    str(data / name / "train.txt"),
                    "--test",
                    str(data / name / "test.txt"),
                    "--run-out",
                    str(work / f"{name}.jsonl"),
                ],
            )
            for name in ("diginetica", "retailrocket")
        },
        "graph": ([data / "online_retail", amazon], ["graph.py", "--data", str(data)]),
        "cold_start": ([], ["cold_start.py"]),
        "multimodal": ([data / "luma"], ["multimodal.py", "--data", str(data / "luma")]),
        "home": ([], ["home.py"]),
        "million": ([], ["million.py", "--work", str(work / "million")]),
        "soak": ([retrotech], ["soak.py", "--shop", str(shop), "--minutes", "30"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("AISLE_DATA", str(HERE.parent.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--work", type=Path, default=HERE.parent / "var", help="where shops are built")
    parser.add_argument("--only", nargs="*", help="names; all otherwise")
    arguments = parser.parse_args()
    known = commands(arguments.data, arguments.work)
    unknown = set(arguments.only or ()) - set(known)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    arguments.work.mkdir(exist_ok=True)
    RESULTS.mkdir(exist_ok=True)
    failed = []
    for name in arguments.only or known:
        files, command = known[name]
        absent = [str(f) for f in files if not f.exists()]
        if absent:
            print(f"{name}: left out, for {', '.join(absent)} is not there", flush=True)
            continue
        print(f"{name}: python benchmarks/{' '.join(command)}", flush=True)
        started = time.perf_counter()
        run = subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], stdout=subprocess.PIPE, text=True)
        lines = run.stdout.strip().splitlines()
        if run.returncode or not lines:
            failed.append(name)
            continue
        result = json.loads(lines[-1])
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        print(f"{name}: {time.perf_counter() - started:.0f} s\n{json.dumps(result)}", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
