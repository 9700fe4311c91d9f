"""Upsampling, step by step: what a transposed convolution does, number by number, and how training changed it."""

from __future__ import annotations

from fcn.ui import choices, keras_code, parts
from fcn.ui.classroom import share
from fcn.ui.lessons import interpolation, kernels, questions, resize_loss, thread, training
from fcn.ui.photo import source
from fcn.ui.stepper import stepper


def show() -> None:
    """Draw the page."""
    share.title("Upsampling, step by step")
    thread.contents()
    interpolation.two_weights()
    interpolation.four_weights()
    stepper.play()
    kernels.overlap()
    kernels.start()
    model = parts.model_switch()
    chosen = source.current(model)
    photo = resize_loss.subject(model, chosen)
    training.trained(photo)
    questions.answers(photo)
    settings = choices.current()
    keras_code.show(model, chosen, settings.stride, settings.upsampling)
