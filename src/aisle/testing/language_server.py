"""A small server of OpenAI's chat completions, for tests: a real model, real likelihoods, real constraints.

    with running_server(folder) as endpoint: ...
    python -m aisle.testing.language_server --model FOLDER [--key KEY]

It listens on 127.0.0.1 only, on a free port that it prints, and ends when its
standard input does: with the test that started it, however that ends. With a
`response_format` of a schema whose `choice` is one of some strings the model
can say nothing else, as servers with grammars do it. A model asked for as
`small without logprobs,temperature` refuses those with 400, as lesser servers do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse


@contextmanager
def running_server(model: Path, *, key: str = "") -> Iterator[str]:
    """Start one in a process of its own; gives the endpoint, and ends it."""
    command = [sys.executable, "-m", "aisle.testing.language_server", "--model", str(model), "--key", key]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("http"):
            raise RuntimeError(f"the language server did not start: {' '.join(command)}")
        yield line.strip()
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Speaker:
    """The model, one call after the other."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
        self.network = network.eval()
        self.words: list[str] = [str(self.tokenizer.decode([number])) for number in range(len(self.tokenizer))]
        self.end = int(self.tokenizer.eos_token_id)
        self.lock = threading.Lock()

    def read(self, body: dict[str, Any]) -> list[int]:
        """The prompt's tokens."""
        turns = [{"role": m["role"], "content": m["content"]} for m in body["messages"]]
        ids: list[int] = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        return ids

    def say(self, body: dict[str, Any]) -> dict[str, Any]:
        """An answer in OpenAI's form. Greedy, or drawn where a temperature is given."""
        import torch

        ids = self.read(body)
        most = int(body.get("max_completion_tokens") or body.get("max_tokens") or 64)
        allowed = _allowed(body.get("response_format"))
        stops = [body["stop"]] if isinstance(body.get("stop"), str) else list(body.get("stop") or [])
        heat, text, pieces, reason = float(body.get("temperature") or 0), "", [], "length"
        with self.lock, torch.inference_mode():
            read, cache = torch.tensor([ids]), None
            for _ in range(most):
                out = self.network(read, past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache, logits = out.past_key_values, out.logits[0, -1].float()
                if allowed is not None:
                    logits = logits + self._mask(allowed, text)
                logs = logits.log_softmax(0)
                token = int(torch.multinomial((logits / heat).softmax(0), 1)) if heat else int(logs.argmax())
                if token == self.end:
                    reason = "stop"
                    break
                text += self.words[token]
                pieces.append((token, logs))
                if any(stop in text for stop in stops):
                    text = text[: min(text.find(stop) for stop in stops if stop in text)]
                    reason = "stop"
                    break
                read = torch.tensor([[token]])
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": reason,
            "message": {"role": "assistant", "content": text},
        }
        if body.get("logprobs"):
            choice["logprobs"] = {
                "content": [self._told(*piece, int(body.get("top_logprobs") or 0)) for piece in pieces]
            }
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(pieces), "total_tokens": len(ids) + len(pieces)}
        made = {"id": "chatcmpl-0", "object": "chat.completion", "created": int(time.time()), "model": body["model"]}
        return {**made, "choices": [choice], "usage": usage}

    def _mask(self, allowed: Sequence[str], text: str) -> Any:
        """0 for tokens by which one of the allowed answers goes on, minus infinity for all others."""
        import torch

        mask = torch.full((len(self.words),), float("-inf"))
        for answer in allowed:
            if answer == text:
                mask[self.end] = 0
            elif answer.startswith(text):
                rest = answer[len(text) :]
                mask[[n for n, word in enumerate(self.words) if word and rest.startswith(word)]] = 0
        return mask

    def _told(self, token: int, logs: Any, most: int) -> dict[str, Any]:
        best = logs.topk(min(most, len(self.words))) if most else None
        others = [] if best is None else zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return {
            "token": self.words[token],
            "logprob": max(float(logs[token]), -9999.0),
            "bytes": list(self.words[token].encode()),
            "top_logprobs": [{"token": self.words[n], "logprob": max(value, -9999.0)} for n, value in others],
        }


def _allowed(form: dict[str, Any] | None) -> list[str] | None:
    if form is None:
        return None
    names = form["json_schema"]["schema"]["properties"]["choice"]["enum"]
    return [json.dumps({"choice": name}, ensure_ascii=False) for name in names]


def make_app(speaker: Speaker, key: str) -> FastAPI:
    """The server's one route, and what it refuses."""
    app = FastAPI()

    def complain(status: int, told: str) -> JSONResponse:
        return JSONResponse({"error": {"message": told, "type": "invalid_request_error"}}, status)

    async def completions(request: Request) -> JSONResponse:
        if key and request.headers.get("authorization") != f"Bearer {key}":
            return complain(401, f"Incorrect API key provided: {request.headers.get('authorization', '')[7:]}")
        body = await request.json()
        n, most = len(speaker.read(body)), speaker.network.config.max_position_embeddings
        if n >= most:
            return complain(400, f"This model's maximum context length is {most} tokens; the messages have {n}.")
        for part in body["model"].partition(" without ")[2].split(","):
            if part in body:
                return complain(400, f"Unsupported parameter: '{part}' is not supported with this model.")
        return JSONResponse(await run_in_threadpool(speaker.say, body))

    app.add_api_route("/v1/chat/completions", completions, methods=["POST"], response_model=None)
    return app


def main() -> None:
    """Serve until standard input ends."""
    import socket

    import uvicorn

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--key", default="")
    given = parser.parse_args()
    app = make_app(Speaker(given.model), given.key)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))

    def watch() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}/v1\n")
    sys.stdout.flush()
    server.run(sockets=[listening])
    os._exit(0)  # the libraries take seconds to say goodbye


if __name__ == "__main__":
    main()
