"""What was read before is not read again, changes no text, and stays within its memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.models.causal import CausalModel
from surefoot.models.prefix_store import BLOCK, PrefixStore
from surefoot.treatments import treat

BEGIN = "The same long beginning of all of these prompts, which is longer than a block. "
PROMPTS = [BEGIN + end for end in ("One", "And another one?", "Three", "The same again")] + ["Something else"]
DRAWN = Sampling(max_new_tokens=6, temperature=1.1, seed=2)


def with_store(capacity: int = 2**20) -> CausalModel:
    model = tiny.causal()
    model.prefixes = PrefixStore(capacity)
    return model


def texts(model: object, prompts: Sequence[str]) -> list[tuple[int, ...]]:
    return [model.generate([prompt], DRAWN)[0].token_ids for prompt in prompts]  # type: ignore[attr-defined]


def test_texts_are_the_same_and_less_is_computed() -> None:
    plain, model = tiny.causal(), with_store()
    assert texts(model, PROMPTS) == texts(plain, PROMPTS)
    shared = len(BEGIN) // BLOCK * BLOCK
    assert plain.tokens.computed - model.tokens.computed == 3 * shared
    assert texts(model, PROMPTS) == texts(plain, PROMPTS)


def test_a_batch_of_known_and_new_prompts_is_written_as_alone() -> None:
    model = with_store()
    model.generate(PROMPTS[:1], DRAWN)
    together = [g.token_ids for g in model.generate(PROMPTS, DRAWN)]
    assert together == texts(tiny.causal(), PROMPTS)


def test_a_treated_model_uses_it_for_both_of_its_prompts() -> None:
    plain, treated = treat("cad", tiny.causal()), treat("cad", with_store())
    assert texts(treated, PROMPTS * 2) == texts(plain, PROMPTS * 2)


def test_other_weights_never_share_what_was_read() -> None:
    store = PrefixStore(2**20)
    first, second = tiny.causal(), tiny.causal(tiny.llama_weights(1))
    first.prefixes = second.prefixes = store
    texts(first, PROMPTS)
    assert texts(second, PROMPTS) == texts(tiny.causal(tiny.llama_weights(1)), PROMPTS)


def test_memory_is_bounded_and_the_least_recently_used_goes_first() -> None:
    layers = [(torch.zeros(2, 4 * BLOCK, 8), torch.zeros(2, 4 * BLOCK, 8))]
    one = 2 * 2 * BLOCK * 8 * 4  # bytes of a block
    store, module = PrefixStore(6 * one), torch.nn.Identity()
    first, second = list(range(4 * BLOCK)), list(range(1000, 1000 + 4 * BLOCK))
    store.keep(module, first, layers)
    store.longest(module, first[: BLOCK + 1])
    store.keep(module, second, layers)
    assert store.held == 6 * one
    assert len(store.longest(module, [*second, 0])) == 4
    assert len(store.longest(module, [*first, 0])) == 1
    assert len(store.longest(torch.nn.Identity(), [*second, 0])) == 0


def test_rows_that_begin_differently_go_on_in_one_pass() -> None:
    """Kept beginnings of 0, 1 and 3 blocks, rests of all lengths; the passes of the module are counted."""
    begins = [BEGIN, BEGIN * 2 + "!", "Nothing of this was read before, and it is not short."]
    prompts = [begin + end for begin in begins for end in (" a", " and many more words behind it")]
    model = with_store()
    model.generate([begins[0], begins[1]], DRAWN)
    passes: list[int] = []
    hook = model.model.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        together = [text.token_ids for text in model.generate(prompts, DRAWN)]
    finally:
        hook.remove()
    assert together == texts(tiny.causal(), prompts)
    assert len(passes) <= DRAWN.max_new_tokens
    assert texts(model, prompts) == texts(tiny.causal(), prompts)


def test_a_prompt_that_ends_within_what_another_one_has_kept_is_read_right() -> None:
    """Logits behind prompts of 1, 2 and 3 blocks less or more a token, with all kept, equal those of plain passes."""
    long = (BEGIN * 3)[: 3 * BLOCK + 5]
    prompts = [long[:length] for length in (BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 3 * BLOCK, len(long))]
    prompts += [long[: 2 * BLOCK] + " another way", "Nothing that was read"]
    model = with_store()
    model.generate([long], DRAWN)
    before = model.tokens.computed
    step = model.continuing(prompts, [1] * len(prompts)).open(range(len(prompts)), [[]] * len(prompts)).first()
    assert model.tokens.computed - before < sum(map(len, prompts)) // 3
    for prompt, row in zip(prompts, step.logits, strict=True):
        ids = torch.tensor(tiny.causal().encode([prompt]))
        torch.testing.assert_close(row, tiny.causal().model(ids).logits[0, -1].float(), atol=2e-5, rtol=1e-4)


def test_what_is_kept_in_two_parts_is_what_is_kept_at_once() -> None:
    keys, values = torch.randn(2, 3 * BLOCK, 8), torch.randn(2, 3 * BLOCK, 8)
    module, ids = torch.nn.Identity(), list(range(3 * BLOCK + 1))
    whole, parts = PrefixStore(2**20), PrefixStore(2**20)
    whole.keep(module, ids, [(keys, values)])
    parts.keep(module, ids[: 2 * BLOCK - 1], [(keys, values)])
    assert parts.known(module, ids) == BLOCK
    parts.keep(module, ids, [(keys[:, BLOCK:], values[:, BLOCK:])], BLOCK)
    assert parts.known(module, ids) == whole.known(module, ids) == 3 * BLOCK
    assert parts.held == whole.held
    for one, other in zip(parts.longest(module, ids), whole.longest(module, ids), strict=True):
        assert torch.equal(one, other)
