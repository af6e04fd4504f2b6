"""A model behind an endpoint, with the interface of any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.endpoints.asking import Asked, answer_weighed, messages, next_token, written
from surefoot.endpoints.budget import Budget, Meter
from surefoot.endpoints.client import Answer, Client, Question
from surefoot.endpoints.offers import Offers
from surefoot.endpoints.reading import generation_of, next_token_scores
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import (
    Choice,
    Generation,
    LanguageModel,
    ModelCard,
    Score,
    Scorer,
    TokenCount,
    check_scorer,
    ranked,
)
from surefoot.models.writing import one_each
from surefoot.text.formats import Format, PromptEncoder
from surefoot.text.prompt import Prompt


class EndpointModel(LanguageModel):
    """Asks `client`. `format` renders prompts for `completions`; None leaves that to the endpoint's chat template.

    `encoder` turns text into token ids where a tokenizer is at hand; it makes the boundary between prompt and answer
    that of a local model.
    """

    def __init__(
        self,
        client: Client,
        offers: Offers,
        card: ModelCard,
        format: Format | None,
        encoder: PromptEncoder | None = None,
    ) -> None:
        self.client, self.offers, self._card = client, offers, card
        self.format, self.encoder = format, encoder
        self.tokens = TokenCount()
        top = offers.chat_top if self.is_chat else offers.top
        weighs = offers.prompt_logprobs is not None and not self.is_chat
        named = {"logprobs": weighs, "top_logprobs": weighs or top > 0, "generate": True}
        self.can = frozenset(name for name, there in named.items() if there)

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def is_chat(self) -> bool:
        """Whether the endpoint's own template is used."""
        return self.format is None

    def allow(self, budget: Budget | None) -> None:
        """Go on with a new budget, from nothing spent; None is without limit."""
        self.client.meter = Meter(budget)

    def keep_answers(self, folder: str) -> None:
        if "://" not in folder:
            self.client.answers.keep_in(Path(folder))

    def require(self, *needs: str, by: str) -> None:
        if "logprobs" not in needs or "logprobs" in self.can:
            super().require(*needs, by=by)
            return
        ways = []
        if self.is_chat and self.offers.prompt_logprobs:
            ways.append("render the prompts here with --tokenizer or --format plain")
        if "top_logprobs" in self.can:
            ways.append('rank the options by letter: answering="letter" (--scorer letter)')
        ways.append('let it write: answering="generate" (--scorer generate)')
        raise NotAvailable(
            f'{by} needs logprobs, which "{self.name}" does not offer as it is asked; {", or ".join(ways)}.'
        )

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        found = self._weighed([prompt for prompt, _ in requests], [[text] for _, text in requests])
        return [Score(tuple(range(len(one))), tuple(one)) for (one,), _ in found]

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        check_scorer(scorer)
        if scorer == "paper":
            raise NotAvailable(
                f'The scorer "paper" needs whole distributions, which "{self.name}" does not show; use sum.'
            )
        if "logprobs" not in self.can:
            return self._choose_by_next_token(prompts, options)
        found = self._weighed(prompts, options, ends=scorer == "end")
        return [ranked(weighed, scorer, length) for weighed, length in found]

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        if begun is not None:
            raise NotAvailable(f'"{self.name}" is behind an endpoint and cannot go on with a text that was begun.')
        samplings = one_each(sampling, len(prompts))
        odd = next((s for s in samplings if s.typical_p < 1 or s.eta > 0), None)
        if odd is not None:
            raise NotAvailable(
                f'"{self.name}" is behind an endpoint, which knows no typical_p and no eta; leave them out.'
            )
        answers = self._ask(self.writing(prompts, samplings))
        return [generation_of(answer, s) for answer, s in zip(answers, samplings, strict=True)]

    def render(self, prompt: Prompt | str) -> str:
        prompt = Prompt.of(prompt)
        if self.format is not None:
            return self.format.render(prompt)
        return "\n\n".join(message["content"] for message in messages(prompt))

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        if self.encoder is None:
            return []
        return [(i, str(self.encoder.tokenizer.decode([i]))) for i in self.encoder.prompts([Prompt.of(prompt)])[0]]

    def choosing(self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]]) -> list[Question]:
        """What `choose` asks, for an estimate of its price."""
        if "logprobs" in self.can:
            return [question for own in self._weighing(prompts, options, False) for question in own]
        return self._next(prompts)

    def writing(self, prompts: Sequence[Prompt | str], samplings: Sequence[Sampling]) -> list[Question]:
        """What `generate` asks."""
        weighs = (self.offers.chat_top if self.is_chat else self.offers.top) > 0
        own = (self.offers.limit, weighs, self.offers.ratio)
        asked = zip(self._asked(prompts), samplings, strict=True)
        return [written(prompt, self.is_chat, sampling, *own) for prompt, sampling in asked]

    def _weighed(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], ends: bool = False
    ) -> list[tuple[list[list[float]], int]]:
        """Log-probabilities of each option's tokens, and how many tokens stand before them."""
        self.require("logprobs", by="A score")
        questions = self._weighing(prompts, options, ends)
        answers = iter(self._ask([question for own in questions for question in own]))
        found = []
        for prompt, choices in zip(prompts, options, strict=True):
            own = [next(answers) for _ in choices]
            merged = next((option for option, answer in zip(choices, own, strict=True) if "merged" in answer), None)
            if merged is not None:
                raise BadInput(
                    f'At "{self.name}" the option "{merged}" does not begin with a token of its own behind '
                    f'"{self.render(prompt)[-30:]}"; give the model\'s tokenizer (--tokenizer), or use --scorer letter.'
                )
            found.append(([answer["logprobs"] for answer in own], max((a["prompt_tokens"] for a in own), default=0)))
        return found

    def _weighing(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], ends: bool
    ) -> list[list[Question]]:
        assert self.format is not None
        assert self.offers.prompt_logprobs is not None
        way, ratio, whole = self.offers.prompt_logprobs, self.offers.ratio, [Prompt.of(prompt) for prompt in prompts]
        if self.encoder is not None and self.offers.ids:
            ids = self.encoder.prompts(whole)
            end = [self.encoder.tokenizer.eos_token_id] if ends else []
            forks = self.encoder.continuations(whole, ids, options)
            return [
                [answer_weighed([*own, *fork, *end], len(fork) + len(end), way, ratio) for fork in choices]
                for own, choices in zip(ids, forks, strict=True)
            ]
        if ends:
            raise NotAvailable(f'The scorer "end" needs the tokens of "{self.name}"; give its tokenizer (--tokenizer).')
        format = self.format
        return [
            [answer_weighed(format.render(p) + (tail := format.continuation(p, o)), tail, way, ratio) for o in choices]
            for p, choices in zip(whole, options, strict=True)
        ]

    def _choose_by_next_token(self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]]) -> list[Choice]:
        """Options of one character, which are one token, from the candidates of the next token."""
        self.require("top_logprobs", by="A choice")
        long = next((option for choices in options for option in choices if len(option.strip()) != 1), None)
        if long is not None:
            raise NotAvailable(
                f'"{self.name}" shows only the next token, and the option "{long}" may be several; rank the options by '
                "--scorer letter."
            )
        answers = self._ask(self._next(prompts))
        result = []
        for prompt, choices, answer in zip(prompts, options, answers, strict=True):
            stands = [self.format.continuation(Prompt.of(prompt), o) if self.format else o for o in choices]
            result.append(next_token_scores(answer, stands))
        return result

    def _next(self, prompts: Sequence[Prompt | str]) -> list[Question]:
        top = self.offers.chat_top if self.is_chat else self.offers.top
        own = (self.is_chat, top, self.offers.limit, self.offers.ratio)
        return [next_token(asked, *own) for asked in self._asked(prompts)]

    def _asked(self, prompts: Sequence[Prompt | str]) -> list[Asked]:
        """The prompts as they are sent: messages, token ids or text."""
        whole = [Prompt.of(prompt) for prompt in prompts]
        if self.format is None:
            return [messages(prompt) for prompt in whole]
        if self.encoder is not None and self.offers.ids:
            return list(self.encoder.prompts(whole))
        return [self.format.render(prompt) for prompt in whole]

    def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        before = self.client.meter.tokens
        answers: list[Any] = self.client.ask(questions)
        spent = self.client.meter.tokens - before
        self.tokens.add(spent, spent)
        return answers
