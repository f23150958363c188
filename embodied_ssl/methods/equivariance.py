"""Ego-motion equivariant features: one linear map per motion pattern turns the features as the body moves."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs, LabelledFrames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import count_classes, linear_classifier
from embodied_ssl.parts.losses import contrastive_margin, cross_entropy, euclidean, info_nce
from embodied_ssl.parts.motions import (
    MOTOR_SIZE,
    cluster_motions,
    motor_size_of,
    nearest_pattern,
    sample_motions,
    standard_deviation,
)
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.devices.distributed import gather


class Equivariance(Method):
    """Ego-motion equivariant features. Jayaraman & Grauman, ICCV 2015.

    Idea: As the body moves, what it sees changes in a way that its motor signals explain. The motions between frames
    are clustered into patterns, such as a turn to the left, and for each pattern one linear map is learned that takes
    the features of the first frame to those of the second. Features that move in a predictable way hold the layout of
    what is seen, which features that ignore motion throw away.

    Loss: `Σ_g 1(p = g) d(M_g z_i, z_j) + 1(p ≠ g) max(0, δ − d(M_g z_i, z_j))` (equation 5), with p the motion pattern
    of the pair and d the Euclidean distance; the mean over pairs. With labelled images the softmax loss is added.

    Differs: Two terms are ours, since equation 5 alone can be lowered by features in which nothing moves: the error of
    a pair's own map relative to standing still (`relative_weight`), and a contrast of the prediction with the frames of
    all other pairs (`contrast_weight`). With both at 0 it is the paper's loss. Frames are 0.3 s apart instead of 1 s:
    our bodies turn several times as fast as the paper's car.
    """

    classes: int | None
    motor_size: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        motions: Count = 6,
        margin: NonNegative = 5.0,
        max_gap_s: Positive = 0.3,
        jitter: NonNegative = 0.3,
        relative_weight: NonNegative = 30.0,
        contrast_weight: NonNegative = 1.0,
        drlim_weight: NonNegative = 0.0,
        recognition_weight: NonNegative = 1.0,
        classes: Count | None = None,
        motor_size: Count | None = None,
    ):
        """One map per motion pattern.

        Args:
            encoder: what is learned.
            motions: how many motion patterns the motor signals are clustered into.
            margin: δ, the least distance between what the map of another pattern predicts and the features of the
                second frame.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
            relative_weight: of the error of a pair's own map relative to that of standing still, Σ d(M_g z_i, z_j) over
                Σ d(z_i, z_j). As large as the hinges of five other patterns ask for, which the sum in equation 5 counts
                one by one.
            contrast_weight: of InfoNCE between the predicted features of the second frames and their features.
            drlim_weight: of the DrLIM term (the paper's equiv + drlim).
            recognition_weight: of the softmax loss on labelled images, where some are given.
            classes: of the labelled images; None: as many as the data have.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.maps = nn.Parameter(torch.eye(encoder.dim).repeat(motions, 1, 1))  # M_g, [G, D, D]
        self.contrast_head = nn.Sequential(nn.Linear(encoder.dim, 256), nn.ReLU(), nn.Linear(256, 128))
        self.classifier = nn.Linear(encoder.dim, classes or 1)  # see `infer_shapes`
        self.register_buffer("centres", torch.zeros(motions, motor_size or MOTOR_SIZE))  # of the motion patterns
        self.register_buffer("motion_std", torch.ones(motor_size or MOTOR_SIZE))

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion, and that of classes, where labelled images are given."""
        self.motor_size = motor_size_of(streams["pairs"], self.motor_size)
        self.centres = torch.zeros(self.motions, self.motor_size)
        self.motion_std = torch.ones(self.motor_size)
        if "labelled" in streams:
            classes = count_classes(streams["labelled"], self.classes)
            if self.classes is None:
                self.classifier = linear_classifier(self.encoder.dim, classes, rng)
            self.classes = classes

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Discover the motion patterns (section 3.2): k-means over the motions of sampled pairs."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        self.motion_std.copy_(torch.from_numpy(standard_deviation(motions)))
        self.centres.copy_(torch.from_numpy(cluster_motions(motions, self.motions, rng)))

    def loss(self, pairs: FramePairs, step: Step, labelled: LabelledFrames | None = None) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks).float()  # [2 B, D]
        before, after = (gather(each) for each in features.chunk(2))  # [world · B, D]
        pattern = gather(nearest_pattern(pairs.motion, self.centres, self.motion_std))  # [world · B]
        terms = self._terms(before, after, pattern, gather(digest(pairs.first)))
        if labelled is not None:
            images = to_float(labelled.images, self.encoder.image_size)
            logits = in_chunks((self.encoder, self.classifier), images, step.loss_chunks)  # [B, classes]
            terms["recognition"] = cross_entropy(logits, labelled.label)
            terms["loss"] = terms["loss"] + self.recognition_weight * terms["recognition"]
        return terms

    def show(self, pairs: FramePairs, step: Step, labelled: LabelledFrames | None = None) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch nearest to what the map of the motion predicts."""
        size = self.encoder.image_size
        before, after = (self.encoder(to_float(frames, size)).float() for frames in (pairs.first, pairs.second))
        maps = self.maps[nearest_pattern(pairs.motion, self.centres, self.motion_std)]
        return nearest_frames(pairs, size, torch.einsum("bde,be->bd", maps, before), after)

    @in_float32
    def _terms(self, before: Tensor, after: Tensor, pattern: Tensor, identity: Tensor) -> dict[str, Tensor]:
        """The terms of the loss, of pairs of features [B, D], their patterns [B] and numbers of their first frames [B].

        `loss` is their sum by weight, but for that of labelled images.
        """
        # Equation 5: every pair through every map.
        predicted = torch.einsum("gde,be->gbd", self.maps, before)  # [G, B, D]
        is_own = pattern == torch.arange(self.motions, device=pattern.device)[:, None]  # [G, B]
        terms = contrastive_margin(euclidean(predicted, after), is_own, self.margin)  # [G, B]
        pull = (terms * is_own).sum() / len(before)
        push = (terms * ~is_own).sum() / len(before)
        found = {"loss": pull + push, "equivariance": pull + push, "pull": pull.detach(), "push": push.detach()}

        own = predicted[pattern, torch.arange(len(before), device=pattern.device)]  # [B, D]: by each pair's own map
        if self.relative_weight:
            found["relative"] = euclidean(own, after).sum() / euclidean(before, after).sum()
            found["loss"] = found["loss"] + self.relative_weight * found["relative"]
        if self.contrast_weight:
            found["contrast"] = self._contrast(own, after, identity)
            found["loss"] = found["loss"] + self.contrast_weight * found["contrast"]
        if self.drlim_weight:
            found["drlim"] = self._drlim(before, after)
            found["loss"] = found["loss"] + self.drlim_weight * found["drlim"]
        return found

    def _contrast(self, predicted: Tensor, after: Tensor, identity: Tensor) -> Tensor:
        """InfoNCE over the batch on a projection (van den Oord et al. 2018; temperature of Chen et al. 2020)."""
        codes = [self.contrast_head(features) for features in (predicted, after)]  # [B, 128] each
        query, key = (functional.normalize(code - code.mean(0), dim=1) for code in codes)
        return info_nce(query @ key.T / 0.1, same=identity[:, None] == identity)

    def _drlim(self, before: Tensor, after: Tensor) -> Tensor:
        """Neighbours in time near, frames of other pairs at least the margin apart."""
        near = euclidean(before, after).mean()
        never = torch.zeros(len(before), dtype=torch.bool, device=before.device)
        far = contrastive_margin(euclidean(before, after.roll(1, 0)), never, self.margin)
        return near + far.mean()
