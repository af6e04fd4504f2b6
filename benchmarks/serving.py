"""The server under several clients, beside `transformers serve` with and without its continuous batching, in one run.

    python benchmarks/serving.py                                  tokens/s and time to the first token, 1 to 16 clients
    python benchmarks/serving.py --peers                          the same for transformers serve
    python benchmarks/serving.py --out serving.json --plot docs/serving.svg
    python benchmarks/serving.py --prefix                         many requests under one long system message
    python benchmarks/serving_probe.py                            a probe through the server and in process
    python benchmarks/serving_soak.py --minutes 10                mixed load, clients that are killed, memory

Every client asks for other things, and its answer under load is held against its answer alone: none may be lost, and
none may be another client's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import openai

from serving_clients import OURS, Answer, agreement, ask, prompts, server
from serving_plot import drawn

LONG = "You answer visitors of a museum. " + " ".join(
    f"Rule {k}: hall {k} is open from {k} to {k + 3}." for k in range(30)
)
Row = dict[str, Any]


def loaded(client: openai.OpenAI, model: str, clients: int, rounds: int, tokens: int) -> tuple[list[Answer], float]:
    """Answers of so many clients at once, each asking `rounds` times, and the seconds it took."""
    asked = prompts(clients * rounds)

    def one(place: int) -> list[Answer]:
        return [ask(client, model, prompt, tokens) for prompt in asked[place::clients]]

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(one, range(clients)))
    seconds = time.perf_counter() - began
    found: dict[str, Answer] = {}
    for place, answers in enumerate(parts):
        found.update(zip(asked[place::clients], answers, strict=True))
    return [found[prompt] for prompt in asked], seconds


def table(name: str, client: openai.OpenAI, model: str, args: argparse.Namespace) -> list[Row]:
    """One row a number of clients, printed as it is there."""
    ask(client, model, "Warm up.", 8)
    alone = [ask(client, model, prompt, args.tokens) for prompt in prompts(max(args.clients) if args.check else 0)]
    rows = []
    for clients in args.clients:
        rounds = max(1, args.rounds if clients < 8 else args.rounds // 2)
        answers, seconds = loaded(client, model, clients, rounds, args.tokens)
        row = {"server": name, "clients": clients, **judged(answers, alone), **speed(answers, seconds)}
        told = f"lost {row['lost']} crossed {row['crossed']} other than alone {row['other']}"
        print(
            f"{name:<28} {clients:3d} clients {row['rate']:7.1f} tokens/s  first token {row['first']:6.2f} s  {told}",
            flush=True,
        )
        rows.append(row)
    return rows


def speed(answers: list[Answer], seconds: float) -> Row:
    """Tokens a second of all clients together; seconds to the first token, median and the slowest tenth's least."""
    first = sorted(answer.first for answer in answers)
    return {
        "rate": sum(answer.tokens for answer in answers) / seconds,
        "first": median(first),
        "first_p90": first[int(0.9 * (len(first) - 1))],
    }


def judged(answers: list[Answer], alone: list[Answer]) -> Row:
    """How many are lost, agree further with another's answer than with their own, or are not the answer alone."""
    crossed = other = 0
    for k, answer in enumerate(answers[: len(alone)]):
        near = [agreement(answer.text, one.text) for one in alone]
        crossed += near[k] < max(near)
        other += answer.text != alone[k].text
    return {"lost": sum(not answer.text for answer in answers), "crossed": crossed, "other": other}


def prefixes(args: argparse.Namespace) -> None:
    """Requests one after the other under one long system message, with and without what was read before."""
    for mib in (0, 512):
        with server([*OURS, "--model", "smollm2", "--prefix-mib", str(mib)]) as (client, _):
            ask(client, "smollm2", "Warm up.", 2)
            answers = [ask(client, "smollm2", f"When is hall {k} open?", 8, LONG) for k in range(args.rounds * 4)]
            print(
                f"prefix store {mib:4d} MiB: first token after {median(a.first for a in answers[1:]):.2f} s", flush=True
            )


def peers(args: argparse.Namespace) -> list[Row]:
    """`transformers serve`, plain and with its continuous batching."""
    from surefoot.models.weights import smollm2_gguf, unpacked

    folder = str(unpacked(smollm2_gguf()))
    binary = str(Path(sys.executable).parent / "transformers")
    rows = []
    for name, flags in (("transformers serve", []), ("... continuous batching", ["--continuous-batching"])):
        command = [binary, "serve", folder, "--device", "cpu", "--dtype", "bfloat16", *flags]
        with server(command) as (client, _):
            rows += table(name, client, folder, args)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 8, 16])
    parser.add_argument("--dtype", default="auto", help="of our server; in float32 every answer must be the one alone")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--check", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--prefix", action="store_true")
    parser.add_argument("--out", type=Path, help="a JSON file for the table")
    parser.add_argument("--plot", type=Path, help="an SVG file for the table")
    args = parser.parse_args()
    if args.prefix:
        return prefixes(args)
    with server([*OURS, "--model", "smollm2", "--dtype", args.dtype]) as (client, _):
        rows = table(f"surefoot serve {args.dtype}", client, "smollm2", args)
    rows += peers(args) if args.peers else []
    if args.out:
        args.out.write_text(json.dumps({"tokens": args.tokens, "rounds": args.rounds, "rows": rows}, indent=1) + "\n")
    if args.plot:
        args.plot.write_text(drawn(rows), encoding="utf-8")
    return None


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
