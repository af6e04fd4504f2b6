"""Training: losses against closed forms and numpy, gradients, batches, interruption."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.causal import CausalModel
from surefoot.models.scripted import ScriptedModel
from surefoot.text.prompt import Prompt
from surefoot.training.adapters import AdapterSettings, new_adapter
from surefoot.training.fit import FitSettings, FitStep, TrainingDiverged, fit
from surefoot.training.forward import answer_logits
from surefoot.training.groups import Group, Variant, batch_at
from surefoot.training.losses import Alignment, answer_loss, divergence, group_losses
from surefoot.training.objective import AlignmentObjective
from surefoot.training.pairs import tune_on_pairs


def logits(seed: int, tokens: int = 3, words: int = 7) -> torch.Tensor:
    return torch.randn(tokens, words, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def test_divergence_equals_the_sum_written_out_in_numpy() -> None:
    a, b = logits(1), logits(2)
    p, q = softmax(b.numpy().astype(float)), softmax(a.numpy().astype(float))
    forward, backward = (p * np.log(p / q)).sum(-1), (q * np.log(q / p)).sum(-1)
    assert float(divergence(a, b, Alignment())) == pytest.approx(forward.mean(), abs=1e-6)
    assert float(divergence(a, b, Alignment(direction="paraphrase"))) == pytest.approx(backward.mean(), abs=1e-6)
    assert float(divergence(a, b, Alignment(positions="first"))) == pytest.approx(forward[0], abs=1e-6)


def test_divergence_is_zero_where_the_paraphrase_is_the_reference() -> None:
    assert float(divergence(logits(1), logits(1), Alignment())) == pytest.approx(0, abs=1e-7)


def test_the_answer_loss_is_the_chain_of_log_softmax() -> None:
    x, answer = logits(3), [2, 0, 6]
    chain = -sum(np.log(softmax(x.numpy().astype(float)))[k, token] for k, token in enumerate(answer))
    assert float(answer_loss(x, torch.tensor(answer))) == pytest.approx(chain, abs=1e-5)


@pytest.mark.parametrize("detach", [True, False])
def test_the_reference_gets_a_gradient_of_the_divergence_only_without_detach(detach: bool) -> None:
    reference, paraphrase = logits(1).requires_grad_(), logits(2).requires_grad_()
    divergence(paraphrase, reference, Alignment(detach=detach)).backward()
    assert paraphrase.grad is not None
    assert paraphrase.grad.abs().sum() > 0
    assert (reference.grad is None) is detach


def test_a_group_averages_ce_over_wordings_and_kl_over_paraphrases() -> None:
    three, answer = [logits(k) for k in range(3)], torch.tensor([1, 2, 3])
    cross, away = group_losses(three, [answer] * 3, (1, 2), Alignment(answer="sum"))
    assert float(group_losses(three, [answer] * 3, (1, 2), Alignment())[0]) == pytest.approx(float(cross) / 3)
    assert float(cross) == pytest.approx(np.mean([float(answer_loss(x, answer)) for x in three]))
    expected = np.mean([float(divergence(x, three[0], Alignment())) for x in three[1:]])
    assert float(away) == pytest.approx(expected)
    assert float(group_losses(three, [answer] * 3, (), Alignment())[1]) == 0


def test_wordings_whose_answer_has_other_tokens_are_not_compared() -> None:
    group = Group((Variant((1,), (5,)), Variant((2,), (6,)), Variant((3,), (5,))))
    assert group.aligned == (2,)


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_batches_read_every_example_once_an_epoch(count: int, size: int, seed: int) -> None:
    flat = [place for step in range(2 * count) for place in batch_at(count, size, step, seed)]
    epochs = [flat[k : k + count] for k in range(0, len(flat) - count + 1, count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)


def test_batches_are_those_of_one_permutation_an_epoch_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, drawn = np.random.default_rng, []
    whole = np.concatenate([draw([97, epoch]).permutation(7) for epoch in range(4)])

    def spy(seed: list[int]) -> np.random.Generator:
        drawn.append(seed)
        return draw(seed)

    monkeypatch.setattr(np.random, "default_rng", spy)
    assert [place for step in range(7) for place in batch_at(7, 4, step, 97)] == list(whole)
    assert drawn == [[97, epoch] for epoch in range(4)]


# --- gradients through the model --------------------------------------------------------------------------------------

PROMPTS = ("Copy: abc\nAnswer:", "Copy this: abc\nAnswer:", "abc. Copy it.")


def groups_of(model: Any, answers: tuple[str, ...] = ("yes", "no", "abc")) -> list[Group]:
    ids = model.encode(PROMPTS)
    forks = [tuple(f) for f in model.encoder.labels(answers)]
    return [Group(tuple(Variant(tuple(p), fork) for p in ids)) for fork in forks]


KINDS = [("prompt", tiny.causal), ("prefix", tiny.causal), ("lora", tiny.causal), ("prompt", tiny.t5)]
KINDS += [("prefix", tiny.t5), ("lora", tiny.t5)]
NAMES = [f"{kind}-{'t5' if build is tiny.t5 else 'llama'}" for kind, build in KINDS]


def state_hash(module: Any) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize(("kind", "build"), KINDS, ids=NAMES)
def test_training_lowers_the_loss_and_leaves_the_base_bit_identical(kind: Any, build: Any) -> None:
    base = build()
    before, said = state_hash(base.model), base.score([(PROMPTS[0], "yes")])
    adapter = new_adapter(base, AdapterSettings(kind=kind, tokens=4, rank=2))
    objective = AlignmentObjective(adapter, base, groups_of(adapter.model), Alignment(weight=0.5))
    log = fit(objective, FitSettings(steps=40, batch=3, learning_rate=0.1))
    losses = [step.losses["loss"] for step in log]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1
    assert state_hash(base.model) == before
    assert base.score([(PROMPTS[0], "yes")]) == said
    assert adapter.model.score([(PROMPTS[0], "yes")]) != said


def test_only_the_soft_prompt_receives_gradients() -> None:
    base = tiny.causal()
    adapter = new_adapter(base, AdapterSettings(tokens=5))
    AlignmentObjective(adapter, base, groups_of(adapter.model), Alignment()).losses([0, 1])["loss"].backward()
    touched = {name: p.numel() for name, p in adapter.model.model.named_parameters() if p.grad is not None}
    assert list(touched.values()) == [5 * 32]
    assert adapter.trainable == 5 * 32
    assert all(p.grad is None for p in base.model.parameters())


@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("kind", ["prompt", "prefix"])
def test_the_gradient_equals_finite_differences(sharing: bool, kind: Any) -> None:
    base = tiny.causal(prefix_sharing=sharing)
    adapter = new_adapter(base, AdapterSettings(kind=kind, tokens=3))
    objective = AlignmentObjective(adapter, base, groups_of(adapter.model), Alignment(weight=0.6, detach=False))
    (parameter,) = adapter.parameters.values()
    objective.losses([0, 2])["loss"].backward()
    assert parameter.grad is not None
    towards = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4))
    slope, step = float((parameter.grad * towards).sum()), 1e-3

    def at(shift: float) -> float:
        with torch.no_grad():
            parameter.add_(shift * towards)
            value = float(objective.losses([0, 2])["loss"])
            parameter.sub_(shift * towards)
        return value

    assert (at(step) - at(-step)) / (2 * step) == pytest.approx(slope, rel=0.02, abs=1e-3)


def test_answer_logits_are_the_same_with_and_without_prefix_sharing() -> None:
    tree, plain = tiny.causal(), tiny.causal(prefix_sharing=False)
    flat = [variant for group in groups_of(tree) for variant in group.variants]
    assert tree.shares_prefixes
    for a, b in zip(answer_logits(tree, flat), answer_logits(plain, flat), strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-4)


def test_all_weights_of_a_model_in_bfloat16_train_in_mixed_precision() -> None:
    base = tiny.causal(deepcopy(tiny.llama_weights()).to(torch.bfloat16))
    adapter = new_adapter(base, AdapterSettings(kind="weights"))
    assert adapter.autocast
    objective = AlignmentObjective(adapter, base, groups_of(adapter.model), Alignment(weight=0.5))
    log = fit(objective, FitSettings(steps=12, batch=3, learning_rate=1e-3))
    assert adapter.model.shares_prefixes
    assert log[-1].losses["loss"] < 0.8 * log[0].losses["loss"]
    adapter.settle()
    assert adapter.model.model.dtype == torch.bfloat16
    assert base.model.dtype == torch.bfloat16


def test_a_shared_prefix_is_computed_once_in_a_training_step() -> None:
    model = tiny.causal()
    flat = [variant for group in groups_of(model) for variant in group.variants]
    answer_logits(model, flat)
    paths = {(*v.prompt, *v.answer[:-1])[: k + 1] for v in flat for k in range(len(v.prompt) + len(v.answer) - 1)}
    assert model.tokens.computed == len(paths)


def test_the_teacher_of_the_base_model_is_computed_once_and_ignores_the_soft_prompt() -> None:
    base = tiny.causal()
    adapter = new_adapter(base, AdapterSettings(tokens=4))
    objective = AlignmentObjective(adapter, base, groups_of(adapter.model), Alignment(weight=1.0, teacher="base"))
    first = float(objective.losses([0])["divergence"].detach())
    asked = base.tokens.computed
    bare = [v._replace(prompt=v.prompt[4:]) for v in objective.groups[0].variants]
    with torch.no_grad():
        target, own = answer_logits(base, bare)[0], answer_logits(adapter.model, objective.groups[0].variants)
        expected = np.mean([float(divergence(x, target, Alignment())) for x in own[1:]])
    assert first == pytest.approx(expected, rel=1e-4)
    computed = base.tokens.computed
    objective.losses([0])
    assert base.tokens.computed == computed > asked


# --- fit --------------------------------------------------------------------------------------------------------------


class Parabola:
    """(w - target)^2, with a target that depends on the example."""

    identity, autocast = "parabola", False

    def __init__(self, examples: int = 6, poison: int | None = None) -> None:
        self.weight = nn.Parameter(torch.zeros(2))
        self.parameters: Mapping[str, nn.Parameter] = {"weight": self.weight}
        self.examples, self.poison, self.calls = examples, poison, 0

    def losses(self, places: list[int]) -> Mapping[str, torch.Tensor]:
        self.calls += 1
        target = torch.tensor([float(np.mean(places)), 1.0])
        scale = float("nan") if self.poison == self.calls else 1.0
        return {"loss": ((self.weight - target) ** 2).sum() * scale}


def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    plan = FitSettings(steps=20, batch=2, learning_rate=0.1, save_every=4)
    whole = Parabola()
    fit(whole, plan)
    for stop in (1, 6, 15):

        def kill(step: Any, stop: int = stop) -> None:
            if step.step == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(Parabola(), plan, out=tmp_path, watch=kill)
    resumed = Parabola()
    log = fit(resumed, plan, out=tmp_path)
    assert log[0].step == 13
    assert torch.equal(resumed.weight, whole.weight)


def test_an_interrupted_alignment_ends_with_the_same_soft_prompt(tmp_path: Path) -> None:
    plan = FitSettings(steps=6, batch=1, learning_rate=0.01, save_every=2)

    def training() -> Any:
        base = tiny.causal()
        adapter = new_adapter(base, AdapterSettings(tokens=3))
        return AlignmentObjective(adapter, base, groups_of(adapter.model), Alignment())

    whole, resumed = training(), training()
    fit(whole, plan)

    def kill(step: Any) -> None:
        if step.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(training(), plan, out=tmp_path, watch=kill)
    fit(resumed, plan, out=tmp_path)
    assert torch.equal(resumed.parameters["prompt"], whole.parameters["prompt"])


def test_accumulated_batches_are_one_larger_batch() -> None:
    one, two = Parabola(), Parabola()
    fit(one, FitSettings(steps=3, batch=6, learning_rate=0.1))
    fit(two, FitSettings(steps=3, batch=3, accumulate=2, learning_rate=0.1))
    torch.testing.assert_close(one.weight, two.weight)


def test_the_rate_warms_up_and_ends_near_zero() -> None:
    plan = FitSettings(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert max(rates) == 1.0
    assert rates[-1] == pytest.approx(1 / 90)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="step 4 is no number; the checkpoint of step 2 is kept"):
        fit(Parabola(poison=4), FitSettings(steps=9, batch=1, learning_rate=0.1, save_every=2), out=tmp_path)


def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    fit(Parabola(), FitSettings(steps=2, learning_rate=0.1), out=tmp_path)
    with pytest.raises(BadInput, match="other data or settings"):
        fit(Parabola(), FitSettings(steps=3, learning_rate=0.1), out=tmp_path)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    fit(Parabola(), FitSettings(steps=2, learning_rate=0.1), out=tmp_path)
    file = tmp_path / "checkpoint" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(BadInput, match="damaged"):
        fit(Parabola(), FitSettings(steps=2, learning_rate=0.1), out=tmp_path)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"batch": 0}])
def test_a_setting_out_of_range_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        FitSettings(**bad)


def test_a_model_tuned_on_pairs_writes_their_answers_and_ends_behind_them() -> None:
    base = tiny.causal()
    prompts, answers = [Prompt.of("who was it"), Prompt.of("where is it")], ["yes", "a dog in the house"]
    before = base.score([*zip(prompts, answers, strict=True)])
    whole = FitSettings(steps=60, batch=2, learning_rate=0.01)
    model = tune_on_pairs(base, prompts, answers, part=AdapterSettings("weights"), descent=whole)
    texts = model.generate(prompts, Sampling(max_new_tokens=30))
    assert [text.text.strip() for text in texts] == answers
    assert [text.finish_reason for text in texts] == ["stop", "stop"]
    assert base.score([*zip(prompts, answers, strict=True)]) == before
    assert not any(parameter.requires_grad for parameter in model.model.parameters())


PAIRS = [("who was it", "yes"), ("where is it", "a dog in the house"), ("is it", "no"), ("say", "one, two")]


def plain_losses(base: CausalModel) -> list[float]:
    """Of each pair, the mean of -log p over the answer's tokens and </s>, by forward passes of the bare model."""
    found = []
    for prompt, answer in base.pairs([Prompt.of(text) for text, _ in PAIRS], [answer for _, answer in PAIRS]):
        written = [*answer, 1]
        with torch.inference_mode():
            logits = base.model(torch.tensor([[*prompt, *written]])).logits[0, len(prompt) - 1 : -1]
        found.append(float(torch.nn.functional.cross_entropy(logits, torch.tensor(written))))
    return found


