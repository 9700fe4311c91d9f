"""The training loop: phases of a recipe, one after the other, each resumable; then the model and its card."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from fcn.evaluation import find_pairs
from fcn.images import IGNORE_LABEL
from fcn.metrics import confusion_matrix, mean_iou
from fcn.network import STRIDES, build
from fcn.training.backbone_weights import load_imagenet
from fcn.training.dataset import (
    SCENES,
    TRAINING_SEED,
    VALIDATION_SEED,
    Batches,
    SceneFolder,
    class_weights,
    padded,
    read_folder,
)
from fcn.training.recipes import Phase, Recipe
from fcn.upsampling import bilinear_kernel

VALIDATION_PHOTOS = 50  # after each epoch; the card's figures are measured on all of them
HEADS = "upsample|enlarge|score"  # how the names of the layers on top of the backbone begin
LATE = "block3_expand"  # the first layer after stride 4


def train(
    recipe: Recipe, data: Path | None, work: Path, say: Callable[[str], None] = print, quick: bool = False
) -> keras.Model:
    """Train a model, or go on with a training that was stopped.

    Args:
        recipe: What to train and how.
        data: Folder with train/ and val/, each with images/ and labels/; None for synthetic scenes alone.
        work: Folder for what is needed to go on: made if missing, left in place at the end.
        say: Receives the progress lines.
        quick: Few scenes and one short epoch a phase: proves that the machinery runs.

    Returns:
        The trained network, its weights averaged over the last steps.

    Raises:
        DataError: The folder is not laid out as expected.
        ModelError: A package needed for training is missing.
    """
    training, validation = _samples(data, len(recipe.classes), quick)
    scenes = SceneFolder(TRAINING_SEED) if data and recipe.scene_share else None
    model = build(len(recipe.classes), dropout=0.2)
    load_imagenet(model)
    weights = class_weights(training, len(recipe.classes), recipe.weight_cap)
    work.mkdir(parents=True, exist_ok=True)
    for number, phase in enumerate(recipe.phases):
        done = work / f"phase{number}.weights.h5"
        if not done.exists():
            title = f"phase {number + 1} of {len(recipe.phases)}"
            progress = Progress(model, validation, recipe, title, say, left=recipe.phases[number + 1 :])
            _fit(model, recipe, phase, training, scenes, weights, progress, work / f"phase{number}", quick)
            model.save_weights(done)
        model.load_weights(done)
    return model


def _samples(data: Path | None, classes: int, quick: bool) -> tuple[Any, Any]:
    if data is None:
        return SceneFolder(TRAINING_SEED, 16 if quick else SCENES), SceneFolder(VALIDATION_SEED, 4 if quick else 50)
    training, validation = (find_pairs(data / part) for part in ("train", "val"))
    step = max(1, len(validation) // (4 if quick else VALIDATION_PHOTOS))
    training = training[:16] if quick else training
    return read_folder(training, classes), read_folder(validation[::step], classes)


def _fit(
    model: keras.Model,
    recipe: Recipe,
    phase: Phase,
    training: Any,
    scenes: SceneFolder | None,
    weights: np.ndarray,
    progress: Progress,
    backup: Path,
    quick: bool,
) -> None:
    """Train one phase. What is trained, and the loss of each head, is set here and nowhere else."""
    _choose_trainable(model, phase)
    weights = weights if phase.weighted else np.ones_like(weights)
    heads, step = [f"upsampled_{stride}" for stride in STRIDES], 1
    if phase.trains == "upsampling":
        for stride in STRIDES:  # a new start: what the kernels learned beside the score maps is noisy
            model.get_layer(f"upsample_{stride}").kernel.assign(bilinear_kernel(stride, len(recipe.classes)))
    else:
        heads, step = heads + [f"scores_{stride}" for stride in STRIDES], 2
    trainer = keras.Model(model.input, {head: model.output[head] for head in heads})
    batches = Batches(training, recipe, phase, heads, seed=len(progress.left), scenes=scenes)
    epochs = 1 if quick else phase.epochs
    optimizer = _optimizer(recipe, phase, steps=epochs * len(batches))
    trainer.compile(optimizer, loss={head: _loss(weights, step) for head in heads})
    keep = keras.callbacks.BackupAndRestore(backup)
    trainer.fit(batches, epochs=epochs, verbose=0, callbacks=[keep, progress])  # kept first: a stop loses nothing


def _optimizer(recipe: Recipe, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """Adam, with a smaller rate for the backbone, which ImageNet has trained, than for the new heads."""

    def adam(peak: float) -> keras.optimizers.Optimizer:
        rate = keras.optimizers.schedules.CosineDecay(
            peak / 20, steps, alpha=0.01, warmup_target=peak, warmup_steps=max(1, min(200, steps // 10))
        )
        return keras.optimizers.Adam(rate, clipnorm=1.0, use_ema=True, ema_momentum=recipe.average)

    heads = adam(phase.rate)
    if phase.trains == "upsampling":
        return heads
    backbone = adam(phase.rate * phase.backbone)
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(backbone, {f"({HEADS}).*": heads}))


def _choose_trainable(model: keras.Model, phase: Phase) -> None:
    """Set what a phase trains."""
    reached = False
    for layer in model.layers:
        reached = reached or layer.name == LATE
        if phase.trains == "all":
            layer.trainable = True
        elif phase.trains == "late":
            layer.trainable = reached and not layer.name.endswith("_bn")
        else:
            layer.trainable = layer.name.startswith("upsample")


def _loss(class_weight: np.ndarray, step: int) -> Callable[[Any, Any], Any]:
    """Return the weighted cross-entropy of a head; score maps are first upsampled bilinearly.

    With a step of 2, each quarter of the batch is judged on another quarter of the pixels: full-size scores of all
    heads are many to look at on a CPU. Every tap of a transposed kernel is trained, but neighbouring taps on different
    photos, which leaves a fine grid in the kernel: where the kernels are trained for good, the step is 1.
    """

    def quarter(tensor: Any) -> Any:
        parts = step**2
        return ops.concatenate(
            [tensor[part::parts, part // step :: step, part % step :: step] for part in range(parts)]
        )

    def loss(labels: Any, scores: Any) -> Any:
        if scores.shape[1] != labels.shape[1] or scores.shape[1] is None:
            scores = ops.image.resize(scores, ops.shape(labels)[1:3], interpolation="bilinear")
        labels, scores = quarter(ops.cast(labels, "int32")), quarter(scores)
        known = ops.cast(labels != IGNORE_LABEL, "float32")
        index = ops.where(labels == IGNORE_LABEL, 0, labels)
        weight = known * ops.take(ops.convert_to_tensor(class_weight), index)
        entropy = keras.losses.sparse_categorical_crossentropy(index, scores, from_logits=True)
        return ops.sum(weight * entropy) / ops.maximum(ops.sum(weight), 1.0)

    return loss


class Progress(keras.callbacks.SwapEMAWeights):
    """After each epoch: measure the averaged weights on validation photos and print one line."""

    def __init__(
        self,
        model: keras.Model,
        validation: Any,
        recipe: Recipe,
        title: str,
        say: Callable[[str], None],
        left: tuple[Phase, ...],
    ):
        super().__init__()
        self.network, self.validation, self.recipe = model, validation, recipe
        self.title, self.say, self.left = title, say, left

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.start: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.start is None:
            self.start, self.first = time.monotonic(), epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.on_test_begin()  # the averaged weights in
        scores = validate(self.network, self.validation, len(self.recipe.classes), self.recipe.validation_size)
        self.on_test_end()
        done, epochs = epoch + 1, self.params["epochs"]
        assert self.start is not None
        minutes = (time.monotonic() - self.start) / (done - self.first) * (epochs - done) / 60
        later = f" + {len(self.left)} more phases" if self.left else ""
        heads = "  ".join(
            f"{stride}s {100 * scores[stride, 'bilinear']:.1f} / {100 * scores[stride, 'transposed']:.1f}"
            for stride in STRIDES
        )
        loss = (logs or {}).get("loss", float("nan"))
        self.say(
            f"{self.title}  epoch {done}/{epochs}  loss {loss:.3f}  "
            f"validation mIoU bilinear / transposed: {heads}  {minutes:.0f} min left{later}"
        )


def validate(model: keras.Model, samples: Any, classes: int, size: tuple[int, int]) -> dict[tuple[int, str], float]:
    """Measure the mIoU of every head on a few photos, padded to one size.

    Returns:
        mIoU, 0 to 1, by (stride, upsampling).
    """
    ways = [(stride, way) for stride in STRIDES for way in ("bilinear", "transposed")]
    totals = {way: np.zeros((classes, classes), np.int64) for way in ways}
    for photos, labels in padded(samples, size):
        outputs = model.predict_on_batch(photos)
        for stride, way in ways:
            if way == "bilinear":
                full = ops.convert_to_numpy(ops.image.resize(outputs[f"scores_{stride}"], size, "bilinear"))
            else:
                full = outputs[f"upsampled_{stride}"]
            totals[stride, way] += confusion_matrix(labels, full.argmax(-1).astype("uint8"), classes)
    return {way: mean_iou(matrix) for way, matrix in totals.items()}
