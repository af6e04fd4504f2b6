"""Everything that has a name, in one table. Reading it imports nothing heavy; an entry is loaded when it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args

from surefoot.errors import BadInput, nearest

Kind = Literal["probe", "treatment", "recipe", "suite", "reproduction"]
KINDS: tuple[str, ...] = get_args(Kind)


class Entry(NamedTuple):
    """A name, where its object is (`module:object`), one line about it, its documentation page and its source."""

    kind: Kind
    name: str
    target: str
    summary: str
    page: str
    source: str

    def load(self) -> Any:
        """The object itself."""
        return load_object(self.target)


def load_object(target: str) -> Any:
    """What `module:object` names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "probe",
        "phrasing",
        "surefoot.probes.phrasing.probe:Phrasing",
        "how far accuracy moves when only the wording of the instruction moves",
        "docs/phrasing.md",
        "Sun, Shaib & Wallace 2024, arXiv:2306.11270",
    ),
    Entry(
        "probe",
        "representation",
        "surefoot.probes.representation.probe:Representation",
        "how far a wording moves the model's state, and whether accuracy falls with it",
        "docs/representation.md",
        "Sun, Shaib & Wallace 2024, arXiv:2306.11270",
    ),
    Entry(
        "probe",
        "memorisation",
        "surefoot.probes.memorisation.probe:Memorisation",
        "how many words of a work the model writes down, beyond what unrelated text would share",
        "docs/memorisation.md",
        "Karamolegkou et al. 2023, arXiv:2310.13771",
    ),
    Entry(
        "probe",
        "context-conflict",
        "surefoot.probes.context_conflict.probe:ContextConflict",
        "whether a model answers with the passage or from memory when the two contradict",
        "docs/context-conflict.md",
        "Longpre et al. 2021, arXiv:2109.05052; Shi et al. 2023, arXiv:2305.14739",
    ),
    Entry(
        "probe",
        "context-preference",
        "surefoot.probes.context_preference.probe:ContextPreference",
        "which of two contexts that disagree, retrieved or written by a model, an answer is taken from",
        "docs/context-preference.md",
        "Tan et al. 2024, arXiv:2401.11911",
    ),
    Entry(
        "probe",
        "multi-hop",
        "surefoot.probes.multi_hop.probe:MultiHop",
        "answers to questions that take several documents, and which of those the model had before it",
        "docs/multi-hop.md",
        "Trivedi et al. 2023, arXiv:2212.10509",
    ),
    Entry(
        "probe",
        "implicit-reasoning",
        "surefoot.probes.implicit_reasoning.probe:ImplicitReasoning",
        "yes/no questions whose steps are not said: which part of the way a model can go by itself",
        "docs/implicit-reasoning.md",
        "Geva et al. 2021, arXiv:2101.02235",
    ),
    Entry(
        "probe",
        "unanswerable",
        "surefoot.probes.unanswerable.probe:Unanswerable",
        "whether a model admits that no passage answers, and recognises when one does",
        "docs/unanswerable.md",
        "Thakur et al. 2023, arXiv:2312.11361",
    ),
    Entry(
        "treatment",
        "system-prompt",
        "surefoot.treatments.prompts.system_prompt:SystemPrompt",
        "puts a system message in front of every prompt",
        "docs/system-prompt.md",
        "common practice",
    ),
    Entry(
        "treatment",
        "soft-align",
        "surefoot.treatments.weights.soft_align:SoftAlign",
        "trains a soft prompt so that equivalent wordings give equal answers",
        "docs/soft-align.md",
        "Sun, Shaib & Wallace 2024, arXiv:2306.11270",
    ),
    Entry(
        "treatment",
        "adapter",
        "surefoot.treatments.weights.adapter:AdapterTreatment",
        "puts a trained soft prompt, prefix, LoRA or all weights onto a model",
        "docs/soft-align.md",
        "PEFT's file formats",
    ),
    Entry(
        "treatment",
        "cad",
        "surefoot.treatments.decoding.cad:ContextAware",
        "amplifies what the context adds to the next token",
        "docs/cad.md",
        "Shi et al. 2024, arXiv:2305.14739",
    ),
    Entry(
        "treatment",
        "watermark",
        "surefoot.treatments.decoding.watermark:Watermark",
        "marks what the model writes, so that the key finds it without the model",
        "docs/watermark.md",
        "Kirchenbauer et al. 2023, arXiv:2301.10226",
    ),
    Entry(
        "treatment",
        "interleave",
        "surefoot.treatments.decoding.interleave:Interleave",
        "writes an emoji behind every word: the attack that takes it out again washes a watermark off",
        "docs/watermark.md",
        "Kirchenbauer et al. 2023, arXiv:2301.10226, section 7",
    ),
    Entry(
        "treatment",
        "contrastive-decoding",
        "surefoot.treatments.decoding.contrastive:ContrastiveDecoding",
        "favours what the model finds likelier than a weaker model does",
        "docs/decoding.md",
        "Li et al. 2023, arXiv:2210.15097; O'Brien & Lewis 2023, arXiv:2309.09117",
    ),
    Entry(
        "treatment",
        "dola",
        "surefoot.treatments.decoding.dola:LayerContrast",
        "favours what the last layer finds likelier than an earlier one does",
        "docs/decoding.md",
        "Chuang et al. 2024, arXiv:2309.03883",
    ),
    Entry(
        "treatment",
        "beam-search",
        "surefoot.treatments.decoding.beam_search:BeamSearch",
        "writes the most probable whole text that it finds, or several that differ",
        "docs/decoding.md",
        "Vijayakumar et al. 2018, arXiv:1610.02424",
    ),
    Entry(
        "treatment",
        "contrastive-search",
        "surefoot.treatments.decoding.contrastive_search:ContrastiveSearch",
        "writes probable tokens whose states are unlike those before",
        "docs/decoding.md",
        "Su et al. 2022, arXiv:2202.06417",
    ),
    Entry(
        "treatment",
        "speculative",
        "surefoot.treatments.decoding.speculative:Speculative",
        "writes the same text in fewer passes, with a small model running ahead",
        "docs/decoding.md",
        "Leviathan et al. 2023, arXiv:2211.17192",
    ),
    Entry(
        "treatment",
        "self-consistency",
        "surefoot.treatments.decoding.self_consistency:SelfConsistency",
        "draws several texts and takes the answer that most of them give",
        "docs/decoding.md",
        "Wang et al. 2023, arXiv:2203.11171",
    ),
    Entry(
        "treatment",
        "copy-guard",
        "surefoot.treatments.decoding.copy_guard:CopyGuard",
        "writes no run of words that stands in protected works",
        "docs/copy-guard.md",
        "this project; Ippolito et al. 2023, arXiv:2210.17546",
    ),
    Entry(
        "treatment",
        "rag",
        "surefoot.treatments.retrieval.rag:Rag",
        "puts what one search by the question found before it",
        "docs/rag.md",
        "Jiang et al. 2023, arXiv:2305.06983, single-time retrieval",
    ),
    Entry(
        "treatment",
        "ircot",
        "surefoot.treatments.retrieval.ircot:Ircot",
        "searches behind each sentence of a chain of thought",
        "docs/ircot.md",
        "Trivedi et al. 2023, arXiv:2212.10509",
    ),
    Entry(
        "treatment",
        "flare",
        "surefoot.treatments.retrieval.flare:Flare",
        "searches while it writes: wherever the next sentence, drafted, has an unlikely word",
        "docs/flare.md",
        "Jiang et al. 2023, arXiv:2305.06983",
    ),
    Entry(
        "recipe",
        "paraphrase",
        "surefoot.paraphrases:paraphrase_task",
        "other wordings to train on, filtered, none of them a wording that is tested",
        "docs/paraphrases.md",
        "Sun, Shaib & Wallace 2024, arXiv:2306.11270",
    ),
    Entry(
        "suite",
        "demo",
        "surefoot.tasks.loading:load_tasks",
        "small tasks of this project's own, each under 24 or more wordings",
        "docs/getting-started.md",
        "this project",
    ),
    Entry(
        "suite",
        "conflict",
        "surefoot.tasks.loading:load_tasks",
        "facts and sayings whose passages and demands contradict what a model knows",
        "docs/context-conflict.md",
        "this project",
    ),
    Entry(
        "suite",
        "contexts",
        "surefoot.tasks.loading:load_tasks",
        "invented facts with two contexts that disagree, either of which may be right",
        "docs/context-preference.md",
        "this project",
    ),
    Entry(
        "suite",
        "unanswerable",
        "surefoot.tasks.loading:load_tasks",
        "invented facts in four scripts, half of them told by no passage",
        "docs/unanswerable.md",
        "this project",
    ),
    Entry(
        "suite",
        "unanswerable-pairs",
        "surefoot.tasks.loading:load_tasks",
        "the same, and the answerable ones with the telling passage or another one taken away",
        "docs/unanswerable.md",
        "this project",
    ),
    Entry(
        "reproduction",
        "R0",
        "surefoot.reproductions:reproduce",
        "the published accuracies of five models under observed and unobserved wordings, recomputed",
        "docs/results.md",
        "Sun, Shaib & Wallace 2024, arXiv:2306.11270",
    ),
    Entry(
        "reproduction",
        "nomiracl",
        "surefoot.reproductions:reproduce",
        "the published hallucination and error rates of eleven models, from the texts that they wrote",
        "docs/unanswerable.md",
        "Thakur et al. 2023, arXiv:2312.11361",
    ),
)


