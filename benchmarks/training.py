"""A step of `soft-align` beside the same loss written plainly on PEFT's PromptTuning with the Trainer.

Same groups, same first prompt, same precision, alternately, in one process.

`python benchmarks/training.py` prints seconds a step, their ratio, tokens/s and peak memory. `--scoring` compares the
scoring speed of a treated model with its base model's instead. `docs/speed.md` says what is held equal.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from itertools import pairwise
from statistics import median
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="true")

import torch
from torch.nn.functional import kl_div, log_softmax

from measuring import forget_peak, held_mib, peak_mib
from surefoot.models.load import load
from surefoot.models.virtual import structural_copy
from surefoot.paraphrases import paraphrase_task, source_of
from surefoot.tasks.loading import load_tasks
from surefoot.training.adapters import AdapterSettings, new_adapter
from surefoot.training.fit import FitSettings, fit
from surefoot.training.groups import Group, batch_at
from surefoot.training.losses import Alignment
from surefoot.training.objective import AlignmentObjective
from surefoot.treatments.weights.alignment_data import as_groups, lessons

RULE = Alignment(weight=0.8, positions="first", answer="sum")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6, help="steps a run")
    parser.add_argument("--repeats", type=int, default=3, help="alternating pairs of runs")
    parser.add_argument("--batch", type=int, default=4, help="examples a step")
    parser.add_argument("--paraphrases", type=int, default=3, help="wordings beside the reference")
    parser.add_argument("--tokens", type=int, default=10, help="virtual tokens")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scoring", action="store_true", help="does a treated model score as fast as its base?")
    return parser.parse_args()


def groups_of(model: Any, args: argparse.Namespace) -> list[Group]:
    """Lessons of the bundled suite, as many as the steps read."""
    tasks = load_tasks("demo")
    wordings = {
        task.name: [
            (group.reference, *group.paraphrases)
            for group in paraphrase_task(task, source_of("rules"), per_wording=args.paraphrases).groups
            if len(group.paraphrases) == args.paraphrases
        ]
        for task in tasks
    }
    return as_groups(model, lessons(tasks, wordings, 0.5, args.steps * args.batch, 0))


def ours(base: Any, args: argparse.Namespace) -> tuple[float, float]:
    """Seconds a step (median, the first left out) and the first step's loss."""
    adapter = new_adapter(base, AdapterSettings(tokens=args.tokens))
    objective = AlignmentObjective(adapter, base, groups_of(adapter.model, args), RULE)
    log = fit(objective, FitSettings(steps=args.steps, batch=args.batch, learning_rate=3e-3))
    ends = [step.seconds for step in log]
    return median(b - a for a, b in pairwise(ends)), log[0].losses["loss"]


