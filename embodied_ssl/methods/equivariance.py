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
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import count_classes, linear_classifier
from embodied_ssl.parts.losses import contrastive_margin, cross_entropy, euclidean, info_nce
from embodied_ssl.parts.motions import cluster_motions, nearest_pattern, sample_motions, spread
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import frame_pair, to_float
from embodied_ssl.training.distributed import gather


class Equivariance(Method):
    """Ego-motion equivariant features. Jayaraman & Grauman, ICCV 2015, eq. 5.

    The loss of a pair is, as in the paper, the sum over all motion patterns: the distance through the map of its own
    motion, and a hinge for each of the others; of a batch it is the mean over the pairs.
    """

    classes: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        motions: Count = 6,
        margin: NonNegative = 5.0,
        max_gap_s: Positive = 0.3,
        jitter: NonNegative = 0.3,
        relative: NonNegative = 30.0,
        places: NonNegative = 1.0,
        drlim: NonNegative = 0.0,
        recognition: NonNegative = 1.0,
        classes: Count | None = None,
    ):
        """One map per motion pattern.

        Args:
            encoder: what is learned.
            motions: how many motion patterns the motor signals are clustered into.
            margin: δ; features of pairs that another motion relates are pushed at least this far apart.
            max_gap_s: longest time between the frames of a pair, s. The paper's is 1; our bodies turn several times as
                fast as its car, and frames 1 s apart hardly overlap.
            jitter: of the colours of each frame.
            relative: weight of the error of a pair's own map relative to that of standing still, Σ d(M_g z_i, z_j) over
                Σ d(z_i, z_j), ours: equation 5 alone lowers its distances by letting nothing in the features move. As
                large as the hinges of five other patterns ask for, which the sum in equation 5 counts one by one.
            places: weight of a contrast with the other places of the batch, ours: led by its map, a frame's features
                name the frame that it became among those of all pairs. Without both it is the paper's loss.
            drlim: weight of the DrLIM term beside it (equiv + drlim).
            recognition: weight of the softmax loss on labelled images, where some are given.
            classes: of the labelled images; None: as many as the data have.
        """
        super().__init__(encoder)
        self.maps = nn.Parameter(torch.eye(encoder.dim).repeat(motions, 1, 1))
        self.place_head = nn.Sequential(nn.Linear(encoder.dim, 256), nn.ReLU(), nn.Linear(256, 128))
        self.classifier = nn.Linear(encoder.dim, classes or 1)  # see `infer_shapes`
        self.register_buffer("centres", torch.zeros(motions, 2))
        self.register_buffer("scale", torch.ones(2))

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The number of classes, where labelled images are given."""
        if "labelled" in streams:
            classes = count_classes(streams["labelled"], self.classes)
            if self.classes is None:
                self.classifier = linear_classifier(self.encoder.dim, classes, rng)
            self.classes = classes

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Discover the motion patterns (section 3.2): k-means over the motions of sampled pairs."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        self.scale.copy_(torch.from_numpy(spread(motions)))
        self.centres.copy_(torch.from_numpy(cluster_motions(motions, self.motions, rng)))

    def loss(self, pairs: FramePairs, step: Step, labelled: LabelledFrames | None = None) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks).float().chunk(2)
        pattern = nearest_pattern(pairs.motion, self.centres, self.scale)
        found = self._terms(*(gather(each) for each in (*features, pattern, digest(pairs.first))))
        if labelled is not None:
            pictures = to_float(labelled.images, self.encoder.image_size)
            logits = in_chunks((self.encoder, self.classifier), pictures, step.loss_chunks)
            found["recognition"] = cross_entropy(logits, labelled.label)
            found["loss"] = found["loss"] + self.recognition * found["recognition"]
        return found

    def show(self, pairs: FramePairs, step: Step, labelled: LabelledFrames | None = None) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch nearest to what the map of the motion predicts."""
        size = self.encoder.image_size
        before, after = (self.encoder(to_float(frames, size)).float() for frames in (pairs.first, pairs.second))
        maps = self.maps[nearest_pattern(pairs.motion, self.centres, self.scale)]
        return nearest_frames(pairs, size, torch.einsum("bde,be->bd", maps, before), after)

    @in_float32
    def _terms(self, before: Tensor, after: Tensor, pattern: Tensor, identity: Tensor) -> dict[str, Tensor]:
        """What pairs of features [B, D], their motion patterns and the numbers of their first frames cost."""
        # Every pair through every map: near where the map is its motion's, apart by a margin where it is not.
        moved = torch.einsum("gde,be->gbd", self.maps, before)  # [G, B, D]
        mine = pattern == torch.arange(self.motions, device=pattern.device)[:, None]
        terms = contrastive_margin(euclidean(moved, after), mine, self.margin)
        pull, push = (terms * mine).sum() / len(before), (terms * ~mine).sum() / len(before)
        found = {"loss": pull + push, "equivariance": pull + push, "pull": pull.detach(), "push": push.detach()}
        led = moved[pattern, torch.arange(len(before), device=pattern.device)]
        if self.relative:
            found["relative"] = euclidean(led, after).sum() / euclidean(before, after).sum()
            found["loss"] = found["loss"] + self.relative * found["relative"]
        if self.places:
            found["places"] = self._place_loss(led, after, identity)
            found["loss"] = found["loss"] + self.places * found["places"]
        if self.drlim:
            found["drlim"] = self._drlim(before, after)
            found["loss"] = found["loss"] + self.drlim * found["drlim"]
        return found

    def _place_loss(self, led: Tensor, after: Tensor, identity: Tensor) -> Tensor:
        """InfoNCE over the batch on a projection (van den Oord et al. 2018; temperature of Chen et al. 2020)."""
        codes = [self.place_head(features) for features in (led, after)]
        query, key = (functional.normalize(code - code.mean(0), dim=1) for code in codes)
        return info_nce(query @ key.T / 0.1, same=identity[:, None] == identity)

    def _drlim(self, before: Tensor, after: Tensor) -> Tensor:
        """Neighbours in time near, frames of other pairs at least the margin apart."""
        near = euclidean(before, after).mean()
        far = contrastive_margin(euclidean(before, after.roll(1, 0)), torch.zeros_like(before[:, 0]) > 0, self.margin)
        return near + far.mean()
