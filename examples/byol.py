"""A method of one's own: BYOL, which learns from two views of an image without any negatives.

embodied-ssl train byol --plugin examples.byol --frames data/roam --out runs/byol-0
embodied-ssl evaluate runs/byol-0 --plugin examples.byol --on data/held_out --out measured
embodied-ssl compare byol simclr --plugin examples.byol --data data/roam --on data/held_out --out compared
"""

import copy
import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Share
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.heads import mlp
from embodied_ssl.training.optimization import follow


class BYOL(Method):
    """Bootstrap your own latent: a new approach to self-supervised learning. Grill et al., NeurIPS 2020."""

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, momentum: Share = 0.99, width: Count = 256, dim: Count = 64):
        """An online and a target network.

        Args:
            encoder: what is learned.
            momentum: τ, with which the target follows; it rises to 1.
            width: of the hidden layers of the heads.
            dim: of the projections.
        """
        super().__init__(encoder)
        self.online = torch.nn.Sequential(encoder, mlp((encoder.dim, width, dim)))
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.predictor = mlp((dim, width, dim))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = frames.images.repeat(2, 1, 1, 1)  # [2·B, 3, H, W]: each image twice
        views = augment(images, step.rng, self.encoder.image_size, Augmentation(scale=(0.2, 1.0), strength=0.5))
        predicted = self.predictor(self.online(views))  # [2·B, dim]
        with torch.no_grad():
            first, second = self.target(views).chunk(2)  # [B, dim] each
        agreement = cosine_similarity(predicted, torch.cat([second, first]))  # of each view with the other's target
        return {"loss": (2 - 2 * agreement).mean()}  # eq. 2, symmetric

    def after_step(self, step: Step) -> None:
        decay = 1 - (1 - self.momentum) * (1 + math.cos(math.pi * step.progress)) / 2  # section 3.2
        follow(self.target, self.online, decay, buffers=False)
