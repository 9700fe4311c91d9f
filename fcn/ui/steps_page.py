"""Upsampling, step by step: what a transposed convolution does, number by number, and what training made of it."""

from __future__ import annotations

from fcn.ui import kernels, parts, questions, share, shrinking, source, stepper


def show() -> None:
    """Draw the page."""
    share.title("Upsampling, step by step")
    stepper.play()
    kernels.overlap()
    kernels.start()
    model = parts.model_switch()
    photo = shrinking.subject(model, source.current(model))
    kernels.trained(model)
    shrinking.why_not_bilinear(photo)
    questions.answers(photo)
