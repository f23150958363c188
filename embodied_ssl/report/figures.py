"""Figures: what a report shows beside its tables, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.floating]
Whole = NDArray[np.integer]
Texts = tuple[str, ...]


@dataclass(frozen=True)
class Tile:
    """An image with a caption."""

    image: Images  # uint8 [H, W, 3]
    text: str = ""
    right: bool | None = None  # whether it shows a prediction that is right or wrong; None: neither


@dataclass(frozen=True)
class TaskPanels:
    """What the task of a method shows it, and what it answers: rows of images with captions."""

    rows: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class Predictions:
    """Images of the test, what is true of their pixels or boxes, and what is predicted: rows with captions."""

    what: str  # such as "segmentation, mIoU, linear: rooms"
    rows: tuple[tuple[Tile, ...], ...]


@dataclass(frozen=True)
class RetrievalWall:
    """Queries and what the features hold nearest to them, the nearest first."""

    set: str  # of what images, by which label
    rows: tuple[tuple[Tile, ...], ...]  # a query, then its neighbours, right where they are of its class


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
class FeatureMap:
    """Features in two dimensions."""

    method: str  # of what, and how, such as "roam by scene, t-SNE, perplexity 30"
    point: Floats  # [N, 2]
    label: Whole  # [N]: row of `classes`
    classes: Texts
    shown: Whole  # [M]: which of the points have a thumbnail
    thumbnail: Images  # uint8 [M, H, W, 3]


Figure = TaskPanels | Predictions | RetrievalWall | MotionClusters | Equivariance | FeatureMap
