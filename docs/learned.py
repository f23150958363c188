"""Draws what runs of studies make of data that they never saw, for the pages of findings; the first seed of each.

python docs/learned.py --size hour --data data --lecture lecture --positives positives --attention attention
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.evaluation.features import extract
from embodied_ssl.evaluation.figures import retrieval_wall
from embodied_ssl.evaluation.names import named_sets
from embodied_ssl.evaluation.panels import task_figures
from embodied_ssl.evaluation.protocols.attention import Attention, Pictures, jaccard, kept, pictures_of
from embodied_ssl.parts.panels import overlaid, saliency
from embodied_ssl.report.figures import Tile
from embodied_ssl.training.runs.checkpoint import load_encoder, load_method

OUT = Path(__file__).parent / "findings"
SIDE, GAP, HEAD = 88, 6, 22  # px
RIGHT, WRONG, INK = (15, 159, 92, 255), (200, 50, 31, 255), (128, 128, 128, 255)  # seen on light and on dark pages

Images = list[np.ndarray]


def nearest(positives: Path, yardstick: Path, queries: int = 8, neighbours: int = 5) -> Image.Image:
    """The objects nearest to some, by what was learned by augmentation, and by views of a hand."""
    [images] = named_sets([yardstick])
    walls = []
    for row in ("simclr_augmentation", "simclr_hold_across_scenes"):
        features = extract(load_encoder(positives / "runs" / f"{row}-0"), images)
        walls.append(retrieval_wall(features - features.mean(0), images, queries, neighbours).rows)
    rows = [[*one, None, *other[1:]] for one, other in zip(*walls, strict=True)]
    heads = {0: "query", 1: "nearest by augmentation", neighbours + 2: "nearest by views of a hand"}
    return _sheet(rows, heads)


def attention(study: Path, tables: Path, count: int = 9) -> Image.Image:
    """Where transformers look on tables, by the head that other pictures choose."""
    protocol = Attention()
    found = pictures_of(
        Dataset.open(tables), np.random.default_rng([0, 4]), protocol.pictures, protocol.fills, protocol.aside
    )
    encoders = {"random weights": _untrained(study / "runs" / "labels-0")}
    rows = {"labels": "labels", "DINO: crops": "dino_augmentation", "DINO: a hand": "dino_hold_across_scenes"}
    encoders |= {name: load_encoder(study / "runs" / f"{row}-0") for name, row in rows.items()}
    once = np.unique(found.digests, return_index=True)[1]  # a picture of each table
    testing = np.sort(once[~found.validates[once]])[:count]
    size = encoders["labels"].image_size
    shown = found.at(size, slice(None))[testing]
    maps = [_maps(encoder.eval(), found, protocol.mass)[testing] for encoder in encoders.values()]
    images = [shown, *(overlaid(shown, each) for each in (found.masks[testing].float(), *maps))]
    rows = [[Tile(_array(image)) for image in row] for row in images]
    return _sheet(rows, {}, ["picture", "objects", *encoders])


def fill_in(lecture: Path, rooms: Path, count: int = 3) -> Image.Image:
    """Patches that a masked autoencoder sees, what it makes of the others, and the image, of rooms never seen."""
    [panels] = task_figures(load_method(lecture / "runs" / "mae-0"), [rooms])
    each = [[tile for row in panels.rows[first::2] for tile in (*row, None)][:-1] for first in (0, 1)]
    names = [tile.text for tile in panels.rows[0]]
    return _sheet(each, {4 * i + j: name for i in range(count) for j, name in enumerate(names)})


@torch.no_grad()
def _maps(encoder: Encoder, pictures: Pictures, mass: float) -> torch.Tensor:
    """The attention of the head that is best on validation pictures, float [P, h, w]."""
    maps = torch.cat(
        [saliency(encoder, pictures.at(encoder.image_size, slice(first, first + 128)))[0]
         for first in range(0, len(pictures.masks), 128)]
    ).float()  # [P, heads, h, w]  # fmt: skip
    scores = jaccard(kept(maps, mass), pictures.masks)
    return maps[:, int(scores[pictures.validates].mean(0).argmax())]


def _untrained(run: Path) -> Encoder:
    encoder = load_encoder(run)
    return random_encoder(name=encoder.name, image_size=encoder.image_size, seed=0)


def _array(image: torch.Tensor) -> np.ndarray:
    return (image.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def _sheet(rows: Sequence[Sequence[Tile | None]], heads: dict[int, str], names: Sequence[str] = ()) -> Image.Image:
    """Images in rows, on nothing: words above columns, or left of rows; framed where they are right or wrong."""
    left, top = (130 if names else 0), (HEAD if heads else 0)
    gaps = [0.25 if any(row[i] is None for row in rows) else 1.0 for i in range(len(rows[0]))]
    places = [left + int(sum(gaps[:i]) * (SIDE + GAP)) for i in range(len(gaps) + 1)]
    sheet = Image.new("RGBA", (places[-1] - GAP, top + len(rows) * (SIDE + GAP) - GAP))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, text in heads.items():
        pen.text((places[column], 0), text, INK, font)
    for number, row in enumerate(rows):
        y = top + number * (SIDE + GAP)
        if names:
            pen.text((left - 10, y + SIDE // 2), names[number], INK, font, anchor="rm")
        for x, tile in zip(places[:-1], row, strict=True):
            if tile is None:
                continue
            sheet.paste(Image.fromarray(tile.image).resize((SIDE, SIDE), Image.Resampling.BICUBIC), (x, y))
            if tile.right is not None:
                pen.rectangle((x, y, x + SIDE - 1, y + SIDE - 1), outline=RIGHT if tile.right else WRONG, width=3)
    return sheet


def main() -> None:
    """Write a picture for each study that is given."""
    parser = ArgumentParser()
    parser.add_argument("--size", default="hour")
    for name in ("data", "lecture", "positives", "attention"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args()
    drawn = {}
    if given.positives:
        drawn["nearest"] = nearest(given.positives, given.data / f"yardstick-{given.size}")
    if given.attention:
        drawn["attention"] = attention(given.attention, given.data / f"tables_test-{given.size}")
    if given.lecture:
        drawn["fill_in"] = fill_in(given.lecture, given.data / f"roam_test-{given.size}")
    for name, sheet in drawn.items():
        sheet.save(OUT / f"{name}.webp", quality=82)


if __name__ == "__main__":
    main()
