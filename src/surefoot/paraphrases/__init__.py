"""Paraphrases of instructions for training, kept apart from the wordings that are tested."""

from surefoot.paraphrases.file import write_paraphrases
from surefoot.paraphrases.filters import FILTERS, Filters
from surefoot.paraphrases.paraphrase import paraphrase_task, source_of
from surefoot.paraphrases.result import Group, Paraphrased, Rejected
from surefoot.paraphrases.wordings import proof
from surefoot.tasks.split import Split, split_wordings

__all__ = [
    "FILTERS",
    "Filters",
    "Group",
    "Paraphrased",
    "Rejected",
    "Split",
    "paraphrase_task",
    "proof",
    "source_of",
    "split_wordings",
    "write_paraphrases",
]
