"""Ego-motion equivariant features: one linear map per motion pattern turns the features as the body moves."""

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.batches import FramePairs, LabelledFrames
from embodied_ssl.datasets.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.losses import contrastive_margin, euclidean
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.motions import cluster_motions, nearest_pattern, sample_motions
from embodied_ssl.views import frame_pair, to_float


class Equivariance(Method):
    """Ego-motion equivariant features. Jayaraman & Grauman, ICCV 2015, eq. 5."""

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        motions: int = 6,
        margin: float = 5.0,
        max_gap_s: float = 0.3,
        jitter: float = 0.3,
        relative: float = 10.0,
        places: float = 1.0,
        drlim: float = 0.0,
        recognition: float = 1.0,
        classes: int = 64,
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
                Σ d(z_i, z_j), ours: equation 5 alone lowers its distances by letting nothing in the features move.
            places: weight of a contrast with the other places of the batch, ours: led by its map, a frame's features
                name the frame that it became among those of all pairs. Without both it is the paper's loss.
            drlim: weight of the DrLIM term beside it (equiv + drlim).
            recognition: weight of the softmax loss on labelled pictures, where some are given.
            classes: most classes of the labelled pictures.
        """
        super().__init__(encoder)
        self.motions, self.margin, self.max_gap_s, self.jitter = motions, margin, max_gap_s, jitter
        self.relative, self.places, self.drlim, self.recognition, self.classes = (
            relative,
            places,
            drlim,
            recognition,
            classes,
        )
        self.maps = nn.Parameter(torch.eye(encoder.dim).repeat(motions, 1, 1))
        self.place_head = nn.Sequential(nn.Linear(encoder.dim, 256), nn.ReLU(), nn.Linear(256, 128))
        self.classifier = nn.Linear(encoder.dim, classes)
        self.centres: Tensor
        self.scale: Tensor
        self.register_buffer("centres", torch.zeros(motions, 2))
        self.register_buffer("scale", torch.ones(2))

    def cuts(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Discover the motion patterns (section 3.2): k-means over the motions of sampled pairs."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        self.scale.copy_(torch.from_numpy(motions.std(0) + 1e-9))
        self.centres.copy_(torch.from_numpy(cluster_motions(motions, self.motions, rng)))

    def loss(self, pairs: FramePairs, step: Step, labelled: LabelledFrames | None = None) -> dict[str, Tensor]:
        pattern = nearest_pattern(pairs.motion, self.centres, self.scale)
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        before, after = self.encoder(images).float().chunk(2)
        # Every pair through every map: near where the map is its motion's, apart by a margin where it is not.
        moved = torch.einsum("gde,be->gbd", self.maps, before)  # [G, B, D]
        distance = euclidean(moved, after)
        mine = pattern == torch.arange(self.motions, device=pattern.device)[:, None]
        terms = contrastive_margin(distance, mine, self.margin)
        pull, push = terms[mine].mean(), terms[~mine].mean()
        logged = {"equivariance": pull + push, "pull": pull.detach(), "push": push.detach()}
        total = logged["equivariance"]
        led = moved[pattern, torch.arange(len(before), device=pattern.device)]
        if self.relative:
            logged["relative"] = euclidean(led, after).sum() / euclidean(before, after).sum()
            total = total + self.relative * logged["relative"]
        if self.places:
            logged["places"] = self._place_loss(led, after)
            total = total + self.places * logged["places"]
        if self.drlim:
            logged["drlim"] = self._drlim(before, after)
            total = total + self.drlim * logged["drlim"]
        if labelled is not None:
            features = self.encoder(to_float(labelled.images, self.encoder.image_size))
            logged["recognition"] = nn.functional.cross_entropy(self.classifier(features), labelled.label)
            total = total + self.recognition * logged["recognition"]
        return {"loss": total, **logged}

    def _place_loss(self, led: Tensor, after: Tensor) -> Tensor:
        """InfoNCE over the batch on a projection (van den Oord et al. 2018; temperature of Chen et al. 2020)."""
        codes = [self.place_head(features) for features in (led, after)]
        query, key = (nn.functional.normalize(code - code.mean(0), dim=1) for code in codes)
        return nn.functional.cross_entropy(query @ key.T / 0.1, torch.arange(len(led), device=led.device))

    def _drlim(self, before: Tensor, after: Tensor) -> Tensor:
        """Neighbours in time near, frames of other pairs at least the margin apart."""
        near = euclidean(before, after).mean()
        far = contrastive_margin(euclidean(before, after.roll(1, 0)), torch.zeros_like(before[:, 0]) > 0, self.margin)
        return near + far.mean()
