"""Training the upsampling layer alone: Keras' own steps, its starts, what it is measured against."""

from collections.abc import Iterator

import numpy as np
import pytest

from fcn.compute import learning
from fcn.compute.learning import SHOWN, STEPS, UNSEEN_SEED, Learner, Settings, network, picture
from fcn.errors import ModelError
from fcn.model.segmenter import Segmenter
from fcn.model.upsampling import bilinear_kernel, nearest, nearest_kernel, transposed
from fcn.quality.metrics import Scorer

SMALL = Settings(pictures=4)


@pytest.fixture
def shaped_segmenter(
    network: object, card: object, models: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Segmenter]:
    """A model with shape channels in place of the street model."""
    from fcn.model import engines

    segmenter = Segmenter(engines.load(card, "keras", models), card)  # type: ignore[arg-type]
    caches = (learning.network, learning.picture, learning.goal)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(learning.Segmenter, "load", lambda name: segmenter)
    yield segmenter
    for cached in caches:
        cached.cache_clear()


def test_a_step_is_that_of_keras_fit_on_the_same_data() -> None:
    import keras

    learner, same = Learner(SMALL, unseen=1, seen=1), Learner(SMALL, unseen=1, seen=1)
    batches = same.batches()
    data = [next(batches) for _ in range(3)]
    learner.train(3)
    maps, labels = (np.concatenate([batch[part] for batch in data]) for part in (0, 1))
    layer = learning.build_layer(same.kernel)
    cropping = keras.layers.Cropping2D(((0, 24), (0, 0)))
    model = keras.Sequential([keras.Input(maps.shape[1:]), layer, cropping])
    rate = keras.optimizers.schedules.CosineDecay(SMALL.rate, STEPS)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(maps, labels, batch_size=4, shuffle=False, verbose=0)
    assert np.abs(learner.kernel).max() > 0.05
    np.testing.assert_allclose(learner.kernel, np.asarray(layer.kernel), atol=1e-5)
    assert learner.step == 3


def test_every_pixel_counts_in_the_loss() -> None:
    learner = Learner(SMALL, unseen=1, seen=1)
    maps, labels = next(learner.batches())
    assert maps.shape == (4, 12, 15, 11) and labels.shape == (4, 360, 480)
    scores = learner.network(maps)
    assert scores.shape == (*labels.shape, 11)
    assert float(learner.loss(labels, scores)) == pytest.approx(np.log(11), abs=1e-5)  # zeros: all classes alike


def test_the_bilinear_start_is_bilinear_interpolation_and_steps_lower_the_loss() -> None:
    learner = Learner(Settings(start="bilinear", rate=0.003, pictures=1), unseen=2, seen=1)
    result, task = learner.measure(), learner.task()
    assert result.figures["miou"] == pytest.approx(task.goals["bilinear"]["miou"], abs=0.1)
    assert (result.labels == task.labels["bilinear"]).mean() > 0.999
    learner.train(4)
    assert learner.measure().figures["seen"] < result.figures["seen"]


def test_goals_are_those_of_the_shipped_network() -> None:
    figures, labels = learning.goal("street", 32, "transposed", 1)
    segmenter, one = network("street"), picture("street", UNSEEN_SEED)
    scorer = Scorer(11)
    scorer.add(one.truth, segmenter.upsample(one.scores).labels)
    assert figures["miou"] == pytest.approx(100 * scorer.miou, abs=0.051)
    assert (labels == segmenter.upsample(picture("street", SHOWN).scores).labels).all()


@pytest.mark.parametrize("stride", [8, 32])
def test_the_nearest_kernel_repeats_cells(stride: int) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    kernel = nearest_kernel(stride, 3, extra=2)
    assert kernel.shape == (2 * stride, 2 * stride, 3, 5)
    np.testing.assert_allclose(transposed(maps, stride, kernel), nearest(maps[..., :3], stride), atol=1e-6)


@pytest.mark.parametrize("start", learning.STARTS)
def test_starts_have_the_layers_shape(start: str) -> None:
    kernel = learning.start_kernel(Settings(start=start), 3, 5)
    assert kernel.shape == (64, 64, 3, 5) and kernel.dtype == np.float32
    if start == "bilinear":
        np.testing.assert_array_equal(kernel, bilinear_kernel(32, 3, 2))
    assert kernel.any() == (start != "zeros")


def test_a_run_is_the_same_each_time_and_another_draw_shows_others() -> None:
    first, again = (next(Learner(SMALL, 1, 1).batches())[1] for _ in range(2))
    other = next(Learner(Settings(pictures=4, draw=2), 1, 1).batches())[1]
    assert (first == again).all() and (first != other).any()


def test_pictures_come_in_turn_and_with_one_picture_it_alone() -> None:
    order = learning._order(16, 1)
    assert sorted(np.concatenate([next(order) for _ in range(4)]).tolist()) == list(range(16))
    assert [next(learning._order(1, 1)).tolist() for _ in range(2)] == [[0], [0]]


def test_with_shape_channels_the_layer_sees_them(shaped_segmenter: Segmenter) -> None:
    extra = shaped_segmenter.kernel(32).shape[3] - 11
    assert extra > 0
    learner = Learner(Settings(shape=True, pictures=1, rate=0.01), unseen=1, seen=1)
    before = learner.measure()
    assert learner.kernel.shape == (64, 64, 11, 11 + extra)
    assert any(source >= 11 for source, _ in learner.pairs)
    learner.train(2)
    assert learner.kernel[:, :, :, 11:].any()
    assert learner.measure().figures["seen"] < before.figures["seen"]
    assert Learner(Settings(pictures=1), 1, 1).kernel.shape == (64, 64, 11, 11)


@pytest.mark.parametrize(
    "settings",
    [
        {"start": "x"},
        {"pictures": 5},
        {"stride": 16},
        {"model": "people_animals"},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"shape": True, "stride": 8},
    ],
)
def test_what_is_not_offered_is_refused(settings: dict) -> None:
    with pytest.raises(ModelError):
        learning.check(Settings(**settings))


def test_a_kernel_is_rounded_to_within_half_a_step() -> None:
    kernels = np.random.default_rng(0).normal(size=(2, 4, 4))
    rounded, limits = learning.pack_kernels(kernels)
    assert rounded.dtype == np.int8 and np.abs(rounded).max() == 127
    np.testing.assert_allclose(rounded * np.array(limits)[:, None, None] / 127, kernels, atol=max(limits) / 200)


def test_a_saved_layer_loads_with_keras_alone(tmp_path: object) -> None:
    import keras

    kernel = np.random.default_rng(0).normal(size=(16, 16, 3, 5)).astype(np.float32)
    path = tmp_path / "layer.keras"  # type: ignore[operator]
    path.write_bytes(learning.save_layer(kernel))
    maps = np.random.default_rng(1).normal(size=(2, 3, 5)).astype(np.float32)
    found = keras.saving.load_model(path)(maps[np.newaxis])[0]
    np.testing.assert_allclose(np.asarray(found), transposed(maps, 8, kernel), atol=1e-4)


def test_a_segmenter_takes_another_kernel() -> None:
    segmenter, one = network("street"), picture("street", SHOWN)
    bilinear = segmenter.upsample(one.scores, 32, "bilinear").labels
    own = segmenter.with_kernels({32: bilinear_kernel(32, 11)}).upsample(one.scores, 32, "transposed").labels
    assert (own == bilinear).mean() > 0.999
    assert (segmenter.upsample(one.scores).labels != own).any()
