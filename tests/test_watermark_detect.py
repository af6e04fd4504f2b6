"""The detector: equal to transformers' where that counts alike, calibrated on human text, silent on too little."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest, norm
from transformers import LlamaConfig, WatermarkDetector, WatermarkingConfig

from marking import MILLIONTH_PRIME, SCHEMES, key_of, word_tokens
from surefoot.errors import BadInput
from surefoot.watermark import Detector, Key, Scheme, new_key, scan, tokens_of
from surefoot.watermark.detect import Count
from surefoot.watermark.scan import scan_text, window_lengths
from surefoot.watermark.stream import Seen, Tally, detect_file

RNG = np.random.default_rng(2)
ARTICLES = Path(__file__).resolve().parents[2] / "shared/data/context-aware-decoding/cnndm_articles.jsonl"


@pytest.fixture(scope="module")
def human() -> list[np.ndarray]:
    """Token ids of news articles, by the tokenizer of SmolLM2."""
    if not ARTICLES.is_file():
        pytest.skip("the articles of context-aware-decoding are not in ../shared/data beside this checkout")
    tokens = tokens_of("smollm2")
    return [tokens.ids(json.loads(line)["article"]) for line in ARTICLES.read_text(encoding="utf-8").splitlines()]


def uniforms(counts: Sequence[Count], seed: int = 0) -> np.ndarray:
    """Randomised exact p-values P(X > k) + u P(X = k): uniform under the null, although counts are discrete."""
    u = np.random.default_rng(seed).random(len(counts))
    tails = [(binom.sf(c.green, c.scored, c.null), binom.pmf(c.green, c.scored, c.null)) for c in counts]
    return np.asarray([above + x * at for (above, at), x in zip(tails, u, strict=True)])


# Equality


@pytest.mark.parametrize(
    ("hash", "width", "theirs"), [("left", 1, "lefthash"), ("self", 1, "selfhash"), ("self", 3, "selfhash")]
)
def test_counts_z_and_p_are_those_of_transformers_with_repeats_counted(hash: str, width: int, theirs: str) -> None:
    """N gamma is a whole number; elsewhere transformers takes gamma for the slightly smaller share of its lists."""
    ids = RNG.zipf(1.5, (3, 150)) % 400 + 1
    config = WatermarkingConfig(0.25, 2.0, MILLIONTH_PRIME, theirs, width)
    expected = WatermarkDetector(LlamaConfig(vocab_size=404, bos_token_id=0), "cpu", config)(
        torch.tensor(ids), return_dict=True
    )
    detector = Detector(key_of(hash, width, vocabulary=404), repeats="each")
    found = [detector.ids(row) for row in ids]
    assert [c.green for c in found] == expected.num_green_tokens.tolist()
    assert [c.scored for c in found] == expected.num_tokens_scored.tolist()
    assert [c.z for c in found] == pytest.approx(expected.z_score.tolist(), abs=1e-9)
    assert [c.normal_p for c in found] == pytest.approx(expected.p_value.tolist(), rel=1e-6)
    assert len({c.green for c in found}) > 1


def test_left_hash_counted_once_is_transformers_with_repeated_ngrams_ignored() -> None:
    ids = RNG.zipf(1.5, (2, 200)) % 400 + 1
    config = WatermarkingConfig(0.25, 2.0, MILLIONTH_PRIME, "lefthash", 1)
    theirs = WatermarkDetector(LlamaConfig(vocab_size=404, bos_token_id=0), "cpu", config, ignore_repeated_ngrams=True)
    expected = theirs(torch.tensor(ids), return_dict=True)
    found = [Detector(key_of("left", vocabulary=404)).ids(row) for row in ids]
    assert [(c.green, c.scored) for c in found] == list(
        zip(expected.num_green_tokens, expected.num_tokens_scored, strict=True)
    )
    assert all(c.scored + c.repeats == 199 and c.repeats > 20 for c in found)


def test_p_is_the_exact_tail_and_the_normal_one_is_too_small_where_the_text_is_short() -> None:
    count = Detector(key_of()).count(21, 20, 14, 0)
    assert count.p == pytest.approx(sum(math.comb(20, k) * 0.25**k * 0.75 ** (20 - k) for k in range(14, 21)), rel=1e-9)
    assert count.z == pytest.approx((14 - 5) / math.sqrt(20 * 0.25 * 0.75))
    assert count.normal_p == pytest.approx(norm.sf(count.z))
    assert count.p > 5 * count.normal_p


# Calibration


@pytest.mark.parametrize(
    ("hash", "width", "texts"), [("keyed", 1, 2000), ("min", 4, 300), ("anchored", 4, 100), ("left", 1, 80)]
)
def test_human_text_is_flagged_at_the_nominal_level_under_random_keys(
    human: list[np.ndarray], hash: str, width: int, texts: int
) -> None:
    counts = []
    for number in range(texts):
        ids = human[number % len(human)]
        start = 37 * number % max(1, len(ids) - 100)
        counts.append(Detector(key_of(hash, width, vocabulary=49152, number=number)).ids(ids[start : start + 100]))
    assert kstest(uniforms(counts), "uniform").pvalue > 0.01
    z = np.asarray([c.z for c in counts])
    assert abs(z.mean()) < 4 / math.sqrt(texts)
    assert abs(z.std() - 1) < 4 / math.sqrt(2 * texts)
    assert sum(c.p < 0.05 for c in counts) < 0.05 * texts + 4 * math.sqrt(0.0475 * texts)


@pytest.mark.parametrize(("hash", "width"), [("keyed", 1), ("keyed", 3), ("min", 4), ("anchored", 3)])
def test_repetitive_text_is_over_dispersed_if_repeats_count_and_calibrated_if_they_do_not(
    hash: str, width: int
) -> None:
    phrase = RNG.integers(0, 270, 40)
    once, each = [], []
    for number in range(150):
        ids = np.tile(phrase, 6)
        key = key_of(hash, width, number=number)
        once.append(Detector(key).ids(ids))
        each.append(Detector(key, repeats="each").ids(ids))
    assert kstest(uniforms(once), "uniform").pvalue > 0.01
    assert kstest(uniforms(each), "uniform").pvalue < 1e-6
    assert np.std([c.z for c in once]) == pytest.approx(1, abs=0.25)
    assert np.std([c.z for c in each]) > 2
    assert sum(c.p < 0.01 for c in each) > 8 * 0.01 * len(each)


def test_units_and_not_ngrams_are_what_repeats_under_min_hash() -> None:
    """Different 4-token contexts share their lowest token: n-grams are distinct and verdicts still depend."""
    ids = RNG.permutation(np.repeat(np.arange(12), 60))
    spread = {name: [] for name in ("units", "ngrams")}
    for number in range(150):
        lists = key_of("min", 4, number=number).lists()
        verdicts, runs = lists.verdicts(ids), np.lib.stride_tricks.sliding_window_view(ids, 5)
        for name, what in (("units", verdicts.units), ("ngrams", runs)):
            green = verdicts.green[np.unique(what, axis=0, return_index=True)[1]]
            spread[name].append((green.sum() - 0.25 * len(green)) / math.sqrt(len(green) * 0.1875))
    assert np.std(spread["units"]) == pytest.approx(1, abs=0.2)
    assert np.std(spread["ngrams"]) > 1.5


# Verdicts


def test_a_text_is_too_short_to_tell_until_absence_means_something() -> None:
    detector = Detector(key_of(delta=2.0))
    assert detector.needed == 56
    assert detector.ids([]).verdict == detector.ids([5]).verdict == "too short to tell"
    assert math.isnan(detector.ids([5]).z)
    red = [detector.count(n + 1, n, n // 4, 0).verdict for n in (10, 55, 56)]
    assert red == ["too short to tell", "too short to tell", "no watermark found"]
    assert detector.count(11, 7, 7, 0).verdict == "too short to tell"
    assert detector.count(11, 8, 8, 0).verdict == "watermarked"
    assert Detector(key_of(), minimum=10).count(11, 10, 2, 0).verdict == "no watermark found"
    assert Detector(key_of(delta=0.01)).needed == 1_000_000


@pytest.mark.parametrize(("hash", "width"), SCHEMES)
def test_marked_tokens_are_found_and_neither_under_another_key_nor_unmarked(hash: str, width: int) -> None:
    """Ids are drawn from green lists with probability 0.8, from all otherwise."""
    if hash == "self":
        pytest.skip("a whole list of the selfhash is a list for each candidate")
    key, rng = key_of(hash, width), np.random.default_rng(3)
    lists, ids = key.lists(), rng.integers(0, 270, 4).tolist()
    for _ in range(120):
        mask = lists.mask(ids)
        assert mask is not None
        ids.append(int(rng.choice(np.flatnonzero(mask) if rng.random() < 0.8 else 270)))
    found = Detector(key).ids(ids)
    assert found.verdict == "watermarked"
    assert found.share == pytest.approx(0.85, abs=0.15)
    assert Detector(key_of(hash, width, number=1)).ids(ids).verdict == "no watermark found"
    assert Detector(key).ids(rng.integers(0, 270, 124)).verdict != "watermarked"


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"repeats": "onc"}, 'Did you mean "once"?'),
        ({"level": 0.0}, "The level of the test is 0.0"),
        ({"minimum": 0}, "The minimum length is 0"),
        ({"normalise": ("nfd",)}, 'Did you mean "nfc"?'),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput) as caught:
        Detector(key_of(), **settings)
    assert part in str(caught.value)
    with pytest.raises(BadInput, match="takes token ids only"):
        Detector(key_of()).text("words")


# Windows


def test_the_scan_finds_the_planted_span_and_says_its_characters() -> None:
    tokens = word_tokens()
    key, rng = new_key(tokens), np.random.default_rng(4)
    lists, words = key.lists(), rng.integers(0, 500, 900).tolist()
    for place in range(400, 500):
        mask = lists.mask(words[:place])
        assert mask is not None
        words[place] = int(rng.choice(np.flatnonzero(mask)))
    text = " ".join(f"w{word}" for word in words)
    found = scan_text(text, Detector(key, tokens))
    assert found.span is not None
    assert found.characters is not None
    assert found.span.p < 1e-10
    planted = [len(" ".join(text.split(" ")[:place])) for place in (400, 500)]
    assert abs(found.characters[0] - planted[0]) < 150
    assert abs(found.characters[1] - planted[1]) < 150
    assert found.span.green > 0.75 * (found.span.end - found.span.start)


def test_the_scan_keeps_its_level_where_the_best_window_alone_would_not() -> None:
    rng = np.random.default_rng(5)
    spans = [scan(rng.random(300) < 0.25, 0.25, simulations=99, seed=n) for n in range(300)]
    assert all(span is not None for span in spans)
    for level in (0.05, 0.2):
        corrected = sum(span.p <= level for span in spans if span)
        assert corrected < 300 * level + 4 * math.sqrt(300 * level * (1 - level))
        assert corrected > 300 * level - 4 * math.sqrt(300 * level * (1 - level))
    assert sum(span.window_p <= 0.05 for span in spans if span) > 200


def test_the_scan_is_brute_force_over_all_windows() -> None:
    green = RNG.random(70) < 0.4
    lengths = window_lengths(70)
    assert lengths == [16, 32, 64, 70]
    tails = [binom.sf(green[s : s + n].sum() - 1, n, 0.25) for n in lengths for s in range(70 - n + 1)]
    span = scan(green, 0.25)
    assert span is not None
    assert span.window_p == pytest.approx(min(tails), rel=1e-9)
    assert span.windows == len(tails)
    assert scan(green[:15], 0.25) is None


# Streams


@pytest.mark.parametrize("repeats", ["once", "each"])
@pytest.mark.parametrize(("hash", "width"), [("keyed", 1), ("keyed", 3), ("keyed", 0), ("anchored", 3), ("left", 1)])
def test_a_tally_of_pieces_is_the_count_of_the_whole(hash: str, width: int, repeats: Any) -> None:
    ids = RNG.zipf(1.4, 2000) % 270
    detector = Detector(key_of(hash, width), repeats=repeats)
    tally = Tally(detector)
    for piece in np.split(ids, np.sort(RNG.integers(0, 2000, 40))):
        tally.feed(piece)
    assert tally.count == detector.ids(ids)


@pytest.mark.parametrize("size", [300, 1000, 10**6])
def test_a_file_read_in_pieces_has_the_count_of_the_whole_text(size: int) -> None:
    tokens = tokens_of("smollm2")
    pieces = [
        "The  cat\nsat, didn't it?",
        " 3 dogs and 1,204 cats ",
        "naïve café — \u4f60\u597d",
        "\r\n\t x=1;",
        " end",
    ]
    text = "".join(str(RNG.choice(pieces)) for _ in range(600))
    detector = Detector(new_key(tokens), tokens)
    found = detect_file(io.BytesIO(text.encode()), detector, size=size)
    assert found.count == detector.text(text)
    assert (found.replaced, found.doubtful) == (0, 0)


def test_text_without_spaces_is_cut_all_the_same_and_the_result_says_how_often() -> None:
    tokens = tokens_of("smollm2")
    text = "".join(chr(0x4E00 + int(n)) for n in RNG.integers(0, 3000, 3000))
    detector = Detector(new_key(tokens), tokens)
    found, whole = detect_file(io.BytesIO(text.encode()), detector, size=1500), detector.text(text)
    assert found.doubtful > 0
    assert abs(found.count.tokens - whole.tokens) <= 8 * found.doubtful


def test_memory_is_bounded_by_a_table_that_never_forgets() -> None:
    seen = Seen(bits=12)
    units = RNG.integers(0, 1 << 63, 200).astype(np.uint64)
    fresh = seen.add(units)
    assert fresh.mean() > 0.9
    assert not seen.add(units).any()
    assert seen.table.nbytes == 512
    assert not Seen(bits=12).add(np.repeat(units[:1], 5))[1:].any()


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_invalid_utf8_is_refused_with_its_place_or_replaced_and_counted(size: int) -> None:
    tokens = word_tokens()
    detector = Detector(new_key(tokens), tokens)
    data = "w1 é w2 ".encode() + b"\xff\xfe w3 \xe2\x82"
    with pytest.raises(BadInput, match="not valid UTF-8 at byte 9; convert it"):
        detect_file(io.BytesIO(data), detector, size=size)
    with pytest.raises(BadInput, match="at byte 5; convert it"):
        detect_file(io.BytesIO("abcé".encode() + b"\xff"), detector, size=size)
    found = detect_file(io.BytesIO(data), detector, replace=True, size=size)
    assert found.replaced == 4
    assert found.count == detector.text(data.decode(errors="replace"))


# Normalisers


def test_normalisers_undo_what_a_reader_does_not_see() -> None:
    tokens = tokens_of("smollm2")
    key = new_key(tokens)
    hidden = "Th\u0435 c\u0430t\u00a0s\u0430t\u200b on e\u0301tag\u00e8re"
    undone = Detector(key, tokens, normalise=("homoglyphs", "nfc"))
    assert undone.normalise(hidden) == "The cat sat on étagère"
    assert np.array_equal(undone.encode(hidden), tokens.ids("The cat sat on étagère"))
    assert not np.array_equal(Detector(key, tokens).encode(hidden), undone.encode(hidden))
    assert Detector(key, tokens, normalise=("lower",)).normalise("ABC d") == "abc d"


def test_a_detector_refuses_another_tokenizer() -> None:
    with pytest.raises(BadInput, match="The key belongs to another tokenizer"):
        Detector(new_key(word_tokens()), word_tokens(20))
    bare = Key(Scheme(270), b"0123456789abcdef")
    assert Detector(bare, word_tokens()).text("w1 w2").scored == 1


# What an onlooker learns


@pytest.mark.parametrize(("hash", "width", "learns"), [("keyed", 1, True), ("min", 4, False), ("keyed", 3, False)])
def test_counting_successors_gives_width_one_lists_away_and_hardly_those_of_wider_contexts(
    hash: str, width: int, learns: bool
) -> None:
    """20,000 marked tokens over 40 words; an onlooker calls frequent successors green and is right or not."""
    lists, rng = key_of(hash, width, gamma=0.5, vocabulary=40).lists(), np.random.default_rng(6)
    ids = rng.integers(0, 40, width).tolist()
    counts = np.zeros((40, 40))
    for _ in range(20_000):
        mask = lists.mask(ids[-width:])
        assert mask is not None
        weights = np.where(mask, math.e**2, 1.0).cumsum()
        token = int(np.searchsorted(weights, rng.random() * weights[-1]))
        counts[ids[-1], token] += 1
        ids.append(token)
    called = counts > np.median(counts, axis=1, keepdims=True)
    contexts = rng.integers(0, 40, (400, width))
    right = np.mean([(called[context[-1]] == lists.mask(context.tolist())).mean() for context in contexts])
    assert (right > 0.9) if learns else (0.45 < right < 0.7)
