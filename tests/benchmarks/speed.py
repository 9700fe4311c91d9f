"""How fast a photo becomes labels, beside other libraries, LiteRT itself and the machine's own limit.

    python -m tests.benchmarks.speed

Prints one Markdown table and exits 1 if a target is missed. Everything in a group takes turns in an order drawn anew
each round, and a ratio is taken within a round: whatever else the machine does slows both sides. A turn is one run that
is not timed, then the median of as many as fit into a quarter of a second, of one at least. A measurement waits
until the machine is quiet, and rounds in which other processes took more than a tenth of it are run again. What is not
installed is said and left out; `tests/benchmarks/requirements.txt` has it all. The networks of others have random
weights: they are as fast as trained ones.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image

from fcn.compute.decoding import Decoder
from fcn.machine import processors
from fcn.model import zoo
from fcn.model.engines import join_bytes
from fcn.model.network import STRIDES
from fcn.model.segmenter import Segmenter
from fcn.photos.images import Pixels, network_input
from fcn.pictures import render
from fcn.scenes.scene import render_scene

ROOT = Path(__file__).parents[2]
MODEL = zoo.names()[0]
SIZES = ((480, 360), (960, 720))  # width, height of the photo, which is the working size too
THREADS = processors()
QUIET = 0.1  # share of the machine that other processes may take in a round
REST = 0.1  # seconds before each measurement, in which the threads of the one before it stop spinning
TURN = 0.25  # seconds in which something quick is run again and again
GEMM = 2048  # side of the square matrices that are multiplied

ENGINES = {"litert": "ai_edge_litert", "keras": "keras"}  # engine -> the package it needs; the default comes first
LITERT = "LiteRT alone, same model"
DEEPLAB, SEGFORMER = "KerasHub DeepLabV3+ (ResNet50)", "Hugging Face SegFormer-B0"
DEEPLAB_VARIANTS = ("predict", "tf.function")
SEGFORMER_VARIANTS = ("inference mode", "inference mode, channels last")
RIVALS = [f"{DEEPLAB}, {name}" for name in DEEPLAB_VARIANTS] + [f"{SEGFORMER}, {name}" for name in SEGFORMER_VARIANTS]
FLOOR = "the machine's limit for our multiply-adds"
LARGE, SMALL = "4000 x 3000 JPEG to labels PNG", "480 x 360 JPEG to labels PNG"
START, IMPORTS = "start to first labels", "import streamlit, tensorflow"
SERVER, PAGE = "streamlit run app.py until it answers", "streamlit run app.py until its first page is complete"

Job = Callable[[], dict[str, float]]  # runs once; row of the table -> seconds
Labeller = Callable[[], np.ndarray]  # the labels of a photo, (height, width) uint8
Times = dict[str, np.ndarray]  # row of the table -> seconds of each round

notes: list[str] = []  # printed below the table


class Rounds(NamedTuple):
    """How much is measured: rounds of each group, seconds to get as many quiet ones, seconds of a turn (0: one run)."""

    rounds: int
    patience: float
    turn: float = TURN


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the table: times or ratios, one a round.

    Attributes:
        what: What was measured.
        photo: Size of the photo.
        values: Seconds, or ratios; None if it is not installed.
        limit: The target of a ratio.
        least: The target is a lower limit.
        ratio: The values are ratios.
    """

    what: str
    photo: str
    values: np.ndarray | None
    limit: float | None = None
    least: bool = False
    ratio: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the median meets the target, as far as there are both."""
        if self.limit is None or self.values is None:
            return True
        median = float(np.median(self.values))
        return median >= self.limit if self.least else median <= self.limit

    def __str__(self) -> str:
        if self.values is None:
            return f"| {self.what} | {self.photo} | not installed | | |"
        scale, digits, unit = (1, 2, "times") if self.ratio else (1000, 1, "ms")
        low, median, high = (f"{scale * value:.{digits}f}" for value in quartiles(self.values))
        return f"| {self.what} | {self.photo} | {median} {unit} | {low} to {high} | {self.target} |"

    @property
    def target(self) -> str:
        """The target and whether it is met, in words."""
        if self.limit is None:
            return ""
        return f"at {'least' if self.least else 'most'} {self.limit:g}: {'kept' if self.is_met else 'MISSED'}"


def main() -> int:
    """Measure, print each group as it comes, and return 0 if all targets are met."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeats", type=int, default=15, help="rounds of each group (default: 15)")
    arguments.add_argument("--starts", type=int, default=5, help="fresh processes of each kind (default: 5)")
    patience = "seconds in which each group tries to get as many quiet rounds (default: 180)"
    arguments.add_argument("--patience", type=float, default=180, help=patience)
    options = arguments.parse_args()
    set_threads()
    rounds, few = Rounds(options.repeats, options.patience), Rounds(options.starts, options.patience, 0)
    print(f"{platform.machine()}, {platform.system()}, {THREADS} threads for everything; {list_versions()}\n")
    print("| what | photo | median | middle half | target |\n|---|---|---:|---:|---|", flush=True)
    groups = [partial(measure_size, *size, rounds) for size in SIZES] + [
        partial(measure_uploads, rounds),
        partial(measure_starts, few),
    ]
    kept = True
    for group in groups:
        rows = group()
        print(*rows, sep="\n", flush=True)
        kept = kept and all(row.is_met for row in rows)
        gc.collect()  # the networks of one size
    print("\n- " + "\n- ".join(dict.fromkeys(notes)))
    return 0 if kept else 1


