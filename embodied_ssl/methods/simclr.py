"""SimCLR: two views of an image agree, and differ from those of all other images of the batch."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare
from embodied_ssl.method import Method, Need, Panel, Recipe, Step, needs_of
from embodied_ssl.parts.gradient_cache import in_parts
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import nt_xent
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.positives import Lead, Positives, cuts_of_views, needs_of_views, positives


class SimCLR(Method):
    """A simple framework for contrastive learning of visual representations. Chen et al., ICML 2020.

    Scaled for 32 to 96 px and small encoders: crops of at least a fifth of the image, τ 0.2, AdamW with batches of
    256; the paper's LARS is `--optimizer lars --learning_rate 0.3 --weight_decay 1e-6`.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        views: Literal["augmentation", "body", "both"] = "augmentation",
        temperature: Positive = 0.2,
        width: Count = 256,
        dim: Count = 128,
        least_crop: SomeShare = 0.2,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        blur: Share = 0.5,
        condition: bool = True,
        max_gap_s: Positive = 1.0,
        across: Literal["tables", "interaction"] = "tables",
        crop: SomeShare = 0.3,
    ):
        """Cosine similarity of projections, negatives from all devices.

        Args:
            encoder: what is learned.
            views: what makes two views of an object: `augmentation` of one of the `frames`; the `body`, in `pairs` of
                frames and of `objects`; or `both`, augmentation of what the body gives.
            temperature: τ; 0.1 for ImageNet and 0.5 for CIFAR in the paper.
            width: of the hidden layer of the projection.
            dim: of what is compared.
            least_crop: smallest share of an image that a view keeps; 0.08 in the paper.
            strength: of the change of colours; 1 for ImageNet and 0.5 for CIFAR in the paper.
            grey: probability that a view loses its colours.
            blur: probability that a view is blurred; 0 for CIFAR in the paper.
            condition: whether the code of a first frame is led to the second by the motor signal between them.
            max_gap_s: longest time between the frames of a pair, s.
            across: what lies between two images of an object: other `tables`, or the `interaction` done to it.
            crop: side of the patch about an object, as a share of the image; 1 for orbits.
        """
        super().__init__(encoder)
        self._augmentation = ({"scale": (least_crop, 1.0), "strength": strength, "grey": grey, "blurred": blur},) * 2
        self.projection = mlp((encoder.dim, width, dim))
        self.lead = Lead(dim)

    def needs(self) -> dict[str, Need]:
        return needs_of_views(self.views, needs_of(type(self)))

    def cuts(self) -> dict[str, dict[str, Any]]:
        return cuts_of_views(self.max_gap_s, self.across)

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and spread of the motions."""
        if "pairs" in streams:
            self.lead.measure(streams["pairs"], rng)

    def loss(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        made, first, second = self._codes(step, frames, pairs, objects)
        agreement = torch.cosine_similarity(first, second).mean().detach()
        return {"loss": nt_xent(first, second, self.temperature, made.identity), "agreement": agreement}

    def show(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Both views of each sample, and the second views of the batch that are nearest to the first one."""
        made, first, second = self._codes(step, frames, pairs, objects)
        similarity = torch.cosine_similarity(first[:, None], second, dim=2)
        right = made.identity[:, None] == made.identity
        rows = columns((made.first, "a view"), (made.second, "its other view"))
        return with_nearest(rows, made.second, similarity, right)

    def _codes(
        self, step: Step, frames: Frames | None, pairs: FramePairs | None, objects: ObjectPairs | None
    ) -> tuple[Positives, Tensor, Tensor]:
        """The two views of every sample, and the code [B, dim] of each."""
        size = self.encoder.image_size
        made = positives(self.views, step.rng, size, self.crop, self._augmentation, frames, pairs, objects)
        images = torch.cat([made.first, made.second])
        first, second = in_parts((self.encoder, self.projection), images, step.parts).float().chunk(2)
        if self.condition and pairs is not None:
            first = self.lead(first, made.motion, made.moved)
        return made, first, second
