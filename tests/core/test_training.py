"""Training: augmentation, class weights, what is trained, and a small run that is stopped and goes on."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow
from PIL import Image

from fcn.errors import MaskError
from fcn.model import network, zoo
from fcn.model.network import STRIDES, Stage
from fcn.model.upsampling import bilinear_kernel
from fcn.photos.images import IGNORE_LABEL, network_input
from fcn.training import loop
from fcn.training.augmentation import augment, cut, paste_objects
from fcn.training.backbone_weights import load_earlier
from fcn.training.command import train_to_file
from fcn.training.dataset import Batches, SceneFolder, read_folder
from fcn.training.recipes import RECIPES, Phase
from tests.support.photos import smooth_photo

LINE = re.compile(
    r"phase (\d) of 2  epoch (\d)/(\d)  loss \d+\.\d{3}  validation mIoU bilinear / transposed: "
    r"32s \d+\.\d / \d+\.\d  16s \d+\.\d / \d+\.\d  8s \d+\.\d / \d+\.\d  \d+ min left( \+ 1 more phases)?$"
)
PHASES = (
    Phase(epochs=2, crop=(64, 64), rate=1e-3, scale=(0.8, 1.2)),
    Phase(epochs=1, crop=(64, 64), rate=1e-3, scale=(0.8, 1.2), trains="upsampling"),
)
TINY = replace(
    RECIPES["street"],
    title="Tiny",
    classes=("sky", "road"),
    palette=((0, 0, 255), (90, 90, 90)),
    phases=PHASES,
    scene_share=0.0,
    batch=4,
)


def two_colours(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo whose upper part is blue and whose lower part is red, with labels 0 and 1 to match."""
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :] = 1
    return np.array([[0, 0, 255], [255, 0, 0]], np.uint8)[labels], labels


# --- augmentation


@pytest.mark.parametrize("crop, scale", [((64, 96), (0.3, 0.5)), ((64, 96), (1, 2)), ((160, 32), (0.5, 1.5))])
def test_augmented_labels_move_with_the_photo(crop: tuple[int, int], scale: tuple[float, float]) -> None:
    labels = np.random.default_rng(1).integers(0, 2, (6, 8), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    photo = np.array([[0, 0, 255], [255, 0, 0]], np.uint8)[labels]
    seen = 0
    for seed in range(20):
        found, mask = augment(photo, labels, crop, scale, 0.3, np.random.default_rng(seed))
        assert found.shape == (*crop, 3) and mask.shape == crop
        assert found.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1, IGNORE_LABEL}
        known = mask != IGNORE_LABEL
        red = found[..., 0].astype(int) > found[..., 2]
        assert (red[known] == mask[known]).mean() > 0.93  # the rest lies on blurred borders
        seen += known.sum()
    assert seen > 0


def test_what_lies_outside_the_photo_is_ignored() -> None:
    photo, labels = two_colours(40, 40)
    for seed in range(10):
        _, mask = augment(photo, labels, (128, 128), (1, 1), 0.3, np.random.default_rng(seed))
        inside = mask != IGNORE_LABEL
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert 35 <= len(rows) <= 46 and 35 <= len(columns) <= 46  # stretched by at most 13 %
        assert inside.sum() == len(rows) * len(columns)  # one rectangle


def test_about_half_of_the_photos_are_mirrored() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    photo = np.zeros((64, 64, 3), np.uint8)
    rng = np.random.default_rng(0)
    first = [augment(photo, labels, (32, 64), (1.2, 1.2), 0.3, rng)[1] for _ in range(40)]
    mirrored = sum(mask[:, :20].mean() > mask[:, -20:].mean() for mask in first)
    assert 10 <= mirrored <= 30


