"""The multi-hop probe's calibrations: readers that find all, one or none of the documents, on an invented world.

Each question names a person; one document says where the person was born, a second one who leads that place, and the
answer is that leader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from surefoot.calibration import Calibration, Truth
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.scripted import ScriptedModel
from surefoot.models.trace import Event, Shown, Trace
from surefoot.questions.question import Question, Step
from surefoot.retrieval.retriever import Document
from surefoot.tasks.questions import question_task
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt

QUESTIONS = 12
_SOUNDS = ("Bar", "Cil", "Dov", "Fen", "Gur", "Hal", "Jor", "Kem", "Lun", "Mip", "Nox", "Pel")
Reading = Callable[[Question], tuple[Sequence[str], str]]  # ids that are read, and the text that is written


def questions() -> tuple[Question, ...]:
    """Twelve bridge questions with their gold documents, steps and reasoning."""
    return tuple(_question(sound) for sound in _SOUNDS[:QUESTIONS])


def documents() -> tuple[Document, ...]:
    """The two documents of each question."""
    pairs = [
        (
            Document(f"{s}-1", f"{s}ek Amo", f"{s}ek Amo was born in {s}ville."),
            Document(f"{s}-2", f"{s}ville", f"{s}ville is led by {s}ora."),
        )
        for s in _SOUNDS[:QUESTIONS]
    ]
    return tuple(document for pair in pairs for document in pair)


def world() -> Task:
    """The questions as a task."""
    return question_task(questions(), name="leaders")


class PlantedReader(ScriptedModel):
    """A model that reads the documents it is told to and writes what it is told to; its trace says so.

    `reading` maps a question to ids and text; with `traced=False` the model reads nothing.
    """

    def __init__(self, reading: Reading, name: str = "reader", traced: bool = True) -> None:
        self.reading, self.traced = reading, traced
        self.known = {question.text: question for question in questions()}
        super().__init__(lambda prompt, _: reading(self._asked(prompt))[1], name)

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        written = super().generate(prompts, sampling, begun)
        if not self.traced:
            return written
        pairs = zip(prompts, written, strict=True)
        return [replace(text, trace=self._trace(Prompt.of(prompt), text)) for prompt, text in pairs]

    def _trace(self, prompt: Prompt, text: Generation) -> Trace:
        question = self._asked(prompt)
        shown = tuple(Shown(d.id, d.title, d.text) for d in documents() if d.id in self.reading(question)[0])
        events = (
            Event("search", queries=(question.text,), documents=shown),
            Event("write", text=text.text, documents=shown),
            Event("stop", note="the answer marker was written"),
        )
        return Trace(events, calls=1, searches=1, tokens=len(text.token_ids))

    def _asked(self, prompt: Prompt) -> Question:
        return next(question for text, question in self.known.items() if text in prompt.text)


def gold(question: Question) -> tuple[Sequence[str], str]:
    """Reads both documents and reasons as the question's gold reasoning does."""
    return [id for hop in question.evidence[0] for id in hop], " ".join(question.reasoning)


def first_hop(question: Question) -> tuple[Sequence[str], str]:
    """Reads the first document alone, and takes the place for the answer."""
    return question.evidence[0][0], f"So the answer is: {question.steps[0].answer}."


def elsewhere(question: Question) -> tuple[Sequence[str], str]:
    """Reads the documents of the next question and answers that one."""
    other = questions()[(questions().index(question) + 1) % QUESTIONS]
    return gold(other)


def wordy(question: Question) -> tuple[Sequence[str], str]:
    """Answers with three words too many: F1 is 2 x 1 / (4 + 1)."""
    return gold(question)[0], f"So the answer is: old mayor today {question.answers[0]}."


def inventor(question: Question) -> tuple[Sequence[str], str]:
    """Reads both documents, and says of the person what neither of them states."""
    person = question.steps[0].text.removeprefix("Where was ").removesuffix(" born?")
    return gold(question)[0], f"{person} was born in Nowhere. Nowhere is led by {person}. So the answer is: {person}."


def calibrations() -> tuple[Calibration, ...]:
    """Oracle, first hop alone, elsewhere, wordy, an inventor, and a model that knows and reads nothing."""
    supported, invented = {"unsupported": Truth(0, 0)}, {"unsupported": Truth(1, 0)}
    right = {"exact match": Truth(1, 0), "F1": Truth(1, 0)}
    wrong = {"exact match": Truth(0, 0), "F1": Truth(0, 0)}
    both = {"recall": Truth(1, 0), "hop 1": Truth(1, 0), "hop 2": Truth(1, 0)}
    one = {"recall": Truth(0.5, 0), "hop 1": Truth(1, 0), "hop 2": Truth(0, 0)}
    none = {"recall": Truth(0, 0), "hop 1": Truth(0, 0), "hop 2": Truth(0, 0)}
    closed = PlantedReader(lambda question: ((), question.answers[0]), "closed book", traced=False)
    short = {"exact match": Truth(0, 0), "F1": Truth(0.4, 1e-9)}
    return (
        _case(
            "oracle",
            "reads both documents and reasons as it should",
            PlantedReader(gold),
            {**right, **both, **supported},
        ),
        _case("first-hop", "finds the first document and stops there", PlantedReader(first_hop), {**wrong, **one}),
        _case(
            "elsewhere", "reads and answers another question", PlantedReader(elsewhere), {**wrong, **none, **supported}
        ),
        _case(
            "inventor",
            "reads both documents and says what neither states",
            PlantedReader(inventor),
            {**wrong, **both, **invented},
        ),
        _case("wordy", "answers with three words too many", PlantedReader(wordy), {**short, **both}),
        _case("closed-book", "knows all answers and reads nothing", closed, {**right, "read": Truth(0, 0)}),
    )


def _case(name: str, behaviour: str, model: LanguageModel, truths: Mapping[str, Truth]) -> Calibration:
    return Calibration(name, behaviour, lambda: readings(model), truths)


def readings(model: LanguageModel) -> dict[str, float]:
    """What the probe reads under the wording that asks for steps."""
    from surefoot.probes.multi_hop.probe import MultiHop

    found = MultiHop().measure(model, [world()]).summary.finding("steps")
    hops = {f"hop {n + 1}": share for n, share in enumerate(found.hops)}
    read = {"read": float(found.read), "recall": found.recall.value}
    told = {"unsupported": found.unsupported / found.claims} if found.claims else {}
    return {"exact match": found.exact_match.value, "F1": found.f1.value, **read, **hops, **told}


def _question(sound: str) -> Question:
    person, place, leader = f"{sound}ek Amo", f"{sound}ville", f"{sound}ora"
    return Question(
        id=sound.lower(),
        text=f"Who leads the place where {person} was born?",
        answers=(leader,),
        kind="bridge",
        evidence=(((f"{sound}-1",), (f"{sound}-2",)),),
        steps=(
            Step(f"Where was {person} born?", place, (f"{sound}-1",)),
            Step("Who leads #1?", leader, (f"{sound}-2",)),
        ),
        reasoning=(f"{person} was born in {place}.", f"{place} is led by {leader}.", f"So the answer is: {leader}."),
    )
