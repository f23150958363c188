"""I-JEPA: from what is seen of an image, predict the features of parts that are not seen."""

import copy
import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Share, SomeShare
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.losses import spread
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.patches import from_patches, plain_transformer, take_patches, to_patches
from embodied_ssl.parts.views import random_resized_crop, to_float, uniform
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.optimization import follow

CONTEXT = (0.85, 1.0)
TARGET = (0.15, 0.2)
SHAPE = (0.75, 1.5)
"""Shares of an image that the context and each target have, and width over height of targets (section 3)."""


class IJEPA(Method):
    """Self-supervised learning from images with a joint-embedding predictive architecture. Assran et al., CVPR 2023.

    Idea: The encoder sees one large block of an image without the parts that are to be predicted. From its features and
    the place of such a part, a small transformer predicts the features that a target encoder, which follows the encoder
    slowly and sees the whole image, has there. What is predicted are features instead of pixels, so that details that
    nobody can predict may be left out; and nothing is asked of colours or crops.

    Loss: `mean over targets i, their patches j and features of (ŝ_ij − s_ij)²`, with s the features of the target
    encoder, each patch's normalised by their own mean and standard deviation, and ŝ what is predicted of them.

    Differs: Scaled for 32 to 96 px and short runs: a predictor of 2 blocks, 96 wide, for 6 of 384; a target momentum of
    0.99 for 0.996; a constant weight decay. The squared error is that of the paper; the authors' code has the smooth
    one. The encoder that a run leaves behind is the target encoder, as in the paper. In short runs of small encoders it
    learns to predict features of images never seen, but was not seen to make them better: on grey stripes of 64 px,
    with a transformer 64 wide (`timm/test_vit`), k-NN of their slope fell from 0.42 to 0.32 in 200 updates at 2e-4
    after a warm-up, and to 0.31 in 120 at 1e-3, while the features shrank from 17 dimensions to 5 and 3; with targets
    normalised over the batch it fell to 0.35. With a target momentum of 0.9 the features of all images became alike.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=0.05, batch_size=128, steps=2000, warmup=0.1)
    usual_encoder = "vit_tiny"
    presets: ClassVar = {
        "paper": Preset(
            "sine/vit_base_patch16_224",
            224,
            Recipe(
                learning_rate=1e-3, reference_batch=2048, weight_decay=0.04, final_weight_decay=0.4, batch_size=2048,
                steps=updates(600, 2048), warmup=15 / 600, initial_share=0.1, final_share=0.001,
            ),
            {"momentum": 0.996, "predictor_depth": 6, "predictor_width": 384},
            "Assran et al. 2023, table 1 and appendix A.1",
            "The encoder has a [CLS] token. The weight decay rises by a cosine, as in the authors' code "
            "(facebookresearch/ijepa), whose settings for ViT-H warm up for 40 epochs from 2e-4.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        targets: Count = 4,
        momentum: Share = 0.99,
        predictor_depth: Count = 2,
        predictor_width: Count = 96,
        least_crop: SomeShare = 0.3,
    ):
        """A context encoder, a target encoder and a predictor.

        Args:
            encoder: a plain vision transformer, ours or of timm.
            targets: blocks of an image whose features are predicted, each from the same context.
            momentum: with which the target encoder follows at first; it rises to 1 linearly.
            predictor_depth: blocks of the predictor.
            predictor_width: dimension of its tokens, a multiple of 32 and of 4.
            least_crop: smallest share of an image that a random crop keeps; there is no other augmentation.
        """
        from timm.layers import build_sincos2d_pos_embed
        from timm.models.vision_transformer import Block

        super().__init__(encoder)
        encoder = plain_transformer("ijepa", encoder)
        self.side = encoder.image_size // encoder.patch  # patches along a side
        self.target_encoder = copy.deepcopy(encoder).requires_grad_(False)

        width = encoder.width
        self.embed = nn.Linear(width, predictor_width)
        self.mask_token = nn.Parameter(torch.randn(predictor_width) * 0.02)
        blocks = [Block(predictor_width, predictor_width // 32, qkv_bias=True) for _ in range(predictor_depth)]
        self.predictor = nn.Sequential(*blocks, nn.LayerNorm(predictor_width), nn.Linear(predictor_width, width))
        positions = build_sincos2d_pos_embed([self.side, self.side], predictor_width)
        self.register_buffer("positions", positions)  # [P, predictor_width]

    @property
    def output_encoder(self) -> Encoder:
        return self.target_encoder

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        scale = (self.least_crop, 1.0)
        images = random_resized_crop(frames.images, step.rng, self.encoder.image_size, scale, flip=0.0)
        context, targets = self.blocks(len(images), step.rng)  # numbers of patches: [B, C], [B, K, T]

        predicted = self.predict(images, context, targets).float()  # [B, K, T, D]
        with torch.no_grad():
            features = self.target_encoder.tokens(images).float()  # [B, P, D]
            features = functional.layer_norm(features, features.shape[-1:])
            wanted = take_patches(features, targets.flatten(1)).view_as(predicted)  # [B, K, T, D]

        loss = (predicted - wanted).square().mean()  # section 3, "loss"
        return {"loss": loss, "spread": spread(features.mean(1))}

    def predict(self, images: Tensor, context: Tensor, targets: Tensor) -> Tensor:
        """The features of targets [B, K, T, D], as they are predicted from the patches of the context alone."""
        encoder = plain_transformer("ijepa", self.encoder)
        count, length = targets.shape[1:]
        seen = self.embed(encoder.visible_tokens(images, context)[:, encoder.prefix :])  # [B, C, width]
        seen = (seen + self.positions[context]).repeat_interleave(count, 0)  # [B K, C, width]

        # Each target apart: a mask token in the place of each of its patches.
        masked = self.mask_token + self.positions[targets.flatten(0, 1)]  # [B K, T, width]
        predicted = self.predictor(torch.cat([seen, masked.to(seen.dtype)], 1))[:, -length:]  # [B K, T, D]
        return predicted.unflatten(0, (-1, count))

    def blocks(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The patches of the context, int64 [B, C], and of the targets, int64 [B, K, T], of so many images.

        All targets of a batch have one size, and all contexts as many patches as the smallest of them has left.
        """
        size = self._size(TARGET, SHAPE, rng)
        corners = torch.stack([self._corners(count, size, rng) for _ in range(self.targets)], 1)  # [B, K, 2]
        rows, columns = (torch.arange(extent, device=rng.device) for extent in size)
        numbers = (corners[..., :1] + rows)[..., None] * self.side + (corners[..., 1:] + columns)[..., None, :]
        targets = numbers.flatten(2)  # [B, K, T]

        # The context without the targets.
        size = self._size(CONTEXT, (1.0, 1.0), rng)
        places = torch.arange(self.side, device=rng.device) - self._corners(count, size, rng)[..., None]  # [B, 2, side]
        inside = (places >= 0) & (places < torch.tensor(size, device=rng.device)[:, None])  # [B, 2, side]
        free = (inside[:, 0, :, None] & inside[:, 1, None]).flatten(1)  # [B, P]
        free = free.scatter(1, targets.flatten(1), torch.zeros_like(targets.flatten(1), dtype=torch.bool))

        # A random choice of as many of each image.
        most = max(1, int(free.sum(1).min()))
        order = torch.rand(free.shape, generator=rng, device=rng.device) + (~free).float()
        return order.argsort(1)[:, :most], targets

    def after_step(self, step: Step) -> None:
        """The target encoder follows; its momentum rises linearly."""
        follow(self.target_encoder, self.encoder, self.momentum + (1 - self.momentum) * step.progress, buffers=False)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image, the patches that are its context, and those whose features are predicted."""
        images = to_float(frames.images, self.encoder.image_size)
        patch = self.encoder.image_size // self.side
        patches = to_patches(images, patch)  # [B, P, 3 · patch²]
        shown = []
        for numbers in self.blocks(len(images), step.rng):
            where = numbers.flatten(1)[..., None].expand(-1, -1, patches.shape[2])
            kept = torch.full_like(patches, 0.5).scatter(1, where, patches.gather(1, where))
            shown.append(from_patches(kept, patch))
        return columns((images, "image"), (shown[0], "context"), (shown[1], "what is predicted"))

    def _size(self, scale: tuple[float, float], shape: tuple[float, float], rng: torch.Generator) -> tuple[int, int]:
        """Rows and columns of a block, of a random share of the image and a random shape."""
        area = float(uniform(1, *scale, rng)) * self.side**2
        ratio = float(uniform(1, *shape, rng))
        rows, columns = (round(math.sqrt(each)) for each in (area * ratio, area / ratio))
        return max(1, min(rows, self.side - 1)), max(1, min(columns, self.side - 1))

    def _corners(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        """First row and column of blocks at random places, int64 [B, 2]."""
        room = [self.side - extent + 1 for extent in size]
        return torch.stack([uniform(count, 0, most, rng).long().clamp(max=most - 1) for most in room], 1)