def set_threads() -> None:
    """Give every library the same number of threads, and NumPy one, as the server does: visitors come in parallel."""
    import tensorflow as tf
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, "blas")
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    if is_installed("torch"):
        import torch

        torch.set_num_threads(THREADS)


def list_versions() -> str:
    """Versions of the packages that the figures depend on, as far as they are installed."""
    packages = ("numpy", "tensorflow", "keras", "ai_edge_litert", "keras_hub", "torch", "transformers", "streamlit")
    names = packages_distributions()
    return ", ".join(
        f"{names[package][0]} {version(names[package][0])}" for package in packages if is_installed(package)
    )


def is_installed(*packages: str) -> bool:
    """Whether all of these packages can be imported."""
    return all(find_spec(package) for package in packages)


# Photo to labels


def measure_size(width: int, height: int, rounds: Rounds) -> list[Row]:
    """Time everything that turns a photo of one size into labels, and what it is compared with."""
    pixels = photo(width, height)
    segmenters = load_engines()
    jobs = {engine: our_job(engine, segmenter, pixels) for engine, segmenter in segmenters.items()}
    jobs |= {"floor": floor_job(width, height)}
    if is_installed("ai_edge_litert"):
        jobs[LITERT] = litert_job(pixels)
    if is_installed("keras_hub"):
        jobs |= rival_jobs(DEEPLAB, deeplab_variants(pixels), pixels)
    if is_installed("transformers", "torch"):
        jobs |= rival_jobs(SEGFORMER, segformer_variants(pixels), pixels)
    times = measure(jobs, rounds, f"{width} x {height}")
    return time_rows(times, f"{width} x {height}") + ratio_rows(times, f"{width} x {height}", next(iter(segmenters)))


def load_engines() -> dict[str, Segmenter]:
    """A segmenter for each engine that is installed, the default one first."""
    return {engine: Segmenter.load(MODEL, engine) for engine, package in ENGINES.items() if is_installed(package)}


def our_job(engine: str, segmenter: Segmenter, pixels: Pixels) -> Job:
    """From pixels to labels with our code. The network runs once for the three strides, as on the page."""
    from fcn.ui.parts import UPSAMPLING_TITLES

    def compute_page() -> None:
        scores = segmenter.score(pixels, max(pixels.shape))
        for upsampling in UPSAMPLING_TITLES:
            segmenter.upsample(scores, 32, upsampling, confidence=upsampling != "nearest")

    @limit_threads
    def job() -> dict[str, float]:
        start = time.perf_counter()
        scores = segmenter.score(pixels, max(pixels.shape))
        scored = time.perf_counter() - start
        times = {our_row(engine): scores.milliseconds / 1000}
        for stride in STRIDES:
            upsampled = time_run(partial(segmenter.upsample, scores, stride))
            times[our_row(engine, stride)] = scored + upsampled
        return times | {page_row(engine): time_run(compute_page)}

    return job


