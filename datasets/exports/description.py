"""`data.json`: what the files of an export hold, for formats that do not say it themselves."""

import json
from pathlib import Path

import numpy as np

from embodied_ssl.datasets.exports.episodes import Episodes

DESCRIPTION = "data.json"


def describe(episodes: Episodes, path: Path) -> None:
    """Write it: the kind, the rate, every series, every episode, and the pinhole matrices of the cameras."""
    known = {camera: episodes.intrinsics(camera) for camera in episodes.cameras}
    content = {
        "kind": episodes.dataset.kind,
        "rate": episodes.rate,
        "action": episodes.action.name,
        "series": episodes.described(),
        "cameras": {camera: None if found is None else found.tolist() for camera, found in known.items()},
        "episodes": [
            {"length": int(length), **episodes.about(number)} for number, length in enumerate(episodes.length)
        ],
    }
    path.write_text(json.dumps(plain(content), indent=1), encoding="utf-8")


def plain(value: object) -> object:
    """A value as JSON has it: what is no number is null."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
