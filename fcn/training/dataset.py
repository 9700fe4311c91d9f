"""Batches for training: photos of a folder or synthetic street scenes, augmented as they are read."""

from __future__ import annotations

import keras
import numpy as np

from fcn.quality.evaluation import Pair, read_pair
from fcn.scenes.scene import render_scene
from fcn.training.augmentation import augment, paste_objects
from fcn.training.recipes import Phase, Recipe

Sample = tuple[np.ndarray, np.ndarray]  # photo (H, W, 3) uint8 and labels (H, W) uint8

#: Seeds of scenes: those trained on, and those kept for validation. Sample pictures on the page have lower seeds.
TRAINING_SEED, VALIDATION_SEED = 1_000_000, 2_000_000
#: Scenes are drawn once and kept: 60 ms each is more than the network takes for its step.
SCENES = 600


class SceneFolder:
    """Synthetic scenes, drawn when first used, in place of a folder of photos."""

    def __init__(self, first_seed: int, count: int = SCENES):
        self.first_seed, self.count = first_seed, count
        self._drawn: dict[int, Sample] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if index >= self.count:
            raise IndexError(index)
        if index not in self._drawn:
            scene = render_scene(self.first_seed + index)
            self._drawn[index] = scene.photo, scene.labels
        return self._drawn[index]


def read_folder(pairs: list[Pair], classes: int, max_side: int | None = None) -> list[Sample]:
    """Read photos with their masks into memory, for use in every epoch; arguments and errors as for `read_pair`."""
    return [read_pair(pair, classes, max_side) for pair in pairs]


class Batches(keras.utils.PyDataset):
    """Random crops, a share of them from synthetic scenes, in a new order every epoch."""

    def __init__(
        self,
        samples: list[Sample] | SceneFolder,
        recipe: Recipe,
        phase: Phase,
        heads: list[str],
        seed: int,
        scenes: SceneFolder | None = None,
    ):
        super().__init__(workers=1, max_queue_size=8)
        self.samples, self.recipe, self.phase, self.heads = samples, recipe, phase, heads
        self.scenes, self.rng = scenes, np.random.default_rng(seed)
        self.scene_count = round(recipe.batch * recipe.scene_share) if scenes is not None else 0
        self.order = self.rng.permutation(len(samples))

    def __len__(self) -> int:
        return -(-len(self.samples) // (self.recipe.batch - self.scene_count))

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        take = self.recipe.batch - self.scene_count
        chosen = [self.samples[self.order[(index * take + place) % len(self.samples)]] for place in range(take)]
        if self.scenes is not None:
            chosen += [self.scenes[int(i)] for i in self.rng.integers(len(self.scenes), size=self.scene_count)]
        crops = [self._with_pasted(self._crop(sample)) for sample in chosen]
        self.rng.shuffle(crops)  # type: ignore[arg-type]
        photos = np.stack([photo for photo, _ in crops]).astype("float32")  # (N, h, w, 3)
        labels = np.stack([mask for _, mask in crops]).astype("int32")  # (N, h, w)
        return photos, dict.fromkeys(self.heads, labels)

    def _crop(self, sample: Sample) -> Sample:
        return augment(*sample, self.phase.crop, self.phase.scale, self.phase.colour, self.rng)

    def _with_pasted(self, crop: Sample) -> Sample:
        if self.rng.random() >= self.recipe.paste_share:
            return crop
        donor = self._crop(self.samples[int(self.rng.integers(len(self.samples)))])
        return paste_objects(*crop, *donor, self.recipe.pasted)

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(len(self.samples))
