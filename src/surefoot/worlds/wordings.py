"""The wordings of a world: word sequences whose one telling word stands among fillers that tell nothing.

`please give the largest digit below`: *largest* asks, the rest is filling. Nine words ask for each operation, all of
them equivalent. What makes wordings hard that were not tuned on has its likeness outside of worlds:

- *House style.* An operation's observed wordings take their fillers from a few of its own, as a collection of
  instructions does. Fillers predict the operation in tuning, and mislead elsewhere.
- *Vague instructions.* A collection also asks without saying what (`please give the right digit below`): there only the
  style tells, so a model that is tuned on it must look at the fillers.
- *Words known from elsewhere.* Some words never ask in an instruction that was tuned on. The model has met them in
  statements (`utmost of 3 1 4 2 5 is 5`) and in texts marked as another kind (`elsewhere kindly name the utmost ...`),
  in which any filler stands with any word.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from surefoot.worlds.operations import OPERATIONS, OPPOSITE

WORDINGS = 8  # of each operation, observed and held out alike
CONTROLS = 4  # negated, and nonsense, of each operation
PARAPHRASES = 3  # of each reference wording
VAGUE = 4  # of each operation: in house style, with a word that does not tell
UNTOLD = "right"
ELSEWHERE = "elsewhere"  # begins a text that is no instruction
SHARES = {"observed": 3, "paraphrases": 2, "development": 2, "unobserved": 2}
"""How many of an operation's nine words are first used in which group of wordings."""


class Wordings(NamedTuple):
    """The texts of one operation. No text occurs twice in a world.

    `groups` are for training: an observed wording, then its paraphrases. `development` wordings are drawn like the
    unobserved ones, from other words, and are what settings may be chosen on.
    """

    observed: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    development: tuple[str, ...]
    unobserved: tuple[str, ...]
    negated: tuple[str, ...]
    nonsense: tuple[str, ...]
    vague: tuple[str, ...]


@cache
def lexicon() -> Mapping[str, Any]:
    """Words that ask, fillers by slot, patterns, and words for nonsense."""
    found: Mapping[str, Any] = json.loads((files("surefoot.worlds") / "lexicon.json").read_text(encoding="utf-8"))
    return found


def vocabulary() -> tuple[str, ...]:
    """Every word of every wording, sorted."""
    lists = [*lexicon()["asks"].values(), *lexicon()["fillers"].values(), lexicon()["nonsense"]]
    return tuple(sorted({"the", "not", ELSEWHERE, UNTOLD, *(word for words in lists for word in words)}))


def asking(operation: str) -> tuple[str, ...]:
    """The words that ask for an operation."""
    return tuple(lexicon()["asks"][operation])


def all_wordings(seed: int, style: float) -> dict[str, Wordings]:
    """The wordings of every operation. `style`: chance that a filler of an observed wording is of the house style."""
    rng = random.Random(f"wordings/{seed}")
    writer = _Writer(rng, style, _houses(rng))
    words = {operation: _shared_out(operation, rng) for operation in OPERATIONS}
    return {operation: _wordings(operation, words, writer) for operation in OPERATIONS}


def _wordings(operation: str, words: Mapping[str, Mapping[str, list[str]]], writer: _Writer) -> Wordings:
    """One of eight wordings says `not` and a word of the opposite, so that a negation is nothing unheard of."""
    own, opposite = words[operation], words[OPPOSITE[operation]]["observed"]
    plain = [writer.write(operation, word, at_home=True) for word in _cycle(own["observed"], WORDINGS - 1)]
    observed = (*plain, writer.write(operation, f"not {opposite[0]}", at_home=True))

    def held_out(group: str) -> tuple[str, ...]:
        asks = [*_cycle(own[group], 4), *_cycle(own["observed"], WORDINGS - 5), f"not {opposite[1]}"]
        return tuple(writer.write(operation, word) for word in asks)

    known = [*own["observed"], *own["paraphrases"]]
    refused = [f"not {word}" for word in (*opposite, *words[OPPOSITE[operation]]["paraphrases"])]
    groups = tuple(
        (text, *(writer.write(operation, asks[(i + k) % len(asks)]) for k in range(PARAPHRASES)))
        for i, text in enumerate(observed)
        for asks in [known if text in plain else refused]
    )
    negated = tuple(writer.write(operation, f"not {word}") for word in _cycle(own["observed"], CONTROLS))
    development, unobserved, nonsense = held_out("development"), held_out("unobserved"), writer.nonsense(CONTROLS)
    vague = tuple(writer.write(operation, UNTOLD, at_home=True) for _ in range(VAGUE))
    return Wordings(observed, groups, development, unobserved, negated, nonsense, vague)


class _Writer:
    """Draws texts that were not drawn before. `houses`: operation -> slot -> its fillers."""

    def __init__(self, rng: random.Random, style: float, houses: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self.rng, self.style, self.houses = rng, style, houses
        self.written: set[str] = set()

    def write(self, operation: str, asks: str, at_home: bool = False) -> str:
        """A wording with this telling word, in the operation's house style or in any."""
        chance = self.style if at_home else 0.0

        def draw() -> str:
            filled = {slot: self._filler(operation, slot, chance) for slot in lexicon()["fillers"]}
            return str(self.rng.choice(lexicon()["patterns"]).format(asks=asks, **filled))

        return self._new(draw)

    def nonsense(self, count: int) -> tuple[str, ...]:
        """Sentences of seven words that ask for nothing."""
        return tuple(self._new(lambda: " ".join(self.rng.sample(lexicon()["nonsense"], 7))) for _ in range(count))

    def _filler(self, operation: str, slot: str, chance: float) -> str:
        home = self.rng.random() < chance
        return str(self.rng.choice(self.houses[operation][slot] if home else lexicon()["fillers"][slot]))

    def _new(self, draw: Any) -> str:
        while (text := draw()) in self.written:
            pass
        self.written.add(text)
        return str(text)


def _houses(rng: random.Random) -> dict[str, dict[str, list[str]]]:
    """Each operation's own two fillers of every slot; no two operations share one."""
    order = {slot: rng.sample(words, len(words)) for slot, words in lexicon()["fillers"].items()}
    return {
        operation: {slot: words[2 * i : 2 * i + 2] for slot, words in order.items()}
        for i, operation in enumerate(OPERATIONS)
    }


def any_wording(operation: str, rng: random.Random) -> str:
    """A wording with any of the operation's words and any fillers; one in four says `not` and asks by the opposite."""
    negated = rng.random() < 0.25
    word = rng.choice(asking(OPPOSITE[operation] if negated else operation))
    filled = {slot: rng.choice(words) for slot, words in lexicon()["fillers"].items()}
    return str(rng.choice(lexicon()["patterns"]).format(asks=f"not {word}" if negated else word, **filled))


def _shared_out(operation: str, rng: random.Random) -> dict[str, list[str]]:
    """The operation's nine words, shared out at random as `SHARES` says."""
    words = iter(rng.sample(asking(operation), len(asking(operation))))
    return {group: [next(words) for _ in range(count)] for group, count in SHARES.items()}


def _cycle(words: Sequence[str], count: int) -> list[str]:
    return [words[i % len(words)] for i in range(count)]
