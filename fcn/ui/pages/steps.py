"""Upsampling, step by step: what a transposed convolution does, number by number, and what training made of it."""

from __future__ import annotations

from fcn.ui import parts
from fcn.ui.classroom import share
from fcn.ui.lessons import kernels, questions, resize_loss
from fcn.ui.photo import source
from fcn.ui.stepper import stepper


def show() -> None:
    """Draw the page."""
    share.title("Upsampling, step by step")
    stepper.play()
    kernels.overlap()
    kernels.start()
    model = parts.model_switch()
    photo = resize_loss.subject(model, source.current(model))
    kernels.trained(model)
    resize_loss.why_not_bilinear(photo)
    questions.answers(photo)