CALIBRATED: Mapping[str, str] = {"compare": "surefoot.comparison.calibrations:calibrations"}
"""What is calibrated besides the probes: its name, and the `module:object` that gives its cases."""


def checked(entries: Iterable[Entry]) -> Mapping[tuple[str, str], Entry]:
    """The entries by kind and name. A bad one is refused with a sentence."""
    table: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.kind not in KINDS:
            raise BadInput(
                f'The catalogue entry "{entry.name}" has the kind "{entry.kind}".{nearest(entry.kind, KINDS)}'
            )
        if (entry.kind, entry.name) in table:
            raise BadInput(f'The catalogue has the {entry.kind} "{entry.name}" twice; rename one.')
        module, colon, name = entry.target.partition(":")
        if not (module and colon and name):
            raise BadInput(f'The target "{entry.target}" of "{entry.name}" is not of the form module:object.')
        if not entry.summary.strip():
            raise BadInput(f'The catalogue entry "{entry.name}" says nothing about itself; give it a summary.')
        table[entry.kind, entry.name] = entry
    return table


def find(kind: Kind, name: str) -> Entry:
    """The entry of this kind and name."""
    table = checked(ENTRIES)
    if (kind, name) not in table:
        raise BadInput(f'"{name}" is not a {kind}.{nearest(name, (n for k, n in table if k == kind))}')
    return table[kind, name]


def names(kind: Kind) -> list[str]:
    """All names of a kind, in the table's order."""
    return [entry.name for entry in ENTRIES if entry.kind == kind]
