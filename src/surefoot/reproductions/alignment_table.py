"""The outcomes of the alignment experiment as text: a table, the claims with their verdicts, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.worlds.operations import OPERATIONS

if TYPE_CHECKING:
    from surefoot.reproductions.alignment_claims import Claim
    from surefoot.reproductions.alignment_plan import Plan
    from surefoot.reproductions.alignment_result import AlignmentResult

HEAD = """R0, alignment from scratch
Source: Sun, Shaib and Wallace 2024, arXiv:2306.11270; no published number is recomputed here"""


def result_text(result: AlignmentResult) -> str:
    """The table of states and the claims of one regime."""
    world = result.plan.world
    answers = (
        f"Noisy answers ({100 * world.noise:.0f} % in training are another digit)" if world.noise else "Sure answers"
    )
    counts = f"{len(result.outcomes)} worlds of {len(OPERATIONS)} tasks, {world.items} rows"
    head = f"{answers}: {counts}, {result.minutes:.1f} minutes of one core"
    claims = "\n".join(_claim_line(claim) for claim in result.claims)
    return f"{head}\n\n{state_table(result)}\n\nClaims:\n{claims}"


def deviations_text(sentences: tuple[str, ...]) -> str:
    return "What differs from the paper:\n" + "\n".join(f"- {sentence}" for sentence in sentences)


def deviations(plan: Plan) -> tuple[str, ...]:
    """What differs from the paper."""
    millions = plan.shape.parameters / 1e6
    common = (
        f"The model has {millions:.1f} million parameters and was made for this; the paper's have 3 and 7 billion. "
        "Shown is whether the method's mechanism exists where everything is known, not how large its effect is on a "
        "real model.",
        "Words are learned from other texts of the same training, where a real model brings them from pretraining.",
        "Paraphrases are drawn from the world's own grammar, where the paper asks GPT-4 for them.",
        "One task is one operation and has its own wordings; the paper's observed wordings are shared by a category.",
        "Settings of soft-align were chosen on development wordings of other seeds; the paper's are not published.",
        "KL is KL(p_reference || p_paraphrase) on the answer's one token, with the gradient through the reference "
        "stopped; the paper leaves direction and stop open.",
    )
    control = (
        "KL alone is no state of the paper; it is a control, with the gradient through both wordings and ten times the "
        "learning rate.",
    )
    noisy = (
        "Noise in the answers is no setting of the paper; what is measured keeps the true answers.",
        "The divergence is from the untouched model's distribution, with a weight of "
        f"{plan.recipe.weight:g}; the paper leaves both open.",
    )
    return common + (control if "KL" in plan.states else ()) + (noisy if plan.world.noise else ())


COLUMNS = (
    ("observed", "observed"),
    ("sd", "observed_sd"),
    ("held out", "unobserved"),
    ("sd", "unobserved_sd"),
    ("worst", "worst"),
    ("incorrect", "incorrect"),
    ("negated", "negated"),
    ("obeyed", "obeyed"),
    ("nonsense", "nonsense"),
)


def state_table(result: AlignmentResult) -> str:
    """A line a state: means over worlds and tasks, in percent (distances in units of the hidden state)."""
    head = f"{'':10}" + "".join(f"{name:>10}" for name, _ in COLUMNS) + f"{'distance':>10}{'apart':>8}{'warned':>8}"
    lines = [head]
    for state in result.states:
        numbers = "".join(f"{100 * result.values(state, measure).mean():>10.1f}" for _, measure in COLUMNS)
        distances = f"{result.values(state, 'distance').mean():>10.2f}{result.values(state, 'apart').mean():>8.2f}"
        warned = sum(outcome.guards[state].seen for outcome in result.outcomes)
        lines.append(f"{state:10}{numbers}{distances}{warned:>5}/{len(result.outcomes)}")
    return "\n".join(lines)


def _claim_line(claim: Claim) -> str:
    numbers = ""
    if claim.interval is not None:
        scale, digits = (1, 2) if claim.scale == "units" else (100, 1)
        low, value, high = (
            scale * number for number in (claim.interval.low, claim.interval.value, claim.interval.high)
        )
        numbers = f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"
    return f"  {claim.verdict:9}  {numbers:>26}  {claim.worlds}/{claim.of} worlds  {claim.text}"
