"""The representation probe: how far a wording moves a model's state, and whether accuracy falls with that distance.

The state h(w, x) of item x under wording w is the hidden state at the first decoding step: of a causal model at the
last token of the prompt, of an encoder-decoder at the decoder's first step. A wording's distance is the l2 distance to
the nearest reference wording's state of the same item, averaged over items (`probes/representation/distance.py`). Over
wordings and tasks, the accuracy lost against the reference wordings is regressed on it.

Source: Sun, Shaib & Wallace, Evaluating the Zero-shot Robustness of Instruction-tuned Language Models, 2024
(arXiv:2306.11270), section 4. Layer: the paper says the penultimate one, which is the default here (-2); the released
notebook reads layer 1. The paper's reference is the wordings seen in tuning; where nobody knows which those are, each
right wording is held against the other right ones. Here the distance is also given free of scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Cell
from surefoot.probes.filling import Filling
from surefoot.probes.matrix import MatrixProbe
from surefoot.tasks.task import Task
from surefoot.text.instruction import KLASSES

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.representation.summary import RepresentationSummary
    from surefoot.runs.source import Rows

Measured = Literal["item", "centroid"]


@dataclass(frozen=True)
class Representation(MatrixProbe):
    """The probe and its settings. Needs `hidden_states`, and what the phrasing probe needs for the answers.

    `layer` counts as in `LanguageModel.hidden_states`: 0 is the embedding, -1 the last layer. `reference` is the class
    of wordings that distances are measured to, `target` the class whose accuracy is regressed. `auto` takes the
    observed wordings, or else all right ones, each against the others. `distance` is measured item by item, or between
    mean states (`centroid`). `points` states at most are laid out in the picture; 0 makes none. Only `layer` and what
    is asked change rows; the other settings change what is made of them.
    """

    layer: int = -2
    reference: str = "auto"
    target: str = "auto"
    distance: Measured = "item"
    points: int = 2000

    name = "representation"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("reference", "target"):
            given = getattr(self, name)
            if given not in ("auto", *KLASSES):
                raise BadInput(f'"{given}" is not a class of wordings.{nearest(given, ("auto", *KLASSES))}')
        if self.distance not in get_args(Measured):
            raise BadInput(f'"{self.distance}" is not a way to measure.{nearest(self.distance, get_args(Measured))}')
        if self.points < 0:
            raise BadInput(f"points is {self.points}; give how many states to draw at most, or 0 for no picture.")

    @property
    def filling(self) -> Filling:
        return replace(super().filling, states=True)

    @property
    def row_schema(self) -> pa.Schema:
        """The columns of an answer, and `state`: the hidden state, float32."""
        import pyarrow as pa

        return super().row_schema.append(pa.field("state", pa.list_(pa.float32())))

    @property
    def row_options(self) -> Mapping[str, Any]:
        return {"layer": self.layer}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses a task without a reference wording or without one to measure."""
        from surefoot.probes.representation.summarise import refusal

        super().check(model, tasks)
        model.require("hidden_states", by="The representation probe")
        refused = next((text for task in tasks if (text := refusal(task, self.reference, self.target))), "")
        if refused:
            raise BadInput(f"{refused} Tag wordings with a class, or name another one with reference= and target=.")

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows with the states of their prompts."""
        states = model.hidden_states([cell.query.prompt for cell in cells], layer=self.layer, position=-1)
        return [{**row, "state": state} for row, state in zip(rows, states, strict=True)]

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> RepresentationSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.representation.summarise import summarise_states
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise_states(rows, tasks, model, self, self.is_complete(rows, tasks))

    def documents(self, rows: Rows, tasks: Sequence[Task], model: str) -> Mapping[str, Any]:
        """The coordinates of the picture, which join the rows where they are exported."""
        from surefoot.probes.representation.map import map_document

        document = map_document(rows, model, [task.name for task in tasks], self.points, self.seed)
        return {} if document is None else document

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models whose states are planted, and the right readings."""
        from surefoot.probes.representation.calibrations import calibrations

        return calibrations()