def time_row(row: str, run: Callable[[], Any]) -> dict[str, float]:
    """Seconds of one run, as a row of the table."""
    return {row: time_run(run)}


def our_row(engine: str, stride: int | None = None) -> str:
    """Name of a row about us; without a stride, the one about the network only."""
    return f"ours, {engine}, " + (f"stride {stride}" if stride else "network only (score maps)")


def page_row(engine: str) -> str:
    """Name of the row about all that the page computes for a photo."""
    return f"ours, {engine}, all that the page computes"


def limit_threads(job: Job) -> Job:
    """Run a job with as many threads for matrix products as the server uses; rivals have them all."""
    from threadpoolctl import ThreadpoolController

    from fcn.ui.compute import BLAS_THREADS

    controller = ThreadpoolController()

    def run() -> dict[str, float]:
        with controller.limit(limits=BLAS_THREADS, user_api="blas"):
            return job()

    return run


def litert_job(pixels: Pixels) -> Job:
    """The bare interpreter on the converted model that our engine runs."""
    from ai_edge_litert.interpreter import Interpreter

    array = network_input(pixels, max(pixels.shape)).array
    arrays = np.load(io.BytesIO(zoo.converted(zoo.read_card(MODEL))))
    graph = join_bytes(arrays["graph"]).tobytes()
    interpreter = Interpreter(model_content=graph, num_threads=THREADS)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()

    def run() -> None:
        assert graph  # the interpreter reads from it for as long as it lives
        interpreter.set_tensor(index, array)
        interpreter.invoke()

    return lambda: {LITERT: time_run(run)}


def rival_jobs(name: str, variants: dict[str, Labeller], pixels: Pixels) -> dict[str, Job]:
    """Another library's network, run in each of its variants; the quickest counts."""
    jobs: dict[str, Job] = {}
    for variant, labels in variants.items():
        if labels().shape != pixels.shape[:2]:  # this run traces or compiles it, too
            raise SystemExit(f"{name} gave {labels().shape} labels for {pixels.shape[:2]} pixels.")
        row = f"{name}, {variant}"
        jobs[row] = partial(time_row, row, labels)
    return jobs


def deeplab_variants(pixels: Pixels) -> dict[str, Labeller]:
    """DeepLabV3+ by predict and as a graph; XLA was no quicker here and kept 7 GB of memory."""
    import tensorflow as tf

    prepared = network_input(pixels, max(pixels.shape))
    model = deeplab(*prepared.array.shape[1:3])
    graph = tf.function(lambda array: model(array, training=False))

    def make_labeller(run: Callable[[np.ndarray], Any]) -> Labeller:
        def labels() -> np.ndarray:
            photo = network_input(pixels, max(pixels.shape))  # padded to a multiple of 32, which this network needs too
            scores = np.asarray(run(photo.array / np.float32(255)))[0, : photo.height, : photo.width]
            return scores.argmax(-1).astype(np.uint8)

        return labels

    predict = make_labeller(lambda array: model.predict(array, verbose=0))
    return dict(zip(DEEPLAB_VARIANTS, (predict, make_labeller(graph)), strict=True))


