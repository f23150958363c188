"""A method of one's own: TiCo, which learns from two views of an image and the covariance of all codes so far.

embodied-ssl train tico --plugin examples.tico --frames data/roam --out runs/tico-0
embodied-ssl evaluate runs/tico-0 --plugin examples.tico --on data/held_out --out measured
embodied-ssl compare tico simclr --plugin examples.tico --data data/roam --on data/held_out --out compared
"""

import copy

import torch
from torch import Tensor
from torch.nn.functional import normalize

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive, Share
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.heads import mlp
from embodied_ssl.training.optimization import follow, rising


class TiCo(Method):
    """Transformation invariance and covariance contrast for self-supervised learning. Zhu et al. 2022."""

    name = "tico"
    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(
        self, encoder: Encoder, momentum: Share = 0.99, memory: Share = 0.9, rho: Positive = 8.0, dim: Count = 64
    ):
        """A network that learns, and one that follows it.

        Args:
            encoder: what is learned.
            momentum: with which the second network follows; it rises to 1.
            memory: β, of the covariance of the codes.
            rho: ρ, weight of the covariance contrast.
            dim: of the codes.
        """
        super().__init__(encoder)
        self.online = torch.nn.Sequential(encoder, mlp((encoder.dim, 256, dim), last_norm=True))
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.register_buffer("covariance", torch.zeros(dim, dim))
        self.latest = self.covariance  # with the codes of this step

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = frames.images.repeat(2, 1, 1, 1)  # [2·B, 3, H, W]: each image twice
        views = augment(images, step.rng, self.encoder.image_size, Augmentation(scale=(0.2, 1.0), strength=0.5))
        first, second = views.chunk(2)
        code = normalize(self.online(first).float(), dim=1)  # [B, dim]
        with torch.no_grad():
            other = normalize(self.target(second).float(), dim=1)  # [B, dim]
        self.latest = self.covariance.lerp(code.detach().T @ code.detach() / len(code), 1 - self.memory)
        invariance = 1 - (code * other).sum(1).mean()
        contrast = ((code @ self.latest) * code).sum(1).mean()
        return {"loss": invariance + self.rho * contrast, "contrast": contrast.detach()}  # eq. 6

    def after_step(self, step: Step) -> None:
        self.covariance.copy_(self.latest)
        follow(self.target, self.online, rising(self.momentum, step.progress), buffers=False)
