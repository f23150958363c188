"""Exhibits: what a report shows beside its tables, as plain arrays, and the file of a run that holds them.

    save_exhibits(run / "figures.npz", [wall, clusters])
    load_exhibits(run / "figures.npz")                     # the same, in the same order

The file is a NumPy archive without pickles. The array `RetrievalWall.0.query` is the field `query` of the first exhibit
if that is a `RetrievalWall`; texts are stored as UTF-8 of fixed width. The same exhibits give the same bytes.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.files import write_atomically

FIGURES = "figures.npz"
"""Name of the file in the directory of a run."""

Pictures = NDArray[np.uint8]
Floats = NDArray[np.floating]
Whole = NDArray[np.integer]
Texts = tuple[str, ...]


@dataclass(frozen=True)
class RetrievalWall:
    """Queries and what the features hold nearest to them, the nearest first."""

    set: Texts  # one text: of what pictures, by which label
    query: Pictures  # uint8 [Q, H, W, 3]
    query_class: Texts  # Q names
    neighbours: Pictures  # uint8 [Q, K, H, W, 3]
    neighbour_class: Texts  # Q·K names, those of the first query first
    right: NDArray[np.bool_]  # [Q, K]: of the query's class


@dataclass(frozen=True)
class MotionClusters:
    """The motor signals of frame pairs, and the patterns that k-means found in them."""

    signals: Texts  # two names with units, such as "forward (m)"
    motion: Floats  # [N, 2]
    cluster: Whole  # [N]: row of `names`
    names: Texts  # G: of the patterns


@dataclass(frozen=True)
class Equivariance:
    """The equivariance error ρ_g of each motion; 1 is no better than standing still."""

    rows: Texts  # R: the feature spaces compared
    motions: Texts  # G
    seen: NDArray[np.bool_]  # [G]: trained on; the others are composites
    rho: Floats  # [R, G]
    half: Floats  # [R, G]: half of the 95 % confidence interval; NaN where there is none


@dataclass(frozen=True)
class ForceProfiles:
    """Pokes: what was in the picture, the force that the finger felt, and the one that was predicted from sight."""

    patch: Pictures  # uint8 [N, H, W, 3]: around the contact
    name: Texts  # N: what was touched
    depth: Floats  # [N, T], m since first contact
    true: Floats  # [N, T], N
    predicted: Floats  # [N, T], N


@dataclass(frozen=True)
class GraspAngles:
    """Patches around a grasp, the predicted probability of success at each angle, and what the tried one gave."""

    patch: Pictures  # uint8 [N, H, W, 3]: the grasp is in the middle
    name: Texts  # N: what was grasped
    probability: Floats  # [N, A] at the angles π · (0 … A − 1) / A from the picture's u towards its v axis
    tried: Whole  # [N]: number of the angle that was tried
    success: NDArray[np.bool_]  # [N]


@dataclass(frozen=True)
class FeatureMap:
    """Features in two dimensions."""

    method: Texts  # one text: of what, and how, such as "roam by scene, t-SNE, perplexity 30"
    point: Floats  # [N, 2]
    label: Whole  # [N]: row of `classes`
    classes: Texts
    shown: Whole  # [M]: which of the points have a thumbnail
    thumbnail: Pictures  # uint8 [M, H, W, 3]


@dataclass(frozen=True)
class TaskPanels:
    """What the task of a method shows it, and what it answers: rows of pictures with captions."""

    picture: Pictures  # uint8 [R, K, H, W, 3]
    text: Texts  # R·K captions, those of the first row first
    right: Whole  # [R, K]: 1 a prediction that is right, 0 one that is wrong, −1 neither


Exhibit = TaskPanels | RetrievalWall | MotionClusters | Equivariance | ForceProfiles | GraspAngles | FeatureMap
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in Exhibit.__args__}


def save_exhibits(path: Path, exhibits: Sequence[Exhibit]) -> None:
    """Write exhibits into one file, atomically."""
    arrays = {}
    for number, exhibit in enumerate(exhibits):
        for field in fields(exhibit):
            value = getattr(exhibit, field.name)
            if isinstance(value, tuple):
                value = np.array([text.encode() for text in value] or [b""], "S")[: len(value)]
            arrays[f"{type(exhibit).__name__}.{number}.{field.name}"] = np.asarray(value)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, [buffer.getbuffer()])


def load_exhibits(path: Path) -> list[Exhibit]:
    """The exhibits of a file, in their order. Raises DataError where it is damaged."""
    groups: dict[tuple[int, str], dict[str, Any]] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                kind, number, field = key.split(".")
                groups.setdefault((int(number), kind), {})[field] = file[key]
        return [_exhibit(_KINDS[kind], groups[number, kind]) for number, kind in sorted(groups)]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no figures of embodied_ssl, or damaged ({error}); evaluate the run again") from None


def _exhibit(kind: type[Any], arrays: dict[str, Any]) -> Exhibit:
    hints = get_type_hints(kind)
    return kind(**{
        name: tuple(text.decode("utf-8", "replace") for text in array.tolist()) if hints[name] == Texts else array
        for name, array in arrays.items()
    })  # fmt: skip