def deeplab(height: int, width: int) -> Any:
    """The architecture of the preset deeplab_v3_plus_resnet50_pascalvoc, for photos of one size, without its weights.

    Open sizes will not do: outside of eager mode Keras' UpSampling2D refuses them.
    """
    from keras_hub import models
    from keras_hub.models import DeepLabV3Backbone

    shape = (height, width, 3)
    encoder = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=shape,
    )
    backbone = DeepLabV3Backbone(
        image_encoder=encoder,
        projection_filters=48,
        dilation_rates=[6, 12, 18],
        upsampling_size=8,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        image_shape=shape,
    )
    published = DeepLabV3Backbone.presets["deeplab_v3_plus_resnet50_pascalvoc"]["metadata"]["params"]
    if backbone.count_params() != published:
        raise SystemExit(f"DeepLabV3+ has {backbone.count_params():,} parameters; its preset has {published:,}.")
    model = models.DeepLabV3ImageSegmenter(backbone, num_classes=len(zoo.read_card(MODEL).classes))
    notes.append(f"{DEEPLAB}: {model.count_params():,} parameters, {published:,} of them as published for its preset")
    return model


def segformer_variants(pixels: Pixels) -> dict[str, Labeller]:
    """SegFormer-B0 in PyTorch's inference mode, in both memory layouts."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(num_labels=len(zoo.read_card(MODEL).classes))  # the defaults are those of B0
    mean, deviation = (torch.tensor(of).view(1, 3, 1, 1) for of in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    models = [SegformerForSemanticSegmentation(config).eval() for _ in SEGFORMER_VARIANTS]
    notes.append(f"{SEGFORMER}: {sum(weights.numel() for weights in models[0].parameters()):,} parameters")

    def make_labeller(model: torch.nn.Module, layout: torch.memory_format) -> Labeller:
        model = model.to(memory_format=layout)

        @torch.inference_mode()
        def labels() -> np.ndarray:
            photo = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
            photo = ((photo / 255 - mean) / deviation).contiguous(memory_format=layout)
            scores = model(pixel_values=photo).logits  # a quarter of the photo's size
            scores = torch.nn.functional.interpolate(scores, pixels.shape[:2], mode="bilinear", align_corners=False)
            return scores.argmax(1)[0].to(torch.uint8).numpy()

        return labels

    layouts = (torch.contiguous_format, torch.channels_last)
    return {name: make_labeller(*of) for name, *of in zip(SEGFORMER_VARIANTS, models, layouts, strict=True)}


# The machine's limit


def floor_job(width: int, height: int) -> Job:
    """Time that the multiply-adds of our stride 32 take at the rate of one large matrix product."""
    import tensorflow as tf

    operations = count_multiply_adds(*network_input(photo(width, height), width).array.shape[1:3])
    left, right = np.random.default_rng(0).random((2, GEMM, GEMM), np.float32)
    tensors = tf.constant(left), tf.constant(right)
    notes.append(f"{width} x {height}: {operations / 1e9:.2f} thousand million multiply-adds")

    def job() -> dict[str, float]:
        products = time_run(lambda: left @ right), time_run(lambda: tf.linalg.matmul(*tensors).numpy())
        return {FLOOR: min(products) * operations / GEMM**3, "rate": GEMM**3 / min(products)}

    return job


def count_multiply_adds(height: int, width: int) -> int:
    """Multiply-adds of the network, its three score maps and the transposed convolution of stride 32."""
    import keras

    model = zoo.load(zoo.read_card(MODEL))
    counted = [layer for layer in model.layers if hasattr(layer, "kernel") and layer.name not in unused_layers()]
    transposed = keras.layers.Conv2DTranspose
    reached = {layer.name: layer.input if isinstance(layer, transposed) else layer.output for layer in counted}
    maps = keras.Model(model.input, reached)(keras.Input((height, width, 3)))  # symbolic: nothing is computed
    return sum(int(np.prod(maps[layer.name].shape[1:3]) * np.prod(layer.kernel.shape)) for layer in counted)


def unused_layers() -> set[str]:
    """The layers that a result of stride 32 does not run."""
    return {f"upsample_{stride}" for stride in STRIDES[1:]}


# Large photos, and the start


def measure_uploads(rounds: Rounds) -> list[Row]:
    """Time an upload of 12 megapixels and one of the same photo at the working size."""
    segmenter = next(iter(load_engines().values()))
    files = {LARGE: photo_file(4000, 3000), SMALL: photo_file(480, 360)}
    notes.append(", ".join(f"{name.split(' to ')[0]} of {len(file) / 1e6:.2f} MB" for name, file in files.items()))
    jobs = {name: upload_job(name, segmenter, file) for name, file in files.items()}
    times = measure(jobs, rounds, "uploads")
    ratio = Row("**a 12-megapixel JPEG in units of a small one**", "", times[LARGE] / times[SMALL], 2, ratio=True)
    return [Row(name, "", times[name]) for name in files] + [ratio]


def upload_job(name: str, segmenter: Segmenter, file: bytes) -> Job:
    """From the bytes of a JPEG, through the decoding child, to the labels as the page receives them."""
    decoder = Decoder(1)

    def run() -> bytes:
        labels = segmenter.upsample(segmenter.score(decoder.decode_light(file))).labels
        return render.labels_png(labels, segmenter.card.palette)

    return limit_threads(lambda: {name: time_run(run)})


def measure_starts(rounds: Rounds) -> list[Row]:
    """Time a new process up to its first labels, one that only imports, and the server itself."""
    first = """
        from fcn.ui.classroom import flags
        from fcn.ui.pages import quality
        from fcn.ui.photo import samples
        from fcn.ui.pages import try_it
        from fcn.ui.pages import steps
        from fcn.pictures import render
        from fcn.model import segmenter
        model = segmenter.Segmenter.load(NAME)
        photo, _ = next(iter(samples.samples(NAME).values())).read()
        labels = model.upsample(model.score(photo.pixels)).labels
        render.labels_png(labels, model.card.palette)
    """
    first = "import streamlit\n" + "\n".join(line.strip() for line in first.replace("NAME", repr(MODEL)).splitlines())
    jobs = {name: process_job(name, code) for name, code in ((START, first), (IMPORTS, "import streamlit, tensorflow"))}
    times = measure(jobs | {PAGE: start_app}, rounds, "starts")
    ratio = Row("**start in units of the imports**", "", times[START] / times[IMPORTS], 1.5, ratio=True)
    return [*(Row(name, "", times[name]) for name in (START, IMPORTS, SERVER, PAGE)), ratio]


def process_job(name: str, code: str) -> Job:
    """A new Python process from start to end."""
    command = [sys.executable, "-c", code]
    return lambda: {name: time_run(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True))}


def start_app() -> dict[str, float]:
    """Time the server until it is healthy (asked five times a second), and until the first visitor sees all."""
    from tests.support.live import Visitor, serving

    start, times = time.perf_counter(), {}

    async def visit(address: str) -> None:
        async with Visitor(address) as visitor:
            await visitor.run()
            times[PAGE] = time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "server.log") as running:
        times[SERVER] = time.perf_counter() - start
        asyncio.run(visit(running.url))
    return times


# Measuring


def time_run(run: Callable[[], Any]) -> float:
    """Time of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(jobs: dict[str, Job], rounds: Rounds, name: str) -> Times:
    """Run all jobs in rounds, and take the quietest rounds."""
    end = time.perf_counter() + rounds.patience
    run_round(jobs, end, rounds.turn)  # warms up
    run: list[tuple[float, dict[str, float]]] = []
    while len(run) < rounds.rounds or (time.perf_counter() < end and count_quiet(run) < rounds.rounds):
        run.append(run_round(jobs, end, rounds.turn))
    taken = sorted(run, key=lambda round_: round_[0])[: rounds.rounds]
    share = max(share for share, _ in taken)
    notes.append(
        f"{name}: {len(taken)} of {len(run)} rounds; other processes took up to {share:.0%} of the machine in them"
    )
    return {row: np.array([times[row] for _, times in taken]) for row in taken[0][1]}


