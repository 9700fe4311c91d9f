"""The command line: fcn segment | evaluate | train | convert | suits | record-learning."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcn.errors import DataError, FcnError
from fcn.model import zoo
from fcn.model.network import STRIDES
from fcn.model.upsampling import UPSAMPLINGS
from fcn.photos.images import WORKING_SIDE

if TYPE_CHECKING:
    from fcn.compute.decoding import Decoder
    from fcn.model.segmenter import Segmenter


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 some photos failed, 2 nothing could be done."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on stderr otherwise
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except FcnError as error:
        print(f"fcn {options.command}: {error}", file=sys.stderr)
    except OSError as error:  # a folder that cannot be written, a full disk
        print(f"fcn {options.command}: {error}", file=sys.stderr)
    return 2


def segment(options: argparse.Namespace) -> int:
    """Write labels, overlay and coarse map of each photo."""
    from fcn.compute.decoding import Decoder
    from fcn.model.segmenter import Segmenter
    from fcn.photos.files import OPEN_PIPE, read_file, shown_name

    # Pipes are read before there are any of the program's own, which /dev/fd would name too.
    pipes = {path: _try_to_read(path) for path in options.photos if OPEN_PIPE.fullmatch(str(path))}
    given, failed = {os.path.realpath(path) for path in options.photos}, 0
    with Decoder(1) as decoder:
        segmenter = Segmenter.load(options.model)
        options.out.mkdir(parents=True, exist_ok=True)
        names = result_names(options.photos)
        for path, name in progress(list(zip(options.photos, names, strict=True)), "Segmenting"):
            try:
                data = pipes.get(path) or read_file(path)
                if isinstance(data, FcnError):
                    raise data
                for kind, picture in segment_photo(segmenter, decoder, data, path.name, options).items():
                    result = options.out / f"{name}.{kind}.png"
                    if os.path.realpath(result) in given:
                        raise DataError(f"Its result {result.name} would overwrite a photo. Choose another folder.")
                    result.write_bytes(picture)
            except (FcnError, OSError) as error:  # the others are done all the same
                print(f"fcn segment: {shown_name(str(path))}: {error}", file=sys.stderr)
                failed += 1
            else:
                if name != path.stem:
                    print(f"fcn segment: the results of {shown_name(str(path))} are named {name}", file=sys.stderr)
    return 1 if failed else 0


def _try_to_read(path: Path) -> bytes | FcnError:
    from fcn.photos.files import read_file

    try:
        return read_file(path)
    except FcnError as error:
        return error


def segment_photo(
    segmenter: Segmenter, decoder: Decoder, data: bytes, name: str, options: argparse.Namespace
) -> dict[str, bytes]:
    """The results for one photo, by kind."""
    from fcn.photos.images import LARGEST, labels_to_own_size
    from fcn.pictures import export, render

    photo = decoder.decode_light(data, name, max(LARGEST, options.size))
    scores = segmenter.score(photo, options.size)
    labels = segmenter.upsample(scores, options.stride, options.upsampling).labels
    if max(photo.pixels.shape) < (side := export.longest_side(photo.size)):
        photo = decoder.decode_light(data, name, side)
    palette, cells = segmenter.card.palette, scores.coarse_labels(options.stride)
    enlarged = labels_to_own_size(labels, (photo.pixels.shape[0], photo.pixels.shape[1]))
    return {
        "labels": render.labels_png(labels_to_own_size(labels, photo.size), palette),
        "overlay": render.png(render.overlay(photo.pixels, enlarged, palette, 0.6)),
        "coarse": render.cells_png(cells, palette, options.stride, scores.height, scores.width),
    }


def evaluate(options: argparse.Namespace) -> int:
    """Print the scores of a model on a folder of photos and masks."""
    from fcn.model.segmenter import Segmenter
    from fcn.quality.comparison import compare
    from fcn.quality.evaluation import evaluate, find_pairs, read_pair, upper_bound

    pairs = find_pairs(options.data)[: options.limit]
    if options.upper_bound:
        classes = zoo.read_card(options.model).classes
        masks = (read_pair(pair, len(classes))[1] for pair in progress(pairs, "Shrinking"))
        bound = {"model": options.model, "images": len(pairs), "upper_bound": upper_bound(masks, len(classes))}
        print(json.dumps(bound) if options.json else bound_table(bound))
        return 0
    segmenter = Segmenter.load(options.model)
    classes = segmenter.card.classes
    samples = (read_pair(pair, len(classes), options.size) for pair in progress(pairs, "Evaluating"))
    if options.compare:
        comparison = {"model": options.model, **compare(segmenter, samples, options.size)}
        print(json.dumps(comparison) if options.json else comparison_table(comparison))
        return 0
    report = {"model": options.model, "images": len(pairs), "results": evaluate(segmenter, samples, options.size)}
    print(json.dumps(report) if options.json else table(report))
    return 0


def train(options: argparse.Namespace) -> int:
    """Train a model, or resume a training that was stopped."""
    from fcn.training.command import train_to_file

    train_to_file(options.model, options.data, options.out, quick=options.quick, earlier=options.start)
    return 0


def convert(options: argparse.Namespace) -> int:
    """Convert a model for LiteRT and record the file in its card."""
    from dataclasses import replace

    from fcn.model import engines

    card = zoo.read_card(options.model, options.folder)
    path = options.folder / f"{card.name}{zoo.CONVERTED}"
    path.write_bytes(engines.convert(zoo.load(card, options.folder)))
    zoo.write_card(replace(card, converted=zoo.file_hash(path)), options.folder)
    print(f"Wrote {path}")
    return 0


def suits(options: argparse.Namespace) -> int:
    """Measure which photos suit which model, and write the limits into the cards."""
    from dataclasses import replace

    from fcn.model.segmenter import Segmenter
    from fcn.photos.files import read_file
    from fcn.photos.images import decode
    from fcn.quality import suits as rule

    def photos(folder: Path, most: int | None = None) -> list[Any]:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
        step = max(1, len(files) // most) if most else 1
        return [decode(read_file(path), path.name).pixels for path in progress(files[::step], folder.name)]

    folders = dict(_named_folder(text) for text in options.data)
    segmenters = {name: Segmenter.load(name) for name in folders}
    if not options.check:
        limits = rule.measure({name: photos(folder / "train/images", 300) for name, folder in folders.items()},
                              segmenters)  # fmt: skip
        segmenters = {name: rule.with_suits(segmenter, limits[name]) for name, segmenter in segmenters.items()}
        for name in folders:
            card = zoo.read_card(name)
            zoo.write_card(replace(card, validation={**card.validation, "suits": limits[name]}), zoo.MODELS)
    kinds = {name: photos(folder / "val/images") for name, folder in folders.items()}
    kinds |= {folder.name: photos(folder) for folder in options.other}
    for kind, row in rule.check(kinds, segmenters).items():
        print(f"{kind}: " + ", ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def _named_folder(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not Path(folder).is_dir() or not folder:
        raise DataError(f"There is no folder {folder!r}. Give MODEL=DIR, with train/ and val/ in it.")
    return name, Path(folder)


def record_learning(options: argparse.Namespace) -> int:
    """Record the runs that the page "Watch it learn" plays."""
    from fcn.compute import recording

    recording.record(options.out or recording.FILE, lambda line: print(line, flush=True))
    return 0


def table(report: dict[str, Any]) -> str:
    """The scores as lines for people: one row a stride and upsampling, then the IoU of each class."""
    results = report["results"]
    lines = [f"{report['model']} on {report['images']} photos, percent", ""]
    lines += ["stride  upsampling    mIoU  pixel accuracy  boundary F1  trimap 8  trimap 16"]
    lines += [
        f"{row['stride']:>6}  {row['upsampling']:<10}  {_figure(row['miou']):>6}  {_figure(row['pixel_accuracy']):>14}"
        f"  {_figure(row['boundary_f1']):>11}  {_figure(row['trimap_8']):>8}  {_figure(row['trimap_16']):>9}"
        for row in results
    ]
    lines += ["", "IoU by class" + "".join(f"{row['stride']:>7}{row['upsampling'][0]}" for row in results)]
    for name in results[0]["iou"]:
        lines += [f"{name:<12}" + "".join(f"{_figure(row['iou'][name]):>8}" for row in results)]
    return "\n".join(lines)


def bound_table(report: dict[str, Any]) -> str:
    """The upper bound as lines for people: one row a factor."""
    lines = [f"Ground truth of {report['images']} photos, shrunk and enlarged: mIoU, percent", ""]
    lines += ["factor  nearest  bilinear"]
    rows = report["upper_bound"]
    lines += [f"{row['factor']:>6}  {_figure(row['nearest']):>7}  {_figure(row['bilinear']):>8}" for row in rows]
    return "\n".join(lines)


def comparison_table(report: dict[str, Any]) -> str:
    """The fair comparison as lines for people: scores by upsampling, then what the transposed convolution gains."""
    names = {"miou": "mIoU", "boundary_f1": "boundary F1", "trimap_8": "trimap 8", "trimap_16": "trimap 16"}
    lines = [f"{report['model']} on {report['images']} photos, stride 32, percent", ""]
    lines += [f"{'upsampling':<12}" + "".join(f"{name:>13}" for name in names.values())]
    for upsampling, scores in report["scores"].items():
        lines += [f"{upsampling:<12}" + "".join(f"{_figure(scores[name]):>13}" for name in names)]
    lines += ["", "Points by which transposed is ahead (95 % interval, paired bootstrap over photos)"]
    for rival, gains in report["gains"].items():
        lines += [f"of {rival}"]
        for name, title in names.items():
            gain = gains[name]
            text = f"{gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})" if gain else "cannot be measured"
            lines += [f"  {title:<12} {text}"]
    return "\n".join(lines)


def progress(items: Iterable[Any], title: str) -> Iterator[Any]:
    """Yield items and draw a progress bar on stderr: stdout is for the results."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, console=Console(stderr=True), transient=True)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def result_names(photos: list[Path]) -> list[str]:
    """Names for the results of each photo: its own without the extension; street, street-2, ... for equal ones."""
    stems = [path.stem for path in photos]
    taken = {stem.casefold() for stem in stems}
    names: list[str] = []
    for place, stem in enumerate(stems):
        name, number = stem, 1
        if stem.casefold() in {earlier.casefold() for earlier in stems[:place]}:
            while name.casefold() in taken:
                number += 1
                name = f"{stem}-{number}"
            taken.add(name.casefold())
        names.append(name)
    return names


