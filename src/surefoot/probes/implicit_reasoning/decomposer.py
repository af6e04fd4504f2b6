"""A decomposer: a language model that writes the steps of a question, one a line; any local model can be trained to.

    from surefoot.probes.implicit_reasoning.decomposer import scores, train_decomposer
    decomposer = train_decomposer(sf.load("smollm2"), questions)
    steps = decomposer.steps(others)  # what implicit_task(..., predicted=steps) searches with

Loss: the mean over an answer's tokens of -log p(token | question, steps so far), the steps parted by line ends and
closed by the end token. Source: Geva et al. 2021 (TACL, StrategyQA), section 5.1, where the decomposer is BART-large
(15 epochs, chosen by SARI); here the model, what is trained of it and for how long are settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.questions.decomposition import execution_order
from surefoot.questions.question import Question, Step
from surefoot.questions.sari import sari
from surefoot.text.prompt import Part, Prompt
from surefoot.training.pairs import tune_on_pairs

if TYPE_CHECKING:
    from surefoot.training.adapters import AdapterSettings
    from surefoot.training.fit import FitSettings, FitStep

TOKENS = 96  # of a written decomposition
_NUMBER = re.compile(r"^\s*(?:\d+[.)]|[-*])\s*")


@dataclass(frozen=True)
class Decomposer:
    """A model that is asked for steps, as it is or trained. Needs `generate`."""

    model: LanguageModel
    tokens: int = TOKENS

    def steps(self, questions: Sequence[Question]) -> dict[str, tuple[str, ...]]:
        """The steps that the model writes for each question, by the question's id; all in one batch, greedily."""
        self.model.require("generate", by="Writing steps")
        prompts = [decomposition_prompt(question.text) for question in questions]
        texts = self.model.generate(prompts, Sampling(max_new_tokens=self.tokens)) if prompts else []
        return {q.id: written_steps(text.text) for q, text in zip(questions, texts, strict=True)}


class DecomposerScores(NamedTuple):
    """`exact` and `executable`: the shares of questions whose steps are the gold ones letter by letter, and whose steps
    can be put in order; `sari`: the mean against the gold steps, 0 to 1."""

    exact: float
    sari: float
    executable: float


def decomposition_prompt(question: str) -> Prompt:
    """What a decomposer is asked."""
    ask = (
        "Write the questions that must be answered one after the other to answer this question, one a line. "
        "Write #1 for the answer of the first one.\n\n"
    )
    texts = (Part("input", "Question: ", heading=True), Part("input", f"{question}\n"))
    return Prompt((Part("instruction", ask), *texts, Part("cue", "Steps:")))


def written_steps(text: str) -> tuple[str, ...]:
    """The lines of a text that are not blank, without numbers and bullets."""
    lines = (_NUMBER.sub("", line).strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def step_sari(question: Question, steps: Sequence[str]) -> float:
    """SARI of steps against the gold ones, each side as one text."""
    return sari(question.text, " ".join(steps), [" ".join(step.text for step in question.steps)])


def scores(questions: Sequence[Question], predicted: Mapping[str, Sequence[str]]) -> DecomposerScores:
    """How good predicted steps are. Raises `BadInput` where there is no question."""
    if not questions:
        raise BadInput("No questions were given to score steps on; give at least one.")
    written = [tuple(predicted.get(question.id, ())) for question in questions]
    exact = [steps == tuple(s.text for s in q.steps) for q, steps in zip(questions, written, strict=True)]
    near = [step_sari(question, steps) for question, steps in zip(questions, written, strict=True)]
    count = len(questions)
    return DecomposerScores(sum(exact) / count, sum(near) / count, sum(map(_is_executable, written)) / count)


def train_decomposer(
    model: LanguageModel,
    questions: Sequence[Question],
    *,
    part: AdapterSettings | None = None,
    descent: FitSettings | None = None,
    out: Path | None = None,
    watch: Callable[[FitStep], None] | None = None,
) -> Decomposer:
    """The model trained on these questions and their steps, by default LoRA over 300 steps of 16 questions.

    `model` itself stays as it is. With `out` the training goes on where it was stopped. Raises `BadInput` for a model
    whose weights are not here and for questions without steps.
    """
    bare = next((question for question in questions if not question.steps), None)
    if bare is not None or not questions:
        raise BadInput(
            f'{f"""The question "{bare.id}" has no steps""" if bare else "There are no questions"}; give some.'
        )
    prompts = [decomposition_prompt(question.text) for question in questions]
    answers = ["\n".join(step.text for step in question.steps) for question in questions]
    return Decomposer(tune_on_pairs(model, prompts, answers, part=part, descent=descent, out=out, watch=watch))


def _is_executable(steps: Sequence[str]) -> bool:
    try:
        return bool(execution_order([Step(text) for text in steps]))
    except BadInput:
        return False