def count_quiet(run: list[tuple[float, dict[str, float]]]) -> int:
    """Number of rounds in which other processes took little."""
    return sum(share <= QUIET for share, _ in run)


def run_round(jobs: dict[str, Job], end: float, turn: float) -> tuple[float, dict[str, float]]:
    """Give each job a turn, in any order; return the share of the machine that others took meanwhile, and the times."""
    times: dict[str, float] = {}
    taken = wall = 0.0
    for job in random.sample(list(jobs.values()), len(jobs)):
        rest(end)
        start, before = time.perf_counter(), read_other_seconds()
        times |= run_turn(job, turn)
        wall += time.perf_counter() - start
        taken += read_other_seconds() - before
    return max(0.0, taken) / (wall * THREADS), times


def run_turn(job: Job, turn: float) -> dict[str, float]:
    """Run a job for a turn, after one run that fills the caches; return the medians."""
    if turn:
        job()
    end, runs = time.perf_counter() + turn, [job()]
    while time.perf_counter() < end:
        runs.append(job())
    return {row: float(np.median([run[row] for run in runs])) for row in runs[0]}


def rest(end: float) -> None:
    """Wait until other processes are quiet, or until it is too late for that."""
    waiting = True
    while waiting:
        before = read_other_seconds()
        time.sleep(REST)
        waiting = read_other_seconds() - before > QUIET * REST * THREADS and time.perf_counter() < end


