"""A run of "Watch it learn" as a few lines of Keras, which train the same layer on the same pictures."""

from __future__ import annotations

from fcn.compute.learning import BATCH, RANDOM, STEPS, TRAINING_SEED, Settings
from fcn.model.zoo import Card

PROGRAM = '''"""Train the upsampling layer of FCN-{stride}s alone: a transposed convolution that starts {words}.

Run it in the project's folder, which holds the model and draws the scenes. Needs: pip install keras tensorflow
"""

import keras
import numpy as np

from fcn.scenes.scene import render_scene

# The network stays as it is; only its score maps of drawn scenes are used, whose true labels are known
model = keras.saving.load_model("assets/models/{name}.keras", compile=False)
scenes = [render_scene(seed) for seed in range({first}, {last})]
truth = np.stack([scene.labels for scene in scenes]).astype("int32")  # (N, height, width)
height, width = truth.shape[1:]
padding = ((0, -height % 32), (0, -width % 32))
maps = []
for scene in scenes:
    outputs = model(np.pad(scene.photo, (*padding, (0, 0)), mode="edge")[np.newaxis].astype("float32"))
    maps.append({maps})
maps = np.concatenate(maps)  # (N, rows, columns, channels)

# The layer, with the weights that it starts from
enlarge = keras.layers.Conv2DTranspose({classes}, {side}, strides={stride}, padding="same", use_bias=False)
network = keras.Sequential([keras.Input((None, None, maps.shape[-1])), enlarge, keras.layers.Cropping2D(padding)])
{start}
enlarge.kernel.assign(kernel)

# Train: {batch} pictures per step, every pixel counts, the learning rate falls to zero along a cosine
rate = keras.optimizers.schedules.CosineDecay({rate:g}, {steps})
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
network.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
rng = np.random.default_rng({draw})
left = []
for step in range({steps}):
    if not len(left):
        left = rng.permutation(len(maps))
    batch, left = left[:{batch}], left[{batch}:]
    print(step + 1, float(network.train_on_batch(maps[batch], truth[batch])))

keras.Sequential([keras.Input((None, None, maps.shape[-1])), enlarge]).save("upsampling.keras")
'''
#: How each start reads in a sentence, and the lines that make its kernel.
STARTS = {
    "zeros": ("from zeros", "kernel = np.zeros({shape})"),
    "nearest": (
        "by repeating cells",
        "box = np.abs(np.arange({side}) - {middle}) < {half}  # the middle half of the kernel\n"
        'kernel = np.einsum("y,x,oi->yxoi", box, box, np.eye({classes}, {channels}))',
    ),
    "bilinear": (
        "as bilinear interpolation",
        "tent = 1 - np.abs(np.arange({side}) - {middle}) / {stride}  # 1 in the middle, 0 one cell away\n"
        'kernel = np.einsum("y,x,oi->yxoi", tent, tent, np.eye({classes}, {channels}))',
    ),
    "random": ("from random numbers", "kernel = np.random.default_rng({draw}).normal(0, {random}, {shape})"),
}


def write(card: Card, channels: int, settings: Settings) -> str:
    """Write the program.

    Args:
        card: The model's card.
        channels: Number of channels that the layer sees: the classes, and the shape channels if it sees them too.
        settings: Of the run.

    Returns:
        Python source. Run in the folder of the project it writes upsampling.keras, with the kernel of the run.
    """
    classes, stride, first = len(card.classes), settings.stride, TRAINING_SEED + 1000 * settings.draw
    words, start = STARTS[settings.start]
    side = 2 * stride
    maps = f'outputs["scores_{stride}"]'
    if channels > classes:
        maps = f'keras.ops.concatenate([{maps}, outputs["shape_{stride}"]], axis=-1)'
    return PROGRAM.format(
        name=card.name,
        stride=stride,
        words=words,
        first=first,
        last=first + settings.pictures,
        maps=maps,
        classes=classes,
        side=side,
        start=start.format(
            side=side,
            middle=stride - 0.5,
            half=stride / 2,
            stride=stride,
            classes=classes,
            channels=channels,
            shape=(side, side, classes, channels),
            draw=settings.draw,
            random=RANDOM,
        ),
        batch=BATCH,
        rate=settings.rate,
        steps=STEPS,
        draw=settings.draw,
    )
