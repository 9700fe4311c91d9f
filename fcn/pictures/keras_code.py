"""What a page shows, as a few lines of Keras that do the same and need nothing of this package but the model file."""

from __future__ import annotations

import textwrap

from fcn.model.zoo import Card

HEAD = '''"""A class for every pixel of a photo, with FCN-{stride}s and {words}.

Run it in the project's folder, which holds the model. Needs: pip install keras tensorflow pillow
"""

import keras
import numpy as np
{imports}
model = keras.saving.load_model("assets/models/{name}.keras", compile=False)
photo = {photo}

# Preprocess: the longest side at most {max_side} pixels, both sides padded to multiples of 32
scale = min(1, {max_side} / max(photo.size))
width, height = (max(1, round(side * scale)) for side in photo.size)
if (width, height) != photo.size:
    photo = photo.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
pixels = np.pad(np.asarray(photo, "float32"), ((0, -height % 32), (0, -width % 32), (0, 0)), mode="edge")

# Run: a score for each of {classes} classes in each cell of {stride} x {stride} pixels
outputs = model(pixels[np.newaxis], training=False)
scores = outputs["scores_{stride}"]

# Upsample: {words}
'''
RESIZE = 'full = keras.ops.image.resize(scores, pixels.shape[:2], interpolation="{upsampling}")\n'
SHAPE = """# Shape channels show the kernel where in a cell an edge lies
maps = keras.ops.concatenate([scores, outputs["shape_32"]], axis=-1)
"""
TRANSPOSED = """{maps}enlarge = keras.layers.Conv2DTranspose(
    {classes}, {size}, strides={stride}, padding="same", use_bias=False
)
enlarge.build({seen}.shape)
enlarge.set_weights(model.get_layer("upsample_{stride}").get_weights())
full = enlarge({seen})
"""
TAIL = """
# The best class of each pixel, without the padding
labels = keras.ops.convert_to_numpy(keras.ops.argmax(full, axis=-1))[0, :height, :width].astype("uint8")

# Save: the values of the picture are the classes, its palette their colours
# {names}
palette = [
{palette}
]
picture = Image.fromarray(labels)
picture.putpalette([part for colour in palette for part in colour])
picture.save("labels.png")
"""
WORDS = {
    "nearest": "repeated cells (nearest)",
    "bilinear": "bilinear interpolation",
    "transposed": "a trained transposed convolution",
}


def write(card: Card, shape_channels: int, stride: int, upsampling: str, photo: str | int, max_side: int) -> str:
    """Write the program.

    Args:
        card: The model's card.
        shape_channels: Number of shape channels of the model, 0 for none.
        stride: 32, 16 or 8.
        upsampling: A name of WORDS.
        photo: Path of the photo, or the seed of a street scene of this package.
        max_side: Longest side of the working size, pixels.

    Returns:
        Python source. Run in the folder of the project it writes labels.png, with the labels that the page shows.
    """
    imports = "from PIL import Image, ImageOps\n"
    open_photo = f'ImageOps.exif_transpose(Image.open({photo!r})).convert("RGB")'
    if isinstance(photo, int):
        imports = "from PIL import Image\n\nfrom fcn.scenes.scene import render_scene\n"
        open_photo = f"Image.fromarray(render_scene({photo}).photo)"
    classes = len(card.classes)
    head = HEAD.format(
        stride=stride,
        words=WORDS[upsampling],
        imports=imports,
        name=card.name,
        photo=open_photo,
        max_side=max_side,
        classes=classes,
    )
    sees_shape = stride == 32 and shape_channels > 0
    enlarge = RESIZE.format(upsampling=upsampling)
    if upsampling == "transposed":
        enlarge = TRANSPOSED.format(
            maps=SHAPE if sees_shape else "",
            seen="maps" if sees_shape else "scores",
            classes=classes,
            size=2 * stride,
            stride=stride,
        )
    names = textwrap.fill(
        ", ".join(f"{index} {name}" for index, name in enumerate(card.classes)), 110, subsequent_indent="# "
    )
    palette = textwrap.indent(
        textwrap.fill(", ".join(f"({r}, {g}, {b})" for r, g, b in card.palette) + ",", 110), "    "
    )
    return head + enlarge + TAIL.format(names=names, palette=palette)
