"""Nearest neighbours by cosine and their votes, in chunks on a device, so that sets of any size fit."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

Rows = NDArray[np.int64]

_KNOWN, _CHUNK = 1 << 14, 1 << 25  # rows of one chunk; similarities at most: 128 MiB


@torch.no_grad()
def nearest(
    query: NDArray[np.floating],
    known: NDArray[np.floating],
    count: int,
    device: str = "cpu",
    apart: tuple[Rows, Rows] | None = None,
) -> tuple[Tensor, Tensor]:
    """The nearest rows of `known` [N, D] to each of `query` [Q, D] by cosine, the nearest first.

    apart: a number for each query and each known row; rows of a query's own number are none of its neighbours.

    Returns their cosines, float32, and their rows, int64, [Q, min(count, N)], on the CPU. Where fewer are left, the
    others have the cosine −∞.
    """
    size = max(1, _CHUNK // min(_KNOWN, len(known)))
    queries = [unit(query[first : first + size], device) for first in range(0, len(query), size)]
    found: list[tuple[Tensor, Tensor] | None] = [None] * len(queries)
    for first in range(0, len(known), _KNOWN):
        rows = unit(known[first : first + _KNOWN], device)
        for i, some in enumerate(queries):
            cosine = some @ rows.T  # [q, n]
            if apart is not None:
                own, theirs = apart[0][i * size :][: len(some)], apart[1][first : first + len(rows)]
                cosine[torch.from_numpy(own[:, None] == theirs).to(device)] = -torch.inf
            value, index = cosine.topk(min(count, len(rows)), dim=1)
            index += first
            if (before := found[i]) is not None:
                value, index = torch.cat([before[0], value], 1), torch.cat([before[1], index], 1)
                value, place = value.topk(min(count, value.shape[1]), dim=1)
                index = index.gather(1, place)
            found[i] = value, index
    values, indices = zip(*(each for each in found if each is not None), strict=True)
    return torch.cat(values).cpu(), torch.cat(indices).cpu()


def unit(rows: NDArray[np.floating], device: str = "cpu") -> Tensor:
    """Rows [N, D] of length 1, float32."""
    return normalize(torch.from_numpy(np.ascontiguousarray(rows, "f4")).to(device), dim=1)


def votes(
    query: NDArray[np.floating],
    known: NDArray[np.floating],
    label: Rows,
    classes: int,
    k: int,
    temperature: float,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """What the k nearest of each query [Q, D] among those known [N, D] vote for, by their labels [N]: [Q, classes].

    A vote has the weight exp(cosine / temperature), as a multiple of that of the nearest.
    """
    cosine, index = nearest(query, known, k, device)  # [Q, k]
    weight = ((cosine - cosine[:, :1]) / temperature).exp()  # in units of the nearest's: none is infinite
    return torch.zeros(len(query), classes).scatter_add_(1, torch.from_numpy(label)[index], weight).numpy()


def voting_accuracy(
    features: NDArray[np.floating],
    labels: Rows,
    train: Rows,
    test: Rows,
    k: int = 20,
    temperature: float = 0.07,
    device: str = "cpu",
) -> float:
    """Accuracy on the rows `test` of the vote of their k nearest in `train`."""
    found = votes(features[test], features[train], labels[train], int(labels.max()) + 1, k, temperature, device)
    return float(np.mean(found.argmax(1) == labels[test]))
