"""Green lists and keys: equal to the transformers library's where published, keyed and self-consistent elsewhere."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WatermarkLogitsProcessor

from marking import MILLIONTH_PRIME, SCHEMES, key_of, lists_of, secret_of, word_tokens
from surefoot.errors import BadInput, NotAvailable
from surefoot.watermark import Key, Scheme, new_key, read_key, tokens_of
from surefoot.watermark.keyed import AnchoredLists, KeyedLists, MinLists
from surefoot.watermark.published import Exchanges, SelfLists, comes_first

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("vocabulary", [270, 1001, 49152])
@pytest.mark.parametrize("gamma", [0.1, 0.25, 0.5])
def test_left_lists_are_those_of_transformers(vocabulary: int, gamma: float) -> None:
    theirs = WatermarkLogitsProcessor(vocabulary, "cpu", gamma, 2.0, MILLIONTH_PRIME, "lefthash", 1)
    ours = lists_of("left", gamma=gamma, vocabulary=vocabulary)
    for token in (0, 1, 7, vocabulary - 1):
        green = np.sort(theirs._get_greenlist_ids(torch.tensor([3, token])).numpy())
        assert np.array_equal(np.flatnonzero(ours.mask([3, token])), green)


@pytest.mark.parametrize("count", [1, 3, 40, 75, 76])
def test_one_token_is_followed_to_where_the_whole_permutation_puts_it(count: int) -> None:
    exchanges = Exchanges(77, count)
    for seed in range(20):
        first = torch.randperm(77, generator=torch.Generator().manual_seed(seed))[:count].tolist()
        drawn = exchanges(seed)
        assert [token for token in range(77) if comes_first(drawn, token)] == sorted(first)


@pytest.mark.parametrize(
    ("n", "count", "seeds"),
    [(77, 76, 400), (49152, 12288, 4), (65536, 6553, 4), (65537, 32769, 4), (151936, 37984, 4)],
)
def test_a_step_of_the_permutation_is_exact_for_every_size_of_vocabulary(n: int, count: int, seeds: int) -> None:
    for seed in (2**31 + 5, 2**32 - 1, 2**40 + 3, *range(seeds)):
        generator = torch.Generator().manual_seed(seed)
        pairs = torch.empty(-(-count // 2), dtype=torch.int64).random_(-(1 << 63), None, generator=generator).tolist()
        numbers = [half for pair in pairs for half in (pair >> 32 & 0xFFFFFFFF, pair & 0xFFFFFFFF)][:count]
        drawn = Exchanges(n, count)(seed & 0xFFFFFFFF)
        assert drawn.tolist() == [i + r % (n - i) for i, r in enumerate(numbers)]


def test_lists_that_are_asked_for_again_are_the_same() -> None:
    lists, ids = lists_of("left"), RNG.integers(0, 270, 300)
    green = [lists.verdicts(ids).green.tolist() for _ in range(3)]
    assert green[0] == green[1] == green[2]


@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_selfhash_raises_the_tokens_that_transformers_raises(width: int) -> None:
    theirs = WatermarkLogitsProcessor(270, "cpu", 0.25, 2.0, MILLIONTH_PRIME, "selfhash", width)
    ours = lists_of("self", width)
    assert isinstance(ours, SelfLists)
    ids, logits = torch.randint(270, (5, 6)), torch.randn(5, 270)
    raised = theirs(ids, logits) > logits
    for row in range(5):
        best = logits[row].topk(40).indices
        expected = raised[row, best].numpy()
        assert 0 < expected.sum() < 40
        assert np.array_equal(ours.among(tuple(ids[row].tolist()), best.numpy()), expected)


@pytest.mark.parametrize(("hash", "width"), SCHEMES)
def test_a_verdict_on_a_text_is_the_list_behind_each_of_its_prefixes(hash: str, width: int) -> None:
    lists = lists_of(hash, width)
    ids = RNG.integers(0, 270, 60)
    verdicts = lists.verdicts(ids)
    first = lists.scheme.first
    assert len(verdicts.green) == len(verdicts.units) == 60 - first
    for place in range(first, 60):
        context = ids[:place].tolist()
        if isinstance(lists, SelfLists):
            assert lists.among(tuple(context), ids[place : place + 1]) == verdicts.green[place - first]
            continue
        mask = lists.mask(context)
        assert mask is not None
        assert mask[ids[place]] == verdicts.green[place - first]


@pytest.mark.parametrize(("hash", "width"), SCHEMES)
def test_equal_units_have_equal_verdicts_and_a_share_gamma_is_green(hash: str, width: int) -> None:
    scheme, green, total = key_of(hash, width).scheme, 0, 0
    for number in range(12):
        verdicts = lists_of(hash, width, number=number).verdicts(RNG.integers(0, 270, 400))
        units, index, inverse = np.unique(verdicts.units, return_index=True, return_inverse=True)
        assert np.array_equal(verdicts.green[index][inverse], verdicts.green)
        green, total = green + int(verdicts.green[index].sum()), total + len(units)
    assert abs(green - scheme.null * total) < 4 * np.sqrt(total * scheme.null * (1 - scheme.null))


@pytest.mark.parametrize("hash", ["keyed", "min", "anchored", "left"])
def test_another_secret_gives_unrelated_lists(hash: str) -> None:
    one, other = (lists_of(hash, 1, vocabulary=4000, number=n).mask([5]) for n in (0, 1))
    assert one is not None
    assert other is not None
    assert abs((one & other).mean() - 0.25**2) < 0.02


def test_a_list_without_context_is_one_and_the_same_everywhere() -> None:
    lists = lists_of("keyed", 0)
    assert np.array_equal(lists.mask([]), lists.mask([5, 6, 7]))


@pytest.mark.parametrize("hash", ["min", "anchored"])
def test_the_order_of_the_context_does_not_matter_to_min_hash_schemes_and_does_to_the_keyed_one(hash: str) -> None:
    assert np.array_equal(lists_of(hash, 4).mask([1, 2, 3, 4]), lists_of(hash, 4).mask([4, 2, 1, 3]))
    assert not np.array_equal(lists_of("keyed", 4).mask([1, 2, 3, 4]), lists_of("keyed", 4).mask([4, 2, 1, 3]))


def test_min_hash_uses_the_list_of_one_of_its_tokens_and_survives_edits_of_the_others() -> None:
    lists = lists_of("min", 4)
    assert isinstance(lists, MinLists)
    context = [10, 20, 30, 40]
    lowest = min(context, key=lists._rank)
    single = KeyedLists.mask(MinLists(Scheme(270, 0.25, "min", 1), lists.secret), [lowest])
    assert np.array_equal(lists.mask(context), single)
    same = [np.array_equal(lists.mask([c if c != old else 99 for c in context]), single) for old in context]
    assert same.count(True) >= 2


def test_the_bias_with_anchored_lists_picks_what_algorithm_3_walks_to() -> None:
    from surefoot.decoding.rows import Row
    from surefoot.watermark.bias import Bias

    lists, delta = lists_of("anchored", 3), 1.5
    assert isinstance(lists, AnchoredLists)
    taken_red = 0
    for trial in range(60):
        logits = 2 * torch.randn(270, generator=torch.Generator().manual_seed(trial))
        context = RNG.integers(0, 270, 5).tolist()
        order = logits.argsort(descending=True).tolist()
        walked = order[0]
        for token in order:
            if logits[token] < logits[order[0]] - delta:
                break
            if lists.verdicts([*context, token]).green[-1]:
                walked = token
                break
        row = Row(0, context[:2], context[2:])
        assert int(Bias(lists, delta)([row], logits[None]).argmax()) == walked
        taken_red += not lists.verdicts([*context, walked]).green[-1]
    assert 0 < taken_red < 60


def test_the_lists_do_not_depend_on_a_padded_vocabulary_unless_published() -> None:
    for hash in ("keyed", "min", "anchored"):
        small, large = (lists_of(hash, 2, vocabulary=size).mask([3, 4]) for size in (270, 5000))
        assert small is not None
        assert large is not None
        assert np.array_equal(small, large[:270])
    small, large = (lists_of("left", vocabulary=size).mask([4]) for size in (270, 300))
    assert small is not None
    assert large is not None
    assert not np.array_equal(small, large[:270])


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"hash": "keyd"}, 'Did you mean "keyed"?'),
        ({"gamma": 0.0}, "gamma is 0.0; use a share"),
        ({"gamma": 1.0}, "gamma is 1.0"),
        ({"width": -1}, "The width of the context is -1"),
        ({"hash": "left", "width": 2}, 'the hash scheme "left" takes 1'),
        ({"hash": "min", "width": 0}, "takes 1 to 16"),
        ({"vocabulary": 1}, "A vocabulary of 1"),
    ],
)
def test_a_bad_scheme_is_refused_with_a_sentence(settings: dict[str, object], part: str) -> None:
    with pytest.raises(BadInput) as caught:
        Scheme(**{"vocabulary": 270, **settings})  # type: ignore[arg-type]
    assert part in str(caught.value)


@pytest.mark.parametrize("hash", ["keyed", "left"])
def test_a_key_file_gives_the_key_back_and_is_private(hash: str, tmp_path: Path) -> None:
    key = new_key(word_tokens(), hash=hash, delta=float("inf"), gamma=0.5)
    key.save(tmp_path / "key.json")
    assert read_key(tmp_path / "key.json") == key
    assert stat.S_IMODE((tmp_path / "key.json").stat().st_mode) == 0o600
    with pytest.raises(BadInput, match="is there already"):
        key.save(tmp_path / "key.json")
    assert new_key(word_tokens(), hash=hash).secret != key.secret


def test_the_secret_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key(word_tokens())
    key.save(tmp_path / "whole.json")
    told = json.loads((tmp_path / "whole.json").read_text())
    (tmp_path / "key.json").write_text(json.dumps({**told, "secret": {"env": "MY_SECRET"}}))
    with pytest.raises(NotAvailable, match='environment variable "MY_SECRET", which is not set'):
        read_key(tmp_path / "key.json")
    monkeypatch.setitem(os.environ, "MY_SECRET", told["secret"])
    assert read_key(tmp_path / "key.json") == key


def test_neither_repr_nor_fingerprint_tells_the_secret_and_the_fingerprint_tells_keys_apart() -> None:
    key = new_key(word_tokens())
    assert isinstance(key.secret, bytes)
    for told in (repr(key), key.fingerprint):
        assert key.secret.hex() not in told
        assert repr(key.secret) not in told
    other = Key(key.scheme, secret_of("keyed"), key.delta, key.tokenizer, key.spec)
    assert other.fingerprint != key.fingerprint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"format": "surefoot-watermark-key-1"}'])
def test_what_is_no_key_file_is_refused_with_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(text)
    with pytest.raises(BadInput, match="is not a key file of the watermark"):
        read_key(tmp_path / "key.json")


def test_bad_secrets_and_deltas_are_refused() -> None:
    scheme = Scheme(270, 0.25, "keyed", 1)
    with pytest.raises(BadInput, match="The secret has 3 bytes"):
        Key(scheme, b"abc")
    with pytest.raises(BadInput, match='of the hash scheme "keyed" is bytes'):
        Key(scheme, 5)
    with pytest.raises(BadInput, match='of the hash scheme "left" is a whole number'):
        Key(Scheme(270, 0.25, "left", 1), b"x" * 20)
    for delta in (0.0, -1.0, float("nan")):
        with pytest.raises(BadInput, match="use a positive bias, or inf"):
            Key(scheme, secret_of("keyed"), delta)


def test_a_tokenizer_is_known_by_what_it_makes_of_text_and_not_by_its_padding() -> None:
    one, same, other = word_tokens(), word_tokens(), word_tokens(501)
    same.core.enable_padding()
    assert one.digest == same.digest != other.digest
    with pytest.raises(BadInput, match="The key belongs to another tokenizer"):
        new_key(one).check(other)
    with pytest.raises(BadInput, match='"nowhere" has no tokenizer'):
        tokens_of("nowhere")