def tuned_losses(base: CausalModel, **descent: Any) -> list[float]:
    """The losses of a training so slow that every step is at the untouched model."""
    prompts, answers = zip(*((Prompt.of(prompt), answer) for prompt, answer in PAIRS), strict=True)
    log: list[FitStep] = []
    tune_on_pairs(base, prompts, answers, descent=FitSettings(learning_rate=1e-12, **descent), watch=log.append)
    return [step.losses["loss"] for step in log]


def test_the_loss_of_pairs_is_the_mean_over_pairs_of_the_mean_over_the_answers_tokens_and_the_end() -> None:
    base = tiny.causal()
    each = plain_losses(base)
    assert tuned_losses(base, steps=1, batch=4) == pytest.approx([sum(each) / 4], rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_come_in_the_order_of_the_seed_each_once_an_epoch(seed: int) -> None:
    base = tiny.causal()
    each = plain_losses(base)
    wanted = [each[batch_at(4, 1, step, seed)[0]] for step in range(8)]
    found = tuned_losses(base, steps=8, batch=1, seed=seed)
    assert found == pytest.approx(wanted, rel=1e-5)
    assert sorted(found[:4]) == pytest.approx(sorted(each), rel=1e-5)
    assert found != pytest.approx(tuned_losses(base, steps=8, batch=1, seed=seed + 3), rel=1e-5)


def test_tuning_on_pairs_that_was_stopped_goes_on_to_the_same_model(tmp_path: Path) -> None:
    prompts, answers = zip(*((Prompt.of(prompt), answer) for prompt, answer in PAIRS), strict=True)
    descent = FitSettings(steps=4, batch=2, learning_rate=0.01, save_every=2)
    whole = tune_on_pairs(tiny.causal(), prompts, answers, descent=descent)
    seen: list[int] = []

    def stop(step: FitStep) -> None:
        seen.append(step.step)
        if seen == [1, 2, 3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune_on_pairs(tiny.causal(), prompts, answers, descent=descent, out=tmp_path, watch=stop)
    resumed = tune_on_pairs(tiny.causal(), prompts, answers, descent=descent, out=tmp_path, watch=stop)
    assert seen == [1, 2, 3, 3, 4]
    requests = [*zip(prompts, answers, strict=True)]
    assert resumed.score(requests) == whole.score(requests) != tiny.causal().score(requests)


def test_pairs_train_lora_for_300_steps_of_16_unless_said() -> None:
    class Stop(Exception):
        pass

    def stop(step: FitStep) -> None:
        raise Stop(step.steps)

    prompts, answers = zip(*((Prompt.of(prompt), answer) for prompt, answer in PAIRS), strict=True)
    with pytest.raises(Stop, match="300"):
        tune_on_pairs(tiny.causal(), prompts, answers, watch=stop)
    model: Any = tune_on_pairs(tiny.causal(), prompts, answers, descent=FitSettings(steps=1, batch=1))
    assert {name for name, _ in model.model.named_parameters() if "lora_A" in name}


def test_tuning_on_pairs_refuses_what_does_not_pair_and_what_has_no_weights() -> None:
    with pytest.raises(BadInput, match="2 prompts have 1 answers"):
        tune_on_pairs(tiny.causal(), [Prompt.of("a"), Prompt.of("b")], ["yes"])
    with pytest.raises(BadInput, match="0 prompts"):
        tune_on_pairs(tiny.causal(), [], [])
    with pytest.raises(BadInput, match="has no weights here"):
        tune_on_pairs(ScriptedModel({}), [Prompt.of("a")], ["yes"])
