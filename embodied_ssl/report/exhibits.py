"""Exhibits: what a report shows beside its tables, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
Floats = NDArray[np.floating]
Whole = NDArray[np.integer]
Texts = tuple[str, ...]


@dataclass(frozen=True)
class RetrievalWall:
    """Queries and what the features hold nearest to them, the nearest first."""

    set: Texts  # one text: of what images, by which label
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
    """Pokes: what was in the image, the force that the finger felt, and the one that was predicted from sight."""

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
    """What the task of a method shows it, and what it answers: rows of images with captions."""

    picture: Pictures  # uint8 [R, K, H, W, 3]
    text: Texts  # R·K captions, those of the first row first
    right: Whole  # [R, K]: 1 a prediction that is right, 0 one that is wrong, −1 neither


Exhibit = TaskPanels | RetrievalWall | MotionClusters | Equivariance | ForceProfiles | GraspAngles | FeatureMap
