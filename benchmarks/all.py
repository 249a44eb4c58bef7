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
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
REVIEWS = (
    ("luma", "en-sentiment", "tfidf"),
    ("luma", "en-sentiment", "lora"),
    *(("reviews_zh", task, method) for task in ("zh-sentiment", "zh-category") for method in ("tfidf", "words")),
)
"""Data set, task and method."""


def _command(script: str, *flags: str, **options: Any) -> list[str]:
    """A script with its options, `a_name=value` for each `--a-name value`."""
    told = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [f"{script}.py", *flags, *told]


def commands(data: Path, work: Path) -> dict[str, tuple[list[Path], list[str]]]:
    """Name -> the files it needs and its command."""
    retrotech, homedepot, amazon = data / "retrotech" / "products.csv", data / "homedepot", data / "amazon"
    banking, support = data / "intents" / "banking77_train.csv", data / "intents" / "support_bitext.csv"
    diginetica, shop = data / "diginetica", work / "retrotech"
    fields = ["--map", "item_id=upc", "--map", "title=name", "--map", "brand=manufacturer"]
    asked = {"queries": homedepot / "queries.csv", "qrels": homedepot / "qrels.txt"}
    judged = {"products": homedepot / "products.csv", **{f"train_{name}": file for name, file in asked.items()}}
    intents = {"train": banking, "test": data / "intents" / "banking77_test.csv"}
    tuned = work / "tuning" / "bi_encoder" / "exported"
    return {
        "indexing": ([retrotech], _command("indexing", *fields, products=retrotech, shop=shop)),
        "serving": ([retrotech], _command("serving", shop=shop)),
        "recommending": (
            [retrotech, diginetica],
            _command("recommending", shop=shop, sessions=diginetica / "train.txt"),
        ),
        "suggest": ([retrotech], _command("suggest", "--personal", products=retrotech, chinese=45000)),
        "chinese": ([], _command("chinese")),
        "searching": ([retrotech], _command("searching", data=data / "retrotech", shop=shop)),
        "search": (
            [homedepot],
            _command("search", "--halves", "--ablate", **judged, run_out=work / "search_run.txt"),
        ),
        "blending": ([homedepot], _command("blending", data=homedepot)),
        "tuning": ([homedepot], _command("tuning", data=homedepot, out=work / "tuning")),
        "robustness": ([homedepot], _command("robustness", data=homedepot, cache=work / "tuning", tuned=tuned)),
        "generative": ([homedepot], _command("generative", data=homedepot, cache=work / "tuning")),
        **{
            f"intents_{method}": (
                [banking],
                _command("intents", **intents, method=method, out=work / f"intents_{method}.csv"),
            )
            for method in ("full", "lora", "head")
        },
        "label_names": ([banking], _command("few_shot", **intents, method="names", shots=0, draws=1)),
        **{
            f"few_shot_{shots}": ([banking], _command("few_shot", **intents, method="setfit_more", shots=shots))
            for shots in (10, 30)
        },
        "few_shot_support": ([support], _command("few_shot", train=support, method="setfit_more", shots=5)),
        "worth_labelling": ([banking], _command("few_shot", "--active", "--dev", train=banking, batch=77, labels=770)),
        **{
            f"reviews_{task}_{method}": (
                [data / folder],
                _command("reviews", data=data, task=task, method=method),
            )
            for folder, task, method in REVIEWS
        },
        "compress": (
            [homedepot, banking],
            _command("compress", products=homedepot / "products.csv", **asked, **intents, out=work / "compress"),
        ),
        "categories": ([], _command("categories")),
        "covisitation": ([data / "online_retail", diginetica], _command("covisitation", data=data)),
        **{
            f"sequence_{name.lower()}": (
                [amazon / f"{name}.txt"],
                _command(
                    "sequence",
                    data=amazon / f"{name}.txt",
                    attributes=amazon / f"{name}_item2attributes.json",
                    run_out=work / f"{name}.jsonl",
                ),
            )
            for name in ("Beauty", "Toys_and_Games")
        },
        **{
            f"sessions_{name}": (
                [data / name],
                _command(
                    "sessions",
                    train=data / name / "train.txt",
                    test=data / name / "test.txt",
                    run_out=work / f"{name}.jsonl",
                ),
            )
            for name in ("diginetica", "retailrocket")
        },
        "graph": ([data / "online_retail", amazon], _command("graph", data=data)),
        "cold_start": ([], _command("cold_start")),
        "multimodal": ([data / "luma"], _command("multimodal", data=data / "luma")),
        "home": ([], _command("home")),
        "million": ([], _command("million", work=work / "million")),
        "soak": ([retrotech], _command("soak", shop=shop, minutes=30)),
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
