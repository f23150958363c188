"""What surfaces do at each pixel, of depth: their normals; and a linear layer on frozen maps that predicts numbers."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.regression import fit_ridge
from embodied_ssl.evaluation.pixels import Asked, Rows, linear_scores, stages_of, upsampled

BENT = 0.01
"""Of a depth: where a plane through 3 × 3 pixels misses one by more, they are of several surfaces."""

Reals = NDArray[np.float32]


def normals_of(depth: Reals, intrinsics: NDArray[np.float64]) -> tuple[Reals, NDArray[np.bool_]]:
    """The unit normals of surfaces towards the camera, [H, H, 3] in its axes (x right, y down, z ahead), of depth (m).

    Of a plane n·X = d the inverse depth is linear in the pixel (u, v, 1): 1/z = (K⁻ᵀ n / d)·(u, v, 1). So it is fitted
    by least squares to each 3 × 3 pixels, exactly for planes. What is not of one surface, or at the border, is False.
    """
    inverse = 1 / np.where(depth > 0, depth, np.inf).astype("f8")
    mean = np.asarray(cv2.blur(inverse, (3, 3)), np.float64)
    slope = np.array([[-1, 0, 1]] * 3) / 6.0
    along_u = np.asarray(cv2.filter2D(inverse, -1, slope), np.float64)
    along_v = np.asarray(cv2.filter2D(inverse, -1, slope.T), np.float64)
    rows = np.arange(len(depth))
    u, v = np.meshgrid(rows, rows)
    plane = np.stack([along_u, along_v, mean - along_u * u - along_v * v], -1)  # [H, H, 3]: K⁻ᵀ n / d
    normal = plane @ intrinsics
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    flat = _is_flat(inverse, mean, along_u, along_v) & (length[..., 0] > 0)
    return (-normal / np.maximum(length, 1e-12)).astype("f4"), flat


def _is_flat(
    inverse: NDArray[np.float64], mean: NDArray[np.float64], along_u: NDArray[np.float64], along_v: NDArray[np.float64]
) -> NDArray[np.bool_]:
    flat = np.zeros(inverse.shape, bool)
    inner = (slice(1, -1), slice(1, -1))
    flat[inner] = mean[inner] > 0
    size = len(inverse)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            beside = inverse[1 + down : size - 1 + down, 1 + right : size - 1 + right]
            fitted = mean[inner] + right * along_u[inner] + down * along_v[inner]
            flat[inner] &= (np.abs(beside - fitted) < BENT * mean[inner]) & (beside > 0)
    return flat


def predicted_numbers(
    encoder: Encoder, train: Asked, validation: Asked, everywhere: NDArray[np.float64], rows: Rows, device: str
) -> tuple[Iterator[tuple[Rows, Tensor]], float]:
    """What a ridge on all frozen stages says at each pixel of images, [B, K, H, H], and its strength.

    everywhere: what is true at each place in the mean of training, [H, H, K]. The ridge says what is to be added to
    it: maps of convolutions hardly tell where in the image they are, and the floor is near at the bottom of all images.

    It is fitted in closed form to what is true at the pixels of training, [n, P, K]; validation chooses the strength.
    """
    (x, y), (given, wanted) = (
        (each.features(encoder, device).astype("f8"), each.flat.astype("f8") - each.at_places(everywhere))
        for each in (train, validation)
    )
    ridge = fit_ridge((x, y), (given, wanted))
    weight, bias = (torch.from_numpy(each.astype("f4")).to(device) for each in ridge.layer)
    scenes = validation.scenes
    first = torch.from_numpy(everywhere.astype("f4")).movedim(-1, 0).to(device)  # [K, H, H]
    found = (
        (own, first + upsampled(linear_scores(stages, cells, weight, bias).movedim(-1, 1), scenes.side))
        for own, stages, cells in stages_of(encoder, scenes, rows, device)
    )
    return found, ridge.strength