def test_the_same_seed_augments_the_same() -> None:
    sample = two_colours(50, 70)
    one, other = (augment(*sample, (64, 64), (0.5, 2), 0.3, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("top, left", [(0, 0), (3, 2), (-2, -1), (-2, 4)])
def test_cut_is_a_window_with_a_margin(top: int, left: int) -> None:
    values = np.arange(1, 49, dtype=np.uint8).reshape(6, 8)
    wide = np.pad(values, 10, constant_values=99)
    found = np.asarray(cut(Image.fromarray(values), [top, left], (5, 6), 99))
    np.testing.assert_array_equal(found, wide[10 + top : 15 + top, 10 + left : 16 + left])


def test_pasted_objects_bring_their_labels_and_leave_the_rest() -> None:
    photo, labels = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    donor, donor_labels = np.full((4, 6, 3), 9, np.uint8), np.full((4, 6), IGNORE_LABEL, np.uint8)
    donor_labels[1:3, 2:4] = 2
    donor_labels[3, 5] = 1
    pasted, mask = paste_objects(photo, labels, donor, donor_labels, (2,))
    inside = np.zeros((4, 6), bool)
    inside[1:3, 2:4] = True
    np.testing.assert_array_equal(mask, np.where(inside, 2, 0))
    np.testing.assert_array_equal(pasted[..., 1], np.where(inside, 9, 0))


# --- batches


def test_a_batch_mixes_in_its_share_of_scenes() -> None:
    recipe = replace(TINY, batch=8, scene_share=0.25)
    samples = [two_colours(64, 64) for _ in range(9)]
    scene = np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 7, np.uint8)
    scenes = SceneFolder(0, 1)
    scenes._drawn[0] = scene
    batches = Batches(samples, recipe, replace(PHASES[0], scale=(1.3, 1.3)), ["one", "two"], 0, scenes)
    assert len(batches) == 2  # 6 of 9 photos each, the second filled up
    photos, labels = batches[1]
    assert photos.shape == (8, 64, 64, 3) and photos.dtype == np.float32
    assert labels.keys() == {"one", "two"}
    assert sum((mask == 7).any() for mask in labels["one"]) == 2


def test_every_photo_is_used_once_an_epoch() -> None:
    samples = [(np.zeros((64, 64, 3), np.uint8), np.full((64, 64), number, np.uint8)) for number in range(8)]
    batches = Batches(samples, TINY, replace(PHASES[0], scale=(1.3, 1.3)), ["head"], 0)
    orders = []
    for _ in range(2):
        orders.append([int(mask.max()) for index in range(2) for mask in batches[index][1]["head"]])
        batches.on_epoch_end()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(8))
    assert orders[0] != orders[1]


def test_scenes_are_drawn_once_and_end() -> None:
    scenes = SceneFolder(5, 1)
    assert len(list(scenes)) == 1  # type: ignore[call-overload]  # it ends by IndexError
    assert scenes[0][0] is scenes[0][0]


# --- the run


