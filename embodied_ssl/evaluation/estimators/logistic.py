"""Multinomial logistic regression on a device, to its optimum: what the linear probe and few labels fit.

For features x standardised by their mean and deviation over the training rows it minimises

    C · Σ −log softmax(W x + b)[y]  +  ½ ‖W‖²

as scikit-learn's `LogisticRegression` does, with C the inverse strength of the regularisation (for two classes as well,
each with a row of W). All rows are in every step, in chunks; L-BFGS goes along principal components scaled to a
curvature of about one, which takes a tenth of the steps that the features' own axes would.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.evaluation.splits import Split

Features = NDArray[np.float32]
Rows = NDArray[np.int64]

TOLERANCE = 1e-3
"""Of the gradient's length, in coordinates of a curvature of about one: the mean loss is off by about its square."""
MOST_STEPS = 1000
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the regularisation, of which validation chooses."""
_CHUNK = 1 << 24  # numbers of a chunk's logits or features at most: 64 MiB
_KEPT = 4 << 30  # bytes of standardised features that a CPU keeps; of a GPU half of what is free


@dataclass(frozen=True)
class Classifier:
    """A linear classifier of features."""

    strength: float
    """C: the inverse strength of the regularisation."""
    classes: Rows
    """[K]: those that were among the training rows."""
    weight: Tensor
    """float32 [D, K], of the features as they are, on the device."""
    bias: Tensor
    """float32 [K]."""
    loss: float
    """The objective at the end, divided by C and the number of training rows."""
    gradient: float
    """Length of its gradient, in coordinates of a curvature of about one."""

    @property
    def converged(self) -> bool:
        """Whether the optimum was found."""
        return self.gradient <= TOLERANCE

    def log_odds(self, features: Features) -> Features:
        """How much likelier than the first of two classes the second one is, float32 [N]."""
        given = torch.from_numpy(features).to(self.weight.device)
        logits = given @ self.weight + self.bias  # [N, 2]
        return (logits[:, 1] - logits[:, 0]).cpu().numpy()

    def accuracy(self, features: Features, label: Rows, rows: Rows) -> float:
        """The share of `rows` that is classified right."""
        right = 0
        for part in _parts(rows, max(self.weight.shape)):
            given = torch.from_numpy(features[part]).to(self.weight.device)
            answer = (given @ self.weight + self.bias).argmax(1).cpu().numpy()
            right += int((self.classes[answer] == label[part]).sum())
        return right / len(rows)


def fit(
    features: Features, label: Rows, train: Rows, strengths: Sequence[float], device: str = "cpu"
) -> list[Classifier]:
    """A classifier for each inverse strength, in ascending order; each begins where the one before it has ended.

    Args:
        features: float32 [N, D].
        label: int64 [N].
        train: rows to fit on, of at least two classes.
        strengths: C, see above.
        device: to compute on; where features do not fit, they are taken there chunk by chunk in every step.
    """
    problem = _Problem(features, label, train, device)
    found, start = [], np.zeros((problem.coordinates + 1, len(problem.classes)))
    for strength in sorted(strengths):
        classifier, start = problem.solve(strength, start)
        found.append(classifier)
    return found


def best_probe(
    features: Features, images: ImageSet, parts: Split, device: str, what: str
) -> tuple[Classifier, dict[str, Any]]:
    """The classifier of the training part whose regularisation validation chooses, and what results say of it.

    what: is measured, for a word where no optimum was found.
    """
    tried = fit(features, images.label, parts.train, STRENGTHS, device)
    scores = [each.accuracy(features, images.label, parts.validation) for each in tried]
    best = int(np.argmax(scores))
    return tried[best], {
        "inverse_regularisation": tried[best].strength,
        "validation_accuracy": scores[best],
        "converged": tell_unconverged(tried, f"{what} on {images.name}"),
        **parts.counts(),
    }


def tell_unconverged(tried: Sequence[Classifier], what: str) -> bool:
    """Whether all of these were fitted to their optimum; of those that were not, a word is printed."""
    for one in tried:
        if not one.converged:
            print(
                f"embodied-ssl: {what}: C = {one.strength:g} has not converged in {MOST_STEPS} steps "
                f"(gradient {one.gradient:.1e}, loss {one.loss:.4f})",
                file=sys.stderr,
            )
    return all(one.converged for one in tried)


class _Problem:
    """The training rows, and the coordinates that L-BFGS goes along: axes [D, R] of variance [R]."""

    def __init__(self, features: Features, label: Rows, train: Rows, device: str):
        self._count, self._device = len(train), device
        mean, deviation = _moments(features, train)
        self._mean, self._scale = mean, np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0.0)
        self.classes, target = np.unique(label[train], return_inverse=True)
        parts = list(_parts(np.arange(len(train)), max(features.shape[1], len(self.classes))))

        def read() -> Iterator[tuple[Tensor, Tensor]]:
            for part in parts:
                rows = (features[train[part]] - mean) * self._scale
                yield torch.from_numpy(rows.astype("f4")).to(device), torch.from_numpy(target[part]).to(device)

        kept = list(read()) if 4 * len(train) * features.shape[1] <= _room(device) else None
        self._chunks: Callable[[], Iterator[tuple[Tensor, Tensor]]] = (lambda: iter(kept)) if kept is not None else read
        self._axes, self._variance = self._principal(features.shape[1])
        self.coordinates = len(self._variance)
        self._turn: Tensor | None = self._axes  # what turns weights along the axes into those of features as they are
        if kept is not None:  # turned once: few samples have far fewer coordinates than features
            axes = self._axes.float().to(device)
            turned = [(given @ axes, of) for given, of in kept]
            self._chunks, self._turn = (lambda: iter(turned)), None

    def _principal(self, dim: int) -> tuple[Tensor, NDArray[np.float64]]:
        if self._count < dim:
            rows = torch.cat([given.cpu().double() for given, _ in self._chunks()])
            _, values, axes = torch.linalg.svd(rows, full_matrices=False)
            return axes.T.contiguous(), (values**2 / self._count).numpy()
        gram = torch.zeros(dim, dim, dtype=torch.float64)
        for given, _ in self._chunks():
            gram += (given.T @ given).cpu().double()
        values, axes = torch.linalg.eigh(gram / self._count)
        return axes, values.clamp(min=0).numpy()

    def solve(self, strength: float, start: NDArray[np.float64]) -> tuple[Classifier, NDArray[np.float64]]:
        """The classifier and its weights along the axes, float64 [R + 1, K], the last row its bias."""
        penalty = 1 / (strength * self._count)
        share = 1 / len(self.classes)
        curvature = np.append(share * (1 - share) * self._variance + penalty, share * (1 - share))
        unit = 1 / np.sqrt(curvature)[:, None]

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            along = unit * flat.reshape(start.shape)
            loss, gradient = self._loss(along)
            loss += penalty / 2 * float((along[:-1] ** 2).sum())
            gradient[:-1] += penalty * along[:-1]
            return loss, (unit * gradient).ravel()

        options = {"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS, "maxcor": 20, "ftol": 0.0}
        options["gtol"] = TOLERANCE / np.sqrt(start.size)
        found = minimize(objective, (start / unit).ravel(), jac=True, method="L-BFGS-B", options=options)
        along = unit * found.x.reshape(start.shape)
        weight = self._scale[:, None] * (self._axes.numpy() @ along[:-1])
        bias = along[-1] - self._mean @ weight
        on_device = [torch.from_numpy(array.astype("f4")).to(self._device) for array in (weight, bias)]
        length = float(np.linalg.norm(found.jac))
        return Classifier(strength, self.classes, on_device[0], on_device[1], float(found.fun), length), along

    def _loss(self, along: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The mean loss of the training rows, and its gradient by the weights along the axes and the bias."""
        inner = torch.from_numpy(along[:-1])
        weight = (inner if self._turn is None else self._turn @ inner).float().to(self._device)
        bias = torch.from_numpy(along[-1]).float().to(self._device)
        loss, by_weight, by_bias = 0.0, torch.zeros(weight.shape, dtype=torch.float64), np.zeros(len(bias))
        for given, target in self._chunks():
            logits = torch.addmm(bias, given, weight).log_softmax(1)
            loss -= float(logits.gather(1, target[:, None]).sum())
            residual = logits.exp_()
            residual[torch.arange(len(target), device=target.device), target] -= 1
            by_weight += (given.T @ residual).cpu().double()
            by_bias += residual.sum(0).cpu().numpy()
        by_inner = by_weight if self._turn is None else self._turn.T @ by_weight
        gradient = np.concatenate([by_inner.numpy(), by_bias[None]])
        return loss / self._count, gradient / self._count


def _moments(features: Features, rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each feature over some rows."""
    total, square = np.zeros((2, features.shape[1]))
    middle = features[rows[0]].astype("f8")  # near the mean, so that squares lose no digits
    for part in _parts(rows, features.shape[1]):
        away = features[part] - middle
        total, square = total + away.sum(0), square + (away**2).sum(0)
    mean = total / len(rows)
    return middle + mean, np.sqrt(np.maximum(square / len(rows) - mean**2, 0))


def _parts(rows: Rows, width: int) -> Iterator[Rows]:
    """Rows in chunks, so that `width` numbers for each are not too many."""
    size = max(1, _CHUNK // width)
    return (rows[first : first + size] for first in range(0, len(rows), size))


def _room(device: str) -> int:
    """Bytes that standardised features may take on a device."""
    return torch.cuda.mem_get_info(device)[0] // 2 if torch.device(device).type == "cuda" else _KEPT
