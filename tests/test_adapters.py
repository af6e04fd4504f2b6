"""Trainable parts: PEFT reads what is saved here and the other way round; scoring, writing and sharing with them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.scripted import ScriptedModel
from surefoot.models.virtual import structural_copy
from surefoot.training.adapters import AdapterSettings, new_adapter, read_adapter
from surefoot.treatments import treat, undo
from surefoot.treatments.weights.adapted import Adapted, restore

BUILDS = {"llama": tiny.causal, "gpt2": lambda **o: tiny.causal(tiny.gpt2_weights(), **o), "t5": tiny.t5}
PROMPTS = ["Which is larger, 3 or 5?", "no", "Say yes or no: is water wet?"]
OPTIONS = [["yes", "no", "abc"]] * 3


def part_of(base: Any, kind: Any, tokens: int = 4) -> Any:
    """A part away from its beginning, so that it matters."""
    made = new_adapter(base, AdapterSettings(kind=kind, tokens=tokens, rank=2), seed=1)
    draw = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters.values():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=draw))
    made.settle()
    return made


def peft_logits(base: Any, folder: Path, prompt: str) -> torch.Tensor:
    """Next-token logits of PEFT's own model with the saved part."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of PEFT about transformers
        model = PeftModel.from_pretrained(structural_copy(base.model), str(folder)).eval()
    ids = torch.tensor(base.encode([prompt]))
    with torch.no_grad():
        if base.model.config.is_encoder_decoder:
            start = torch.tensor([[base.model.config.decoder_start_token_id]])
            mask = torch.ones_like(ids)
            return model(input_ids=ids, attention_mask=mask, decoder_input_ids=start).logits[0, -1]  # type: ignore[no-any-return]
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]  # type: ignore[no-any-return]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("kind", ["prompt", "prefix", "lora"])
def test_peft_loads_what_is_saved_with_equal_logits_and_back(kind: Any, build: str, tmp_path: Path) -> None:
    base = BUILDS[build]()
    part = part_of(base, kind)
    part.save(tmp_path, "tiny")
    own = [score.logprobs[0] for score in part.model.score([(PROMPTS[0], w) for w in ("yes", "no", "abc")])]
    tokens = [score.token_ids[0] for score in part.model.score([(PROMPTS[0], w) for w in ("yes", "no", "abc")])]
    theirs = peft_logits(base, tmp_path, PROMPTS[0]).log_softmax(-1)[tokens].tolist()
    assert own == pytest.approx(theirs, abs=2e-4)
    untreated = [score.logprobs[0] for score in base.score([(PROMPTS[0], w) for w in ("yes", "no", "abc")])]
    assert own != pytest.approx(untreated, abs=1e-2)
    again = read_adapter(base, tmp_path)
    back = [score.logprobs[0] for score in again.model.score([(PROMPTS[0], w) for w in ("yes", "no", "abc")])]
    assert back == pytest.approx(own, abs=1e-6)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("kind", ["prompt", "prefix", "lora"])
def test_batch_and_single_sharing_and_not_agree_with_a_part(kind: Any, build: str) -> None:
    model = part_of(BUILDS[build](), kind).model
    together = model.choose(PROMPTS, OPTIONS)
    for prompt, options, choice in zip(PROMPTS, OPTIONS, together, strict=True):
        assert model.choose([prompt], [options])[0].scores == pytest.approx(choice.scores, abs=2e-4)
    if build != "t5":
        plain = part_of(BUILDS[build](prefix_sharing=False), kind).model
        for ours, theirs in zip(together, plain.choose(PROMPTS, OPTIONS), strict=True):
            assert ours.scores == pytest.approx(theirs.scores, abs=2e-4)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("kind", ["prompt", "prefix", "lora"])
def test_what_is_written_has_the_scores_of_what_is_scored(kind: Any, build: str) -> None:
    """Greedy generation reads a cache step by step; scoring reads whole sequences. Their numbers have to agree."""
    model = part_of(BUILDS[build](), kind).model
    for prompt, written in zip(PROMPTS, model.generate(PROMPTS, Sampling(max_new_tokens=5)), strict=True):
        ids = model.encode([prompt])
        forks = model._logprobs(ids, [[list(written.token_ids)]])[0][0]
        assert list(written.logprobs[: len(forks)]) == pytest.approx(forks, abs=5e-4)


def test_the_virtual_prefix_is_shared_by_all_prompts() -> None:
    model = part_of(tiny.causal(), "prompt", tokens=20).model
    model.choose(PROMPTS, OPTIONS)
    lengths = [len(ids) for ids in model.encode(PROMPTS)]
    assert model.tokens.computed < sum(lengths) - 2 * 20 + 3 * 8
    assert model.tokens.asked > sum(lengths)


def test_a_part_in_float32_on_a_model_in_bfloat16_keeps_prefix_sharing(smollm2: Any) -> None:
    treated = new_adapter(smollm2, AdapterSettings(tokens=3)).model
    assert treated.shares_prefixes is smollm2.shares_prefixes is True


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("kind", ["prompt", "prefix"])
def test_no_virtual_tokens_equal_the_base_model(kind: Any, build: str) -> None:
    base = BUILDS[build]()
    part = new_adapter(base, AdapterSettings(kind=kind, tokens=0))
    assert part.model.choose(PROMPTS, OPTIONS) == base.choose(PROMPTS, OPTIONS)
    assert part.trainable == 0