@pytest.fixture
def tiny_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe of two classes for a network of four small blocks, without ImageNet weights."""
    monkeypatch.setattr(network, "STAGES", [Stage(1, 3, 2, expansion, 8) for expansion in (1, 1, 1, 2)])
    monkeypatch.setitem(network.FEATURE_LAYERS, 8, "block1_project_bn")
    monkeypatch.setitem(network.FEATURE_LAYERS, 16, "block2_project_bn")
    monkeypatch.setattr(network, "TOP_CHANNELS", 16)
    monkeypatch.setattr(loop, "load_imagenet", lambda model: None)
    monkeypatch.setattr(loop, "VALIDATE_EVERY", 1)
    monkeypatch.setitem(RECIPES, "tiny", TINY)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for part, count in (("train", 4), ("val", 2)):
        for kind in ("images", "labels"):
            (tmp_path / "data" / part / kind).mkdir(parents=True)
        for index in range(count):
            photo, labels = two_colours(64, 96)
            Image.fromarray(photo).save(tmp_path / "data" / part / "images" / f"{index}.png")
            Image.fromarray(labels).save(tmp_path / "data" / part / "labels" / f"{index}.png")
    return tmp_path / "data"


@pytest.fixture
def eager_mode() -> Iterator[None]:
    """Run every operation as it comes: for a few steps, building TensorFlow's graphs takes four times as long."""
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though")  # tf.data keeps its graphs, and says so
def test_a_stopped_training_goes_on_and_ends_with_a_model_and_its_card(
    tiny_recipe: None,
    eager_mode: None,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "models" / "tiny.keras"
    train, lines = loop.train, []
    optimizer, optimizers = loop._optimizer, []

    def note_optimizer(*arguments: Any, **options: Any) -> Any:
        optimizers.append(optimizer(*arguments, **options))
        return optimizers[-1]

    monkeypatch.setattr(loop, "_optimizer", note_optimizer)

    def train_and_stop(*arguments: Any, say: Any, **options: Any) -> Any:
        def stop(line: str) -> None:
            lines.append(line)
            raise KeyboardInterrupt

        return train(*arguments, say=stop, **options)  # type: ignore[misc]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "train", train_and_stop)
        train_to_file("tiny", str(data), out)
    assert not out.exists()

    train_to_file("tiny", str(data), out)
    *said, measuring, wrote = capsys.readouterr().out.splitlines()
    matches = [LINE.match(line) for line in lines + said]
    assert all(matches), lines + said
    assert [match.groups()[:3] for match in matches if match] == [("1", "1", "2"), ("1", "2", "2"), ("2", "1", "1")]
    steps = [[int(part.iterations) for part in whole.optimizers] for whole in optimizers[:2]]
    assert steps == [[1, 1], [2, 2]]  # the second run took over moments and learning rate
    assert "tiny.keras" in measuring and "tiny.json" in wrote

    card = zoo.read_card("tiny", out.parent)
    assert (card.title, card.classes) == ("Tiny", ("sky", "road"))
    assert card.recipe["phases"][1]["trains"] == "upsampling"
    assert card.validation["images"] == 2
    rows = [(row["stride"], row["upsampling"]) for row in card.validation["results"]]
    plain = [(stride, name) for stride in STRIDES for name in ("nearest", "bilinear", "transposed")]
    assert rows == [*plain[:3], (32, "mixed"), *plain[3:]]
    assert card.validation["compare"]["gains"].keys() == {"bilinear", "mixed", "best"}
    assert [row["stride"] for row in card.validation["kernels"]] == list(STRIDES)
    model = zoo.load(card, out.parent)
    assert model.count_params() == card.parameters
    assert {entry.compress_type for entry in zipfile.ZipFile(out).infolist()} == {zipfile.ZIP_LZMA}
    assert sorted(path.name for path in out.parent.iterdir()) == ["tiny.json", "tiny.keras", "tiny.tiny-data.training"]


def test_upsampling_can_start_anew_while_the_rest_is_kept() -> None:
    new, model = network.build(3, 4), network.build(3, 4)
    for layer in model.layers:
        layer.set_weights([weights + 1 for weights in layer.get_weights()])
    kept = model.get_layer("score_32").get_weights()
    loop._forget_upsampling(model)
    for name in ("upsample_32", "upsample_16", "upsample_8", "mix_32"):
        np.testing.assert_array_equal(model.get_layer(name).kernel, new.get_layer(name).kernel)
    for weights, before in zip(model.get_layer("score_32").get_weights(), kept, strict=True):
        np.testing.assert_array_equal(weights, before)


@pytest.mark.parametrize("trains", ["late", "heads", "upsampling"])
def test_what_a_phase_trains(tiny_recipe: None, trains: str) -> None:
    model = network.build(2)
    loop._choose_trainable(model, replace(PHASES[0], trains=trains))
    trained = {variable.path.split("/")[0] for variable in model.trainable_variables}
    upsampling = {f"upsample_{stride}" for stride in STRIDES}
    heads = upsampling | {"enlarge_32", "enlarge_16", "shape_32"} | {f"score_{stride}" for stride in STRIDES}
    if trains == "upsampling":
        assert trained == upsampling | {"mix_32"}
    elif trains == "heads":
        assert trained == heads | {"mix_32"}
    else:
        assert heads < trained and {"block3_expand", "top"} < trained
        assert not trained & {"stem", "block0_depthwise", "block2_project"}
        assert not any(name.endswith("_bn") for name in trained)


def test_loss_is_the_cross_entropy_of_every_known_pixel() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (4, 8, 8), dtype=np.int32)
    labels[0, :4] = IGNORE_LABEL
    scores = rng.normal(size=(4, 8, 8, 3)).astype(np.float32)
    known = labels != IGNORE_LABEL
    chance = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    entropy = -np.log(np.take_along_axis(chance, np.where(known, labels, 0)[..., None], -1))[..., 0]
    found = float(loop.cross_entropy(keras.ops.array(labels), keras.ops.array(scores)))
    assert found == pytest.approx(entropy[known].mean(), 1e-4)