def read_other_seconds() -> float:
    """Seconds of processor time that other processes have taken so far; 0 where the system is not Linux."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, fields)
    busy = (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
    return busy - sum(os.times()[:4])


def quartiles(values: np.ndarray) -> tuple[float, float, float]:
    """A quarter of the values is below the first, half below the second, three quarters below the third."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(low), float(median), float(high)


# The table


def time_rows(times: Times, size: str) -> list[Row]:
    """The rows of one size that are times."""
    limit = f"{FLOOR} ({np.median(times['rate']) / 1e9:.0f} thousand million a second)"
    names = [our_row(engine, stride) for engine in ENGINES for stride in (*STRIDES, None)]
    names += [page_row(engine) for engine in ENGINES]
    found = [Row(name, size, times.get(name)) for name in (*names, LITERT, *RIVALS)]
    return [*found, Row(limit, size, times[FLOOR])]


def ratio_rows(times: Times, size: str, engine: str) -> list[Row]:
    """The rows of one size that are ratios: our default engine at stride 32 against everything else."""
    labels, network = times[our_row(engine, 32)], times[our_row(engine)]
    bare = network / times[LITERT] if LITERT in times else None
    rows = [Row(f"**ours, {engine}, network only, in units of LiteRT alone**", size, bare, 1.2, ratio=True)]
    what = f"**ours, {engine}, all that the page computes, in units of the network**"
    rows.append(Row(what, size, times[page_row(engine)] / network, 1.6, ratio=True))
    found = [name for name in RIVALS if name in times]
    quickest = min(found, key=lambda name: float(np.median(times[name])), default="another library")
    what = f"**{quickest}, the quickest, in units of ours, {engine}, stride 32**"
    rows.append(Row(what, size, times[quickest] / labels if found else None, 5, least=True, ratio=True))
    what = f"**ours, {engine}, stride 32, in units of the machine's limit**"
    return [*rows, Row(what, size, labels / times[FLOOR], ratio=True)]


# Photos


def photo(width: int, height: int) -> Pixels:
    """A street scene."""
    return np.array(Image.fromarray(render_scene(24).photo).resize((width, height)))


def photo_file(width: int, height: int) -> bytes:
    """A JPEG of 12 megapixels, large shapes with fine detail and sensor noise on them, or the same photo smaller."""
    large = Image.fromarray(render_scene(24).photo).resize((4000, 3000), Image.Resampling.BICUBIC)
    tile = render_scene(26).photo
    detail = np.tile(tile, (-(-3000 // tile.shape[0]), -(-4000 // tile.shape[1]), 1))[:3000, :4000]
    sharp = np.asarray(Image.blend(large, Image.fromarray(detail), 0.25))
    noise = np.random.default_rng(0).integers(-8, 9, (3000, 4000, 1))
    noisy = Image.fromarray((sharp + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    noisy.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
