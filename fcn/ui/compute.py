"""What the pages compute for visitors, on threads that all of them share.

One rule for what is kept. A result, whether of a photo, a sample or a model, is made on the shared threads and lies in
their store, or pixels in one of their own; both are bounded in bytes: `compute_once`, or `memoize` on a function of
plain arguments. What lives as long as the server is held by `st.cache_resource` or, if it is small and asked for many
times in a run, by `functools.cache`. Streamlit's other cache is not used: it samples large arrays when it hashes them,
so two photos could collide, and copies what it holds. Here the key of a photo is its SHA-256, and results are shared as
they are.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from threadpoolctl import threadpool_limits

from fcn.compute.decoding import Decoder
from fcn.compute.keras_process import KerasProcess
from fcn.compute.store import Store
from fcn.compute.trainings import Trainings
from fcn.compute.workers import Workers
from fcn.errors import ModelError
from fcn.internals import keep_uploads_in_memory
from fcn.machine import free_memory, photos_at_once, processors
from fcn.model import zoo
from fcn.model.segmenter import Scores, Segmentation, Segmenter
from fcn.model.upsampling import UPSAMPLINGS
from fcn.photos.files import MAX_BYTES
from fcn.photos.images import Photo, Pixels, shrink
from fcn.ui.keys import Session
from fcn.ui.learning.own_kernel import OwnKernel

P = ParamSpec("P")
T = TypeVar("T")
TURNS = max(2, processors())
_turns = threading.BoundedSemaphore(TURNS)
_exports = threading.Lock()
_layer_files = threading.Lock()
failed: dict[tuple[str, str], str] = {}  # model and folder -> why it could not be loaded
_mine = threading.local()  # .held: whether this thread has a turn
BLAS_THREADS = 1  # more of them would keep spinning after each product, in the way of the network
STORE = 40 * 1024**2  # bytes of results
PHOTOS = 12 * 1024**2  # bytes of pixels for each photo that is computed at once: two, and what is made of them
UPLOADS_GIVE_WAY = 15.0  # seconds: what comes up to so much later goes ahead of an upload
KERAS_STORE = 4 * 1024**2  # bytes of Keras' answers
KERAS_MEMORY = 1.5e9  # bytes that must be free for Keras to start for a training

keep_uploads_in_memory(MAX_BYTES + 1024**2)


@st.cache_resource(show_spinner=False)
def keras() -> KerasProcess:
    """Keras, in its process: the check of the step by step page, and training."""
    return KerasProcess()


@st.cache_resource(show_spinner=False)
def keras_line() -> Workers:
    """The queue for questions to Keras, apart from the threads that photos need."""
    return Workers(1, KERAS_STORE, _aside)


@st.cache_resource(show_spinner=False)
def trainings() -> Trainings:
    """All runs of "Watch it learn"."""
    return Trainings(keras())


@st.cache_resource(show_spinner=False)
def workers() -> Workers:
    """The threads that compute for all visitors."""
    threadpool_limits(BLAS_THREADS, "blas")
    return Workers(photos_at_once(), STORE, _aside)


@st.cache_resource(show_spinner=False)
def photos() -> Store:
    """Pixels of photos, apart from the results, which they would push out; dropped after a while without use."""
    return Store(PHOTOS * max(2, photos_at_once()))


@st.cache_resource(show_spinner=False)
def decoder() -> Decoder:
    """The processes that decode what visitors send."""
    return Decoder()


@st.cache_resource(show_spinner=False)
def segmenter(model: str) -> Segmenter:
    """A model, loaded once for all visitors: it is large, and threads may share it."""
    return Segmenter.load(model)


def card(model: str) -> zoo.Card:
    """A model's card.

    Raises:
        ModelError: As for `zoo.read_card` and `zoo.read_companion`.
    """
    return _card(model, str(zoo.MODELS))


@functools.cache
def _card(model: str, folder: str) -> zoo.Card:
    zoo.read_companion(model, Path(folder))  # without it every page would fail
    return zoo.read_card(model, Path(folder))


def names() -> list[str]:
    """Names of the models that work here.

    Raises:
        ModelError: There is none.
    """
    installed = _names(str(zoo.MODELS))
    if not installed:
        raise ModelError("No model is installed: assets/models is empty. Restore it from the project.")
    if not (working := [name for name in installed if _problem(name) is None]):
        raise ModelError(f"No model can be used. {_problem(installed[0])}")
    return working


@functools.cache
def _names(folder: str) -> list[str]:
    return zoo.names(Path(folder))


def _problem(model: str) -> str | None:
    """What is wrong with a model, as far as can be seen without loading it; None if nothing is."""
    if sentence := failed.get((model, str(zoo.MODELS))):
        return sentence
    try:
        card(model)
    except ModelError as error:
        return str(error)
    return None


@contextmanager
def turn() -> Iterator[None]:
    """Draw something, no more at once than TURNS: hundreds of threads would starve the one that serves the browsers.

    A part of a page that is being drawn shares its turn.
    """
    if getattr(_mine, "held", False):
        yield
        return
    with _turns:
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


@contextmanager
def _aside() -> Iterator[None]:
    """Release this thread's turn, if it has one."""
    held = getattr(_mine, "held", False)
    if held:
        _turns.release()
    try:
        yield
    finally:
        if held:
            _turns.acquire()


def pixels(photo: str, max_side: int, read: Callable[[], Photo | Pixels]) -> Pixels:
    """A photo at working size, (h, w, 3) uint8; arguments as for `scores`."""
    return compute_once(("pixels", photo, max_side), lambda: shrink(read(), max_side), keep=photos())


