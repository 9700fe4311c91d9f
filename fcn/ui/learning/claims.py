"""What the recorded runs show, in sentences that are computed from them."""

from __future__ import annotations

from collections.abc import Iterable

from fcn.compute.learning import Result
from fcn.compute.recording import Recorded, Recording

RISEN = 1.05  # a loss that is so many times its least has risen


def sentences(recording: Recording) -> list[str]:
    """One sentence per claim; if a run does not confirm it, the sentence says what happened instead."""
    runs = {run.name: run for run in recording.runs}
    claims = [interpolates(runs["zeros"]), passes(runs["zeros"]), later(runs["zeros"], runs["random"])]
    claims += [improves(runs["bilinear"]), by_heart(runs["one"], runs["zeros"])]
    if "shape" in runs:
        claims.append(sees_shape(runs["shape"], runs["zeros"]))
    return [*claims, edges(runs["zeros"])]


def interpolates(run: Recorded) -> str:
    """From zeros it becomes like bilinear interpolation."""
    bilinear = run.task.labels["bilinear"]
    shares = [float((one.labels == bilinear).mean()) for one in run.results]
    verb = "First it learns to interpolate" if shares[-1] > 0.9 > shares[1] else "It does not come close to bilinear"
    course = [f"{shares[place]:.0%} after step {run.results[place].step}" for place in (1, len(shares) // 2, -1)]
    return f"**{verb}.** Pixels of this street with the same class as bilinear: {', '.join(course)}."


def passes(run: Recorded) -> str:
    """From zeros it passes cells, then bilinear."""
    cells, last = first_step_above(run, "nearest"), run.results[-1]
    best = max(run.results, key=lambda one: one.figures["miou"])
    goal = run.task.goals["bilinear"]["miou"]
    first = f"It overtakes cells at step {cells}" if cells is not None else "It does not overtake cells"
    if (step := first_step_above(run, "bilinear")) is not None:
        return (
            f"**Then it overtakes bilinear.** {first} and bilinear at step {step} (best mIoU {_compare(best, goal)})."
        )
    return (
        f"**It has not overtaken bilinear after {last.step} steps.** {first}; its best mIoU is {_compare(best, goal)}. "
        "With class scores alone there is next to nothing to gain over bilinear interpolation."
    )


def later(zeros: Recorded, random: Recorded) -> str:
    """From random numbers it takes longer."""
    quick, slow = first_step_above(zeros, "nearest"), first_step_above(random, "nearest")
    never = zeros.results[-1].step + 1
    longer = (slow or never) > (quick or never)
    verb, why = ("take", ": the randomness must be unlearned first") if longer else ("do not take", "")
    return (
        f"**Random numbers {verb} longer{why}.** Cells are overtaken at step {_step(quick)} from zeros and "
        f"at step {_step(slow)} from random numbers."
    )


def improves(run: Recorded) -> str:
    """From bilinear there is little to gain."""
    last = run.results[-1]
    change = last.figures["miou"] - run.results[0].figures["miou"]
    shipped = run.task.goals["transposed"]["miou"]
    return (
        f"**From bilinear, mIoU changes by {change:+.1f} points** in {last.step} steps, "
        f"to {last.figures['miou']:.1f}. The network's own kernel reaches {shipped:.1f} on these scenes."
    )


def by_heart(one: Recorded, many: Recorded) -> str:
    """With one picture it learns by heart."""
    first, last = one.results[0].figures, one.results[-1]
    least = min(one.results, key=lambda result: result.figures["loss"])
    seen, unseen = last.figures["seen"], last.figures["loss"]
    overfits = unseen > RISEN * least.figures["loss"] and seen < least.figures["seen"]
    verb = "With one picture it learns by heart" if overfits else "One picture is enough here"
    course = (
        f"is lowest at step {least.step} ({least.figures['loss']:.2f}), then rises to {unseen:.2f}"
        if overfits
        else f"also falls, to {unseen:.2f}"
    )
    return (
        f"**{verb}.** Its loss on that picture falls from {first['seen']:.2f} to {seen:.2f}; on unseen ones "
        f"it {course}. mIoU on unseen scenes ends at {last.figures['miou']:.1f}; "
        f"with {many.settings.pictures} pictures, at {many.results[-1].figures['miou']:.1f}."
    )


def sees_shape(run: Recorded, alone: Recorded) -> str:
    """Shape channels help, or not."""
    best, without = (max(one.figures["miou"] for one in each.results) for each in (run, alone))
    verb = "help" if best > without else "do not help"
    return f"**Shape channels {verb} here.** Best mIoU {best:.1f} with them, {without:.1f} without."


def edges(run: Recorded) -> str:
    """Boundary F1 overtakes bilinear earlier; ragged edges flatter it."""
    step, last = first_step_above(run, "bilinear", "boundary_f1"), run.results[-1].figures["boundary_f1"]
    goal = run.task.goals["bilinear"]["boundary_f1"]
    if step is None:
        return f"**Edges:** boundary F1 ends at {last:.1f}; bilinear has {goal:.1f}."
    return (
        f"**Edges:** boundary F1 overtakes bilinear at step {step} and ends at {last:.1f} against {goal:.1f}. "
        "Read it with care: it only asks whether an edge is near a true one, and ragged edges are near more often."
    )


def first_step_above(run: Recorded, goal: str, figure: str = "miou") -> int | None:
    """The first step after which a run is better than an upsampling."""
    value = run.task.goals[goal][figure]
    steps: Iterable[int] = (one.step for one in run.results if one.figures[figure] > value)
    return next(iter(steps), None)


def _compare(best: Result, goal: float) -> str:
    return f"{best.figures['miou']:.1f} at step {best.step}, bilinear {goal:.1f}"


def _step(step: int | None) -> str:
    return "(never)" if step is None else str(step)