def peer(base: Any, args: argparse.Namespace) -> tuple[float, float]:
    """The same with PEFT's PromptTuning and the Trainer: padded rows, logits everywhere."""
    from peft import PromptTuningConfig, get_peft_model
    from transformers import Trainer, TrainerCallback, TrainingArguments

    own = new_adapter(base, AdapterSettings(tokens=args.tokens))
    groups = groups_of(own.model, args)
    order = [place for step in range(args.steps) for place in batch_at(len(groups), args.batch, step, 0)]
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=args.tokens)
    model = get_peft_model(structural_copy(base.model), config)
    with torch.no_grad():
        model.prompt_encoder["default"].embedding.weight.copy_(own.parameters["prompt"])

    def collate(picked: list[Group]) -> dict[str, torch.Tensor]:
        rows = [(*v.prompt[args.tokens :], *v.answer) for group in picked for v in group.variants]
        width = max(map(len, rows))
        variants = [v for group in picked for v in group.variants]
        labels = [[-100] * (len(row) - len(v.answer)) + list(v.answer) for row, v in zip(rows, variants, strict=True)]
        return {
            "input_ids": torch.tensor([[*row, *[0] * (width - len(row))] for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
            "labels": torch.tensor([[*row, *[-100] * (width - len(row))] for row in labels]),
        }

    losses: list[float] = []

    class Plain(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            labels = inputs.pop("labels")
            logits = model(**inputs).logits[:, args.tokens : -1]
            targets = labels[:, 1:]
            logp = log_softmax(logits.float(), -1)
            wanted = targets != -100
            picked = logp.gather(-1, targets.clamp(min=0)[..., None])[..., 0] * wanted
            cross = -picked.sum(-1).mean()
            firsts = logp[torch.arange(len(targets)), wanted.int().argmax(-1)]
            away = []
            for start in range(0, len(firsts), 1 + args.paraphrases):
                reference = firsts[start].detach()
                for other in firsts[start + 1 : start + 1 + args.paraphrases]:
                    away.append(kl_div(other, reference, reduction="sum", log_target=True))
            loss = (1 - RULE.weight) * cross + RULE.weight * torch.stack(away).mean()
            losses.append(float(loss))
            return (loss, None) if return_outputs else loss

    class Clock(TrainerCallback):
        ends: list[float] = []  # noqa: RUF012

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=args.steps,
            per_device_train_batch_size=args.batch,
            learning_rate=3e-3,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=base.model.device.type == "cpu",
            bf16=False,
            max_grad_norm=1.0,
            dataloader_pin_memory=False,
        )
        clock = Clock()
        clock.ends = []
        trainer = Plain(
            model=model,
            args=arguments,
            train_dataset=[groups[place] for place in order],
            data_collator=collate,
            callbacks=[clock],
        )
        trainer._get_train_sampler = lambda *_: torch.utils.data.SequentialSampler(order)  # the same batches
        trainer.train()
    return median(b - a for a, b in pairwise(clock.ends)), losses[0]


def training(args: argparse.Namespace) -> None:
    base = load("smollm2", dtype=args.dtype, device=args.device)
    assert base.shares_prefixes
    groups = groups_of(base, args)
    asked = sum(len(v.prompt) + args.tokens + len(v.answer) - 1 for g in groups for v in g.variants) / args.steps
    rows: dict[str, list[tuple[float, float]]] = {"surefoot": [], "peft": []}
    peaks: dict[str, list[float]] = {"surefoot": [], "peft": []}
    for _ in range(args.repeats):
        for name, call in (("surefoot", ours), ("peft", peer)):
            forget_peak()
            before = held_mib()
            rows[name].append(call(base, args))
            peaks[name].append(peak_mib() - before)
        print(
            "  ".join(f"{name} {found[-1][0]:.3f} s, loss {found[-1][1]:.4f}" for name, found in rows.items()),
            flush=True,
        )
    seconds = {name: median(found[0] for found in each) for name, each in rows.items()}
    print(
        f"\n{args.dtype}, {torch.get_num_threads()} threads, {args.batch} examples x {1 + args.paraphrases} wordings, "
        f"{args.tokens} virtual tokens, {args.steps} steps, medians of {args.repeats} pairs"
    )
    for name in rows:
        print(
            f"{name:<10}{seconds[name]:8.3f} s a step{asked / seconds[name]:10,.0f} tokens/s asked for"
            f"{median(peaks[name]):8.0f} MiB above the start"
        )
    print(f"ratio     {seconds['peft'] / seconds['surefoot']:8.2f} x")


def scoring(args: argparse.Namespace) -> None:
    """Tokens/s of the base model and of the model with a soft prompt on the same questions, alternately."""
    base = load("smollm2", dtype=args.dtype, device=args.device)
    treated = new_adapter(base, AdapterSettings(tokens=args.tokens)).model
    (task,) = load_tasks("demo/facts", limit=30)
    queries = [task.query(example, task.wordings[0]) for example in task.examples]
    times: dict[str, list[float]] = {"base": [], "treated": []}
    for _ in range(1 + args.repeats):
        for name, model in (("base", base), ("treated", treated)):
            start = time.perf_counter()
            model.choose([q.prompt for q in queries], [q.labels for q in queries])
            times[name].append(time.perf_counter() - start)
    seconds = {name: median(found[1:]) for name, found in times.items()}
    print(f"base {seconds['base']:.2f} s, treated {seconds['treated']:.2f} s for the same questions")
    print(f"the treated model scores at {seconds['base'] / seconds['treated']:.0%} of the base model's speed")


if __name__ == "__main__":
    chosen = options()
    (scoring if chosen.scoring else training)(chosen)