def test_loss_upsamples_score_maps() -> None:
    labels = np.ones((4, 64, 64), np.int32)
    scores = np.tile(np.array([0, 5], np.float32), (4, 2, 2, 1))
    found = float(loop.cross_entropy(keras.ops.array(labels), keras.ops.array(scores)))
    assert found == pytest.approx(np.log(1 + np.exp(-5)), rel=1e-3)


def test_loss_is_the_same_in_the_graph_of_a_network_of_open_size() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, (4, 32, 64), dtype=np.int32), rng.normal(size=(4, 4, 8, 2)).astype(np.float32)
    shapes = [tensorflow.TensorSpec((None, 32, 64), "int32"), tensorflow.TensorSpec((None, None, None, 2))]
    expected = float(loop.cross_entropy(keras.ops.array(labels), keras.ops.array(scores)))
    graph = tensorflow.function(loop.cross_entropy, input_signature=shapes)
    assert float(graph(labels, scores)) == pytest.approx(expected, rel=1e-4)


def test_a_later_network_starts_from_an_earlier_one_without_shape_channels(tiny_recipe: None) -> None:
    earlier, later = network.build(2, 0), network.build(2, 3)
    rng = np.random.default_rng(0)
    for layer in earlier.layers:
        layer.set_weights([rng.uniform(0.5, 1, weight.shape) for weight in layer.get_weights()])
    load_earlier(later, earlier)
    photo = rng.uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    before, after = earlier(photo, training=False), later(photo, training=False)
    for stride in STRIDES:
        np.testing.assert_allclose(after[f"scores_{stride}"], before[f"scores_{stride}"], rtol=1e-4)
    np.testing.assert_array_equal(after["mixed_32"], after["scores_32"])
    np.testing.assert_array_equal(later.get_layer("upsample_32").kernel, bilinear_kernel(32, 2, 3))  # begins anew


def test_training_photos_are_checked_as_in_evaluation(data: Path) -> None:
    from fcn.quality.evaluation import find_pairs

    pairs = find_pairs(data / "train")
    np.testing.assert_array_equal(read_folder(pairs, 2)[0][1], two_colours(64, 96)[1])
    with pytest.raises(MaskError, match="has values that are not classes"):
        read_folder(pairs, 1)
    Image.fromarray(smooth_photo(32, 32)).save(pairs[0][0])
    with pytest.raises(MaskError, match="its photo has 32 x 32"):
        read_folder(pairs, 2)


def test_validation_goes_the_way_of_the_page() -> None:
    class FakeNetwork:
        """Knows red from blue."""

        def predict_on_batch(self, photos: np.ndarray) -> dict[str, np.ndarray]:
            seen.append(photos)
            scores = np.zeros((*photos.shape[:3], 2), np.float32)
            scores[..., 1] = 2.0 * (photos[..., 0] > photos[..., 2]) - 1
            cells = {f"scores_{s}": scores[:, s // 2 :: s, s // 2 :: s] for s in STRIDES}
            return cells | {f"upsampled_{s}": scores for s in STRIDES}

    seen: list[np.ndarray] = []
    samples = [two_colours(64, 128), two_colours(600, 1200)]
    found = loop.validate(FakeNetwork(), samples, 2)
    for photo, (pixels, _) in zip(seen, samples, strict=True):
        np.testing.assert_array_equal(photo, network_input(pixels).array)
    assert found == {(s, u): pytest.approx(1, abs=0.08) for s in STRIDES for u in ("bilinear", "transposed")}


def test_recipes_fit_their_batches() -> None:
    for recipe in RECIPES.values():
        assert len(recipe.palette) == len(recipe.classes) == len(set(recipe.palette))
        assert set(recipe.pasted) < set(range(len(recipe.classes)))
        sizes = [phase.crop for phase in recipe.phases]
        assert all(side % 32 == 0 for size in sizes for side in size)
