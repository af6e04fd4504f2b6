"""An index of the runs of protected texts: which words would complete one, and where a text holds one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from surefoot.errors import BadInput
from surefoot.text.words import words_of


class RunIndex:
    """All runs of `least` words of some texts, as normalised words. A text shorter than that has none.

    Memory: about one entry a word of the texts. Every question is answered in O(least), whatever the texts' length.
    """

    def __init__(self, texts: Iterable[str], least: int) -> None:
        if least < 1:
            raise BadInput(f"least is {least}; protect runs of at least 1 word.")
        self.least = least
        self._next: dict[tuple[str, ...], set[str]] = {}
        for text in texts:
            words = words_of(text)
            for end in range(least - 1, len(words)):
                self._next.setdefault(words[end - least + 1 : end], set()).add(words[end])
        self.words = frozenset(word for run in self._next for word in run).union(*self._next.values())
        if not self._next:
            raise BadInput(f"No protected text has {least} words; give longer texts or a smaller least.")

    def completing(self, words: Sequence[str]) -> frozenset[str]:
        """The words that would complete a protected run right behind these."""
        if len(words) < self.least - 1:
            return frozenset()
        return frozenset(self._next.get(tuple(words[len(words) - self.least + 1 :]), ()))

    def ends(self, words: Sequence[str]) -> bool:
        """Whether these words end in a protected run."""
        return bool(words) and words[-1] in self.completing(words[:-1])

    def first_run(self, words: Sequence[str]) -> int | None:
        """The place behind the first protected run; None where there is none."""
        return next((end for end in range(self.least, len(words) + 1) if self.ends(words[:end][-self.least :])), None)

    def holds(self, text: str) -> bool:
        """Whether a text holds a protected run."""
        return self.first_run(words_of(text)) is not None