def test_a_soft_prompt_of_word_embeddings_equals_the_words() -> None:
    """Planted truth: virtual tokens that are the embeddings of words read as the words do."""
    base = tiny.causal()
    words = base.encoder.labels(["abc"])[0]
    part = new_adapter(base, AdapterSettings(tokens=len(words)))
    with torch.no_grad():
        part.parameters["prompt"].copy_(base.model.get_input_embeddings().weight[words])
    virtual = [[*part.model.encoder.virtual, *ids] for ids in base.encode(["x"])]
    spelt = [[*words, *ids] for ids in base.encode(["x"])]
    fork = [[[7, 8]]]
    assert part.model._logprobs(virtual, fork)[0][0] == pytest.approx(base._logprobs(spelt, fork)[0][0], abs=1e-5)


def test_hidden_states_are_read_behind_the_virtual_tokens() -> None:
    base = tiny.causal()
    part = part_of(base, "prompt")
    assert part.model.hidden_states(PROMPTS).shape == base.hidden_states(PROMPTS).shape
    assert not torch.allclose(
        torch.tensor(part.model.hidden_states(PROMPTS)), torch.tensor(base.hidden_states(PROMPTS)), atol=1e-3
    )


def test_virtual_tokens_count_towards_the_context_and_are_never_cut() -> None:
    base = tiny.causal(truncate="left")
    part = part_of(base, "prompt", tokens=6)
    long = "x" * 300
    (choice,) = part.model.choose([long], [["yes", "no"]])
    assert choice.truncated
    fitted, _ = part.model._fit(part.model.encode([long]), 5)
    assert fitted[0][:6] == list(part.model.encoder.virtual)
    assert fitted[0][6] == base.encoder.tokenizer.bos_token_id
    assert len(fitted[0]) == 256 - 5


def test_show_tokens_names_the_virtual_ones() -> None:
    shown = part_of(tiny.causal(), "prompt", tokens=2).model.show_tokens("ab")
    assert [text for _, text in shown[:2]] == ["[virtual 1]", "[virtual 2]"]


# --- the treated model and its folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["prompt", "prefix", "lora", "weights"])
def test_a_saved_part_comes_back_and_undo_gives_the_base(kind: Any, tmp_path: Path) -> None:
    base = tiny.causal()
    before = base.choose(PROMPTS, OPTIONS)
    treated = Adapted(base, part_of(base, kind), "soft-align", {"trained_on": {"t": {"items": ["1"]}}})
    treated.save(tmp_path)
    again = restore(base, tmp_path)
    assert again.card == treated.card
    for a, b in zip(again.choose(PROMPTS, OPTIONS), treated.choose(PROMPTS, OPTIONS), strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-6)
    assert undo(treated) is base
    assert base.choose(PROMPTS, OPTIONS) == before
    assert again.record["trained_on"] == {"t": {"items": ["1"]}}


def test_two_trainings_have_different_cards() -> None:
    base = tiny.causal()
    one, other = (Adapted(base, part_of(base, "prompt", tokens=n), "soft-align", {}) for n in (2, 3))
    assert one.card != other.card


def test_a_part_of_another_width_is_refused_with_both_names(tmp_path: Path) -> None:
    base = tiny.causal()
    part_of(base, "prompt").save(tmp_path, "tiny-llama")
    other = tiny.causal(wide())
    with pytest.raises(BadInput, match=r'"tiny-llama" \(a width of 32\); "tiny" has a width of 16'):
        read_adapter(other, tmp_path)


def test_a_part_with_other_tokens_is_refused(tmp_path: Path) -> None:
    base = tiny.causal()
    Adapted(base, part_of(base, "prompt"), "soft-align", {}).save(tmp_path)
    record = json.loads((tmp_path / "surefoot.json").read_text())
    record["base"] |= {"tokens": "0" * 16, "name": "somebody else"}
    (tmp_path / "surefoot.json").write_text(json.dumps(record))
    with pytest.raises(BadInput, match="somebody else"):
        restore(base, tmp_path)


def test_changed_tensors_are_noticed(tmp_path: Path) -> None:
    base = tiny.causal()
    Adapted(base, part_of(base, "prompt"), "soft-align", {}).save(tmp_path)
    part_of(base, "prompt", tokens=3).save(tmp_path, "tiny")
    with pytest.raises(BadInput, match="damaged"):
        restore(base, tmp_path)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    base = tiny.causal()
    part_of(base, "prompt").save(tmp_path, "tiny")
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(BadInput, match="pickled"):
        read_adapter(base, tmp_path)


def test_a_folder_without_a_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="adapter_config"):
        treat("adapter", tiny.causal(), path=str(tmp_path))


def test_a_model_without_gradients_is_refused_with_a_sentence() -> None:
    with pytest.raises(NotAvailable, match="needs gradients"):
        treat("soft-align", ScriptedModel(lambda _: "a"))
    with pytest.raises(NotAvailable, match="first"):
        treat("soft-align", treat("system-prompt", tiny.causal(), text="Hi."))


def wide() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=270, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    return LlamaForCausalLM(config)
