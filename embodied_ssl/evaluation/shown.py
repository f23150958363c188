"""What a report shows of an evaluation, kept in a file beside its numbers: rows of images with captions."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.report.figures import Predictions, Tile


def write_shown(figures: Sequence[Predictions], path: Path) -> None:
    """Write figures to an `.npz` file, atomically: their images, and as JSON all else."""
    images: dict[str, Any] = {}
    said: list[dict[str, Any]] = []
    for figure in figures:
        rows: list[list[dict[str, Any]]] = []
        for row in figure.rows:
            rows.append([{"image": f"{len(images) + i}", "text": tile.text, "right": tile.right}
                         for i, tile in enumerate(row)])  # fmt: skip
            images |= {f"{len(images) + i}": tile.image for i, tile in enumerate(row)}
        said.append({"what": figure.what, "rows": rows})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, said=np.array(json.dumps(said)), **images)
    write_atomically(path, [buffer.getbuffer()])


def read_shown(path: Path) -> list[Predictions]:
    """The figures of such a file; none where there is none."""
    if not path.is_file():
        return []
    with np.load(path, allow_pickle=False) as file:
        return [
            Predictions(
                figure["what"],
                tuple(
                    tuple(Tile(file[tile["image"]], tile["text"], tile["right"]) for tile in row)
                    for row in figure["rows"]
                ),
            )
            for figure in json.loads(str(file["said"]))
        ]
