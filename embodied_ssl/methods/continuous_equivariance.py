"""Continuous ego-motion equivariance: one network makes the map of a motion from the motor signal itself."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import drawn_anew
from embodied_ssl.parts.losses import euclidean, info_nce, mean_where
from embodied_ssl.parts.motions import MOTOR_SIZE, motor_size_of, sample_motions, standard_deviation
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.devices.distributed import gather


class ContinuousEquivariance(Method):
    """Equivariant features without discrete motion patterns. After Jayaraman & Grauman, IJCV 2017.

    Idea: As the body moves, its features change by a linear map that depends on the motion alone. One small network
    makes this map for any motion, instead of one map for each cluster of motions; so motions that lie between others,
    or are composed of them, have their maps as well.

    Loss: `mean over pairs of d(M(y_ij) z_i, z_j) + max(0, δ − d(M(y_k) z_i, z_j))`, with
    `M(y) = 1 + Σ_k a_k(y) B_k`, y_k the motion of another pair, and d the Euclidean distance.

    Differs: M(y) takes the place of the maps M_g of equation 5, and the motion of another pair that of the other
    patterns. A contrast is ours (`contrast_weight`): z_j is to be found among all first frames of the batch, each moved
    by its own motion and by those of other pairs. Other frames alone can be told apart by what room they show; the same
    frame moved otherwise, only by the motion.
    """

    motor_size: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        bases: Count = 8,
        margin: NonNegative = 5.0,
        apart: NonNegative = 1.0,
        contrast_weight: NonNegative = 1.0,
        others: Count = 4,
        max_gap_s: Positive = 0.3,
        jitter: NonNegative = 0.4,
        motor_size: Count | None = None,
    ):
        """One map for each motion.

        Args:
            encoder: what is learned.
            bases: how many matrices are mixed.
            margin: δ, the least distance between what the map of another motion predicts and the features of the second
                frame.
            apart: how far a motion must be from the pair's own to count as another one, in standard deviations.
            contrast_weight: of InfoNCE between the features of the second frames and what is predicted of them.
            others: motions of other pairs that each first frame is moved by for it.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.matrices = nn.Parameter(torch.randn(bases, encoder.dim, encoder.dim) / encoder.dim)
        self._take_motions_of(motor_size or MOTOR_SIZE)
        self.contrast_head = nn.Sequential(nn.Linear(encoder.dim, 256), nn.ReLU(), nn.Linear(256, 128))

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion."""
        found = motor_size_of(streams["pairs"], self.motor_size)
        if found != len(self.motion_std):
            drawn_anew(lambda: self._take_motions_of(found), rng)
        self.motor_size = found

    def _take_motions_of(self, size: int) -> nn.Module:
        """The weights of the matrices are made of motions of so many numbers."""
        self.mixture = nn.Sequential(nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, self.bases))
        self.register_buffer("motion_mean", torch.zeros(size))
        self.register_buffer("motion_std", torch.ones(size))
        return self.mixture

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and standard deviation of the motions, by which they are standardised."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        self.motion_mean.copy_(torch.from_numpy(motions.mean(0)))
        self.motion_std.copy_(torch.from_numpy(standard_deviation(motions)))

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks).float()  # [2 B, D]
        before, after = (gather(each) for each in features.chunk(2))  # [world · B, D]
        motion = (gather(pairs.motion) - self.motion_mean) / self.motion_std  # [world · B, A]
        return self._terms(before, after, motion, gather(digest(pairs.first)))

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch nearest to what the map of the motion predicts."""
        size = self.encoder.image_size
        before, after = (self.encoder(to_float(frames, size)).float() for frames in (pairs.first, pairs.second))
        predicted = self.predict(before, (pairs.motion - self.motion_mean) / self.motion_std)
        return nearest_frames(pairs, size, predicted, after)

    @in_float32
    def _terms(self, before: Tensor, after: Tensor, motion: Tensor, identity: Tensor) -> dict[str, Tensor]:
        """The terms of the loss, of features [B, D], motions [B, A] and numbers of the first frames [B], and their sum.

        `pull` is the mean distance through the maps of the motions, `push` the mean hinge through those of others.
        """
        pull = euclidean(self.predict(before, motion), after).mean()
        other = motion.roll(1, 0)  # [B, A], of the next pair
        differs = (other - motion).norm(dim=1) > self.apart  # [B]
        hinge = (self.margin - euclidean(self.predict(before, other), after)).clamp(min=0)  # [B]
        push = mean_where(hinge, differs)
        found = {"loss": pull + push, "pull": pull.detach(), "push": push.detach()}
        if self.contrast_weight:
            found["contrast"] = self._contrast(before, after, motion, identity)
            found["loss"] = found["loss"] + self.contrast_weight * found["contrast"]
        return found

    def _contrast(self, before: Tensor, after: Tensor, motion: Tensor, identity: Tensor) -> Tensor:
        """InfoNCE of each second frame with all first ones as moved by several motions (van den Oord et al. 2018)."""
        motions = [motion.roll(step, 0) for step in range(self.others + 1)]  # [B, A] each, the own ones first
        predicted = torch.cat([self.predict(before, each) for each in motions])  # [(1 + others) B, D]
        codes = (self.contrast_head(features) for features in (after, predicted))
        query, key = (functional.normalize(code - code.mean(0), dim=1) for code in codes)
        same_frame = identity[:, None] == identity  # [B, B]
        same = torch.cat([same_frame & (torch.cdist(motion, each) <= self.apart) for each in motions], 1)
        return info_nce(query @ key.T / 0.1, same=same)  # [B, (1 + others) B]

    def predict(self, features: Tensor, motion: Tensor) -> Tensor:
        """Features [B, D] after motions [B, A] (standardised), [B, D]: M(y) z."""
        changes = torch.einsum("kde,be->bkd", self.matrices, features)  # [B, bases, D]
        weights = self.mixture(motion).float()[..., None]  # [B, bases, 1]
        return features + (weights * changes).sum(1)