def scores(
    model: str, photo: str, max_side: int, read: Callable[[], Photo | Pixels], placeholder: DeltaGenerator | None = None
) -> Scores:
    """Score maps of a photo: the backbone runs here and nowhere else.

    Args:
        model: Name of the model.
        photo: SHA-256 of the photo.
        max_side: Longest side of the working size, pixels.
        read: Returns the photo, as `shrink` takes it; called if the store has neither score maps nor pixels.
        placeholder: Where to show the place in the queue, if there is one.
    """
    network = segmenter(model)
    key = ("scores", model, photo, max_side)
    return compute_once(key, lambda: network.score(pixels(photo, max_side, read), max_side), placeholder)


def segmentations(
    model: str,
    photo: str,
    max_side: int,
    stride: int,
    scored: Scores,
    placeholder: DeltaGenerator | None = None,
    own: OwnKernel | None = None,
) -> dict[str, Segmentation]:
    """Labels from every upsampling of a photo's score map.

    Args:
        model, photo, max_side, placeholder: As for `scores`.
        stride: Of the score map.
        scored: What `scores` gives.
        own: The visitor's own kernel instead of the model's.
    """
    network = segmenter(model)
    key = ("labels", model, photo, max_side, stride, own and own.sha256)

    def make() -> dict[str, Segmentation]:
        used = network if own is None else network.with_kernels({stride: own.weights})
        # The browser has the probabilities of the cells; nearest needs no others.
        return {name: used.upsample(scored, stride, name, name != "nearest") for name in UPSAMPLINGS}

    return compute_once(key, make, placeholder)


def decode_upload(data: bytes, name: str, sha256: str, placeholder: DeltaGenerator | None = None) -> Photo:
    """Decode an upload to about as many pixels as the largest working size needs, or take it from the store.

    New uploads give way. So photos that have been decoded are mostly finished before others begin, and meet their
    pixels in the store; and a switch need not wait until all uploads of a class are done.

    Args:
        data: The file.
        name: Its name, for messages.
        sha256: Hex digest of `data`.
        placeholder: As for `scores`.

    Raises:
        PhotoError: As for `Decoder.decode`.
    """
    return compute_once(("photo", sha256), lambda: decode(data, name), placeholder, photos(), UPLOADS_GIVE_WAY)


def decode(data: bytes, name: str) -> Photo:
    """Decode an upload; for the shared threads."""
    return decoder().decode_light(data, name)


def upsample_with_keras(scores: np.ndarray, stride: int, kernel: np.ndarray) -> np.ndarray:
    """Upsample with Keras; see `KerasProcess.transposed`."""
    key = (scores.shape, scores.tobytes(), stride, kernel.shape, kernel.tobytes())
    process = keras()
    return keras_line().get(key, lambda: process.transposed(scores, stride, kernel), _look_up)


def training_obstacle() -> str | None:
    """Why training is not possible now, in a sentence; None if it is."""
    free = free_memory()
    if keras().pid is not None or free is None or free >= KERAS_MEMORY:
        return None
    return f"The server has {free / 1e9:.1f} GB of memory left; training needs {KERAS_MEMORY / 1e9:.1f} GB."


def layer_file(kernel: np.ndarray) -> bytes:
    """A .keras file of an upsampling layer with this kernel.

    Raises:
        ModelError: Another one is being written: while Keras hangs, one thread for downloads waits for it, not all.
    """
    if not _layer_files.acquire(timeout=2):
        raise ModelError("Keras is busy. Try again in a minute.")
    try:
        return keras().ask("save", arrays={"kernel": kernel})[1]["file"].tobytes()
    finally:
        _layer_files.release()


def picture(key: Hashable, make: Callable[[], bytes]) -> bytes:
    """Encode a picture once; `key` tells it from all others."""
    return compute_once(("picture", key), make)


def compute_once(
    key: Hashable,
    make: Callable[[], T],
    placeholder: DeltaGenerator | None = None,
    keep: bool | Store = True,
    gives_way: float = 0.0,
) -> T:
    """Compute a result on the shared threads, or take it from the store; see `Workers.get`.

    While waiting, Streamlit gets a chance to end the run of a visitor who has left.
    """

    def waiting(before: int) -> None:
        if placeholder is None:
            _look_up(before)
        else:
            text = (
                f"{before} {'photos' if before > 1 else 'photo'} ahead of yours" if before else "Looking at the photo"
            )
            placeholder.caption(f":material/hourglass_top: {text}")

    return workers().get(key, make, waiting, keep, gives_way)


def _look_up(before: int) -> None:
    """Let Streamlit end the run here if the visitor has left."""
    st.session_state.get(Session.OWN)


def memoize(make: Callable[P, T]) -> Callable[P, T]:
    """Let a function keep its results by its arguments; those whose names begin with "_" do not count."""
    signature = inspect.signature(make)

    @functools.wraps(make)
    def get(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        key = tuple(value for name, value in bound.arguments.items() if not name.startswith("_"))
        name = f"{make.__module__}.{make.__qualname__}"
        return compute_once((name, *key), lambda: make(*args, **kwargs))

    return get


def export_file(make: Callable[[], bytes]) -> bytes:
    """Write a file for a download, which Streamlit requests outside of any visit, on the shared threads too.

    One at a time: a ZIP of 16 megapixels takes 200 MB while it is made.
    """
    with _exports:
        return workers().get(object(), make, lambda before: None, keep=False)
