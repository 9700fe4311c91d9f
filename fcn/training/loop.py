"""The training loop: phases of a recipe, one after the other, each resumable; then the model and its card."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from fcn.model.network import STRIDES, build
from fcn.model.upsampling import bilinear
from fcn.photos.images import IGNORE_LABEL, WORKING_SIDE, labels_to_own_size, network_input
from fcn.quality.evaluation import find_pairs
from fcn.quality.metrics import confusion_matrix, mean_iou
from fcn.training.backbone_weights import load_earlier, load_imagenet
from fcn.training.dataset import (
    SCENES,
    TRAINING_SEED,
    VALIDATION_SEED,
    Batches,
    SceneFolder,
    read_folder,
)
from fcn.training.recipes import Phase, Recipe

VALIDATION_PHOTOS = 50  # after each epoch; the card's figures are measured on all of them
UPSAMPLING = ("upsample", "mix")  # how the names of the layers begin that bring scores to full size
HEADS = (*UPSAMPLING, "enlarge", "score", "shape")  # the same of all layers on top of the backbone
VALIDATE_EVERY = 4  # epochs
#: The outputs that are judged and the weight of each in the loss, while the network is trained and while it is frozen.
NETWORK_LOSSES = {"upsampled_32": 1.0, "scores_32": 0.5, "scores_16": 0.25, "scores_8": 0.5}
HEAD_LOSSES = NETWORK_LOSSES | {"mixed_32": 1.0}
UPSAMPLING_LOSSES = {"upsampled_32": 1.0, "mixed_32": 1.0, "upsampled_16": 1.0, "upsampled_8": 1.0}
LATE = "block3_expand"  # the first layer after stride 4


def train(
    recipe: Recipe,
    data: Path | None,
    work: Path,
    say: Callable[[str], None] = print,
    quick: bool = False,
    earlier: Path | None = None,
) -> keras.Model:
    """Train a model, or resume a training that was stopped.

    Args:
        recipe: What to train and how.
        data: Folder with train/ and val/, each with images/ and labels/; None for synthetic scenes alone.
        work: Folder for what is needed to resume: created if missing, left in place at the end.
        say: Receives the progress lines.
        quick: Few scenes and one short epoch per phase: proves that the code runs.
        earlier: A trained .keras file to start from; default: ImageNet's weights for the backbone.

    Returns:
        The trained network, its weights averaged over the last steps.

    Raises:
        DataError: The folder is not laid out as expected.
        ModelError: A package needed for training is missing.
    """
    training, validation = _samples(data, len(recipe.classes), quick)
    scenes = SceneFolder(TRAINING_SEED) if data and recipe.scene_share else None
    model = build(len(recipe.classes), dropout=0.2)
    if earlier:
        load_earlier(model, keras.saving.load_model(earlier, compile=False))
    else:
        load_imagenet(model)
    work.mkdir(parents=True, exist_ok=True)
    for number, phase in enumerate(recipe.phases):
        done = work / f"phase{number}.weights.h5"
        if not done.exists():
            title = f"phase {number + 1} of {len(recipe.phases)}"
            progress = Progress(model, validation, recipe, title, say, left=recipe.phases[number + 1 :])
            _fit(model, recipe, phase, training, scenes, progress, work / f"phase{number}", quick)
            model.save_weights(done)
        model.load_weights(done)
    return model


def _samples(data: Path | None, classes: int, quick: bool) -> tuple[Any, Any]:
    if data is None:
        return SceneFolder(TRAINING_SEED, 16 if quick else SCENES), SceneFolder(VALIDATION_SEED, 4 if quick else 50)
    training, validation = (find_pairs(data / part) for part in ("train", "val"))
    step = max(1, len(validation) // (4 if quick else VALIDATION_PHOTOS))
    training = training[:16] if quick else training
    return read_folder(training, classes), read_folder(validation[::step], classes, WORKING_SIDE)


def _fit(
    model: keras.Model,
    recipe: Recipe,
    phase: Phase,
    training: Any,
    scenes: SceneFolder | None,
    progress: Progress,
    backup: Path,
    quick: bool,
) -> None:
    """Train one phase. What is trained, and the loss of each head, is set here and nowhere else."""
    _choose_trainable(model, phase)
    if phase.anew:
        _forget_upsampling(model)
    losses = {"late": NETWORK_LOSSES, "heads": HEAD_LOSSES, "upsampling": UPSAMPLING_LOSSES}[phase.trains]
    trainer = keras.Model(model.input, {head: model.output[head] for head in losses})
    batches = Batches(training, recipe, phase, list(losses), seed=len(progress.left), scenes=scenes)
    epochs = 1 if quick else phase.epochs
    optimizer = _optimizer(recipe, phase, steps=epochs * len(batches))
    trainer.compile(optimizer, loss=dict.fromkeys(losses, cross_entropy), loss_weights=losses)
    keep = keras.callbacks.BackupAndRestore(backup)
    trainer.fit(batches, epochs=epochs, verbose=0, callbacks=[keep, progress])  # kept first: a stop loses nothing


def _optimizer(recipe: Recipe, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """AdamW, with a smaller rate for the backbone, which ImageNet has trained, than for the new heads."""

    def adam(peak: float) -> keras.optimizers.Optimizer:
        rate = keras.optimizers.schedules.CosineDecay(
            peak / 20, steps, alpha=0.01, warmup_target=peak, warmup_steps=max(1, min(200, steps // 10))
        )
        return keras.optimizers.AdamW(
            rate, weight_decay=recipe.decay, clipnorm=1.0, use_ema=True, ema_momentum=phase.average
        )

    heads = adam(phase.rate)
    if phase.trains != "late":
        return heads
    backbone = adam(phase.rate * phase.backbone)
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(backbone, {f"({'|'.join(HEADS)}).*": heads}))


def _choose_trainable(model: keras.Model, phase: Phase) -> None:
    """Set what a phase trains."""
    reached = False
    for layer in model.layers:
        reached = reached or layer.name == LATE
        if phase.trains == "late":
            layer.trainable = reached and not layer.name.endswith("_bn")
        else:
            trained = HEADS if phase.trains == "heads" else UPSAMPLING
            layer.trainable = layer.name.startswith(trained)


def _forget_upsampling(model: keras.Model) -> None:
    """Give what enlarges the maps the weights that a new network has."""
    classes, shape = (model.output[name].shape[-1] for name in ("scores_32", "shape_32"))
    new = build(classes, shape)
    for layer in model.layers:
        if layer.name.startswith(UPSAMPLING):
            layer.set_weights(new.get_layer(layer.name).get_weights())


def cross_entropy(labels: Any, scores: Any) -> Any:
    """Mean cross-entropy over every labelled pixel; score maps are first enlarged bilinearly.

    No pixel is left out: judged on a regular subset of pixels, a transposed kernel learns the grid of the subset.

    Args:
        labels: (N, H, W) int, class index or IGNORE_LABEL.
        scores: (N, H, W, C), or (N, h, w, C) smaller.
    """
    if scores.shape[1] != labels.shape[1] or scores.shape[1] is None:
        scores = ops.image.resize(scores, ops.shape(labels)[1:3], interpolation="bilinear")
    labels = ops.cast(labels, "int32")
    known = ops.cast(labels != IGNORE_LABEL, "float32")
    index = ops.where(labels == IGNORE_LABEL, 0, labels)
    entropy = keras.losses.sparse_categorical_crossentropy(index, scores, from_logits=True)
    return ops.sum(known * entropy) / ops.maximum(ops.sum(known), 1.0)


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
        if (epoch + 1) % VALIDATE_EVERY and epoch + 1 < self.params["epochs"]:
            return
        self.on_test_begin()  # the averaged weights in
        scores = validate(self.network, self.validation, len(self.recipe.classes))
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


def validate(model: keras.Model, samples: Any, classes: int) -> dict[tuple[int, str], float]:
    """Measure the mIoU of every head on a few photos, each brought to the network as on the page.

    Returns:
        mIoU, 0 to 1, by (stride, upsampling).
    """
    variants = [(stride, upsampling) for stride in STRIDES for upsampling in ("bilinear", "transposed")]
    totals = {variant: np.zeros((classes, classes), np.int64) for variant in variants}
    for photo, truth in samples:
        prepared = network_input(photo)
        outputs = model.predict_on_batch(prepared.array)
        for stride, upsampling in variants:
            if upsampling == "bilinear":
                full = bilinear(np.asarray(outputs[f"scores_{stride}"])[0], stride)
            else:
                full = np.asarray(outputs[f"upsampled_{stride}"])[0]
            labels = full[: prepared.height, : prepared.width].argmax(-1).astype(np.uint8)
            resized = labels_to_own_size(labels, (truth.shape[0], truth.shape[1]))
            totals[stride, upsampling] += confusion_matrix(truth, resized, classes)
    return {variant: mean_iou(matrix) for variant, matrix in totals.items()}