def _parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m fcn", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser(
        "segment",
        help="label every pixel of photos",
        formatter_class=plain,
        description="Write NAME.labels.png (class indices, at the photo's own size), NAME.overlay.png (at half\n"
        "that size above 16 megapixels) and NAME.coarse.png (the best class of each cell) for every photo.\n"
        "Two photos with the same name give NAME and NAME-2.",
        epilog="example:\n  python -m fcn segment street.jpg --stride 8 --out results",
    )
    command.add_argument("photos", metavar="PHOTO", nargs="+", type=Path)
    command.add_argument(
        "--stride", type=int, choices=STRIDES, default=32, help="stride of the score map (default: 32)"
    )
    command.add_argument("--upsampling", choices=tuple(UPSAMPLINGS), default="transposed", help="default: transposed")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the results")
    command.set_defaults(run=segment)
    _model_options(command)

    command = commands.add_parser(
        "evaluate",
        help="score a model against ground truth",
        formatter_class=plain,
        description="Print mIoU, pixel accuracy, boundary F1 and the IoU of each class, in percent, for every stride\n"
        "and upsampling. DIR holds images/NAME.jpg and labels/NAME.png (class indices, 255 = ignore).",
        epilog="example:\n  python -m fcn evaluate --model street --data camvid/val --json",
    )
    command.add_argument("--data", metavar="DIR", type=Path, required=True, help="folder with images/ and labels/")
    command.add_argument("--limit", metavar="N", type=_positive, help="only the first N photos")
    command.add_argument(
        "--upper-bound",
        action="store_true",
        help="score the ground truth itself, shrunk and enlarged by 2 to 64",
    )
    command.add_argument(
        "--compare",
        action="store_true",
        help="compare the transposed convolution of stride 32 fairly with bilinear, with 95 %% intervals",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    command.set_defaults(run=evaluate)
    _model_options(command)

    command = commands.add_parser(
        "train",
        help="train a model",
        formatter_class=plain,
        description="Train a model and write FILE.keras with its card FILE.json. If stopped, the same command\n"
        "resumes after the last epoch. Needs: pip install -r fcn/training/requirements.txt",
        epilog="examples:\n  python -m fcn train --model street --data camvid --out street.keras\n"
        "  python -m fcn train --model street --data synthetic --out street.keras",
    )
    command.add_argument("--model", default="street", help="recipe in fcn/training/recipes.py (default: street)")
    command.add_argument(
        "--data",
        metavar="DIR",
        required=True,
        help="folder with train/ and val/, each with images/ and labels/; or: synthetic",
    )
    command.add_argument("--out", metavar="FILE.keras", type=Path, required=True)
    command.add_argument("--quick", action="store_true", help="one short epoch per phase, to check that it runs")
    command.add_argument(
        "--start", type=Path, metavar="FILE", help="a trained .keras file to start from (default: ImageNet's weights)"
    )
    command.set_defaults(run=train)

    command = commands.add_parser(
        "convert",
        help="convert a model for LiteRT",
        formatter_class=plain,
        description="Convert NAME.keras, write NAME.litert.npz next to it and record its SHA-256 in the card\n"
        "NAME.json. The converted model runs in half the time; its scores are checked against those of Keras.",
        epilog="example:\n  python -m fcn convert --model street",
    )
    command.add_argument("--model", default="street", help="name of the model (default: street)")
    command.add_argument("--folder", metavar="DIR", type=Path, default=zoo.MODELS, help="default: assets/models")
    command.set_defaults(run=convert)

    command = commands.add_parser(
        "suits",
        help="measure which photos suit which model",
        formatter_class=plain,
        description="Learn from the training photos of two models which of them suits a photo, write the limits into\n"
        "their cards, and print how the validation photos are judged, in percent. Run it again for new weights.",
        epilog="example:\n  python -m fcn suits --data street=camvid --data people_animals=people_animals",
    )
    command.add_argument("--data", metavar="MODEL=DIR", action="append", required=True, help="given twice")
    command.add_argument(
        "--other", metavar="DIR", type=Path, action="append", default=[], help="photos that suit neither"
    )
    command.add_argument("--check", action="store_true", help="judge by the limits already in the cards")
    command.set_defaults(run=suits)

    command = commands.add_parser(
        "record-learning",
        help='record the runs of the page "Watch it learn"',
        formatter_class=plain,
        description="Train the upsampling layer alone, from several starts, on synthetic scenes as the street model\n"
        "sees them, and write what the page plays. Run it again for every new street model; it takes minutes.",
        epilog="example:\n  python -m fcn record-learning",
    )
    command.add_argument("--out", metavar="FILE.xz", type=Path, help="default: assets/learning.xz")
    command.set_defaults(run=record_learning)
    return parser


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", default="street", help="name of a model in assets/models (default: street)")
    command.add_argument(
        "--size",
        metavar="PIXELS",
        type=_positive,
        default=WORKING_SIDE,
        help=f"longest side of the photo as the network sees it (default: {WORKING_SIDE})",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
