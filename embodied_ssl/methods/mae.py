"""MAE: from a quarter of the patches of an image, a transformer reconstructs the other three."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, SomeShare
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.patches import from_patches, plain_transformer, take_patches, to_patches
from embodied_ssl.parts.views import random_resized_crop, to_float
from embodied_ssl.recipe import Preset, Recipe, updates


class MAE(Method):
    """Masked autoencoders are scalable vision learners. He et al., CVPR 2022.

    Idea: Three quarters of the patches of an image are masked at random. The encoder sees the visible ones alone, which
    makes it fast; a small decoder gets their features, a mask token in the place of each masked patch, and the
    positions of all, and predicts the pixels of what is masked. What can be predicted from so little is the content of
    the image, and not its texture.

    Loss: `mean over masked patches p and pixels of (x̂_p − x_p)²`, the pixels of each patch normalised by its own mean
    and standard deviation.

    Differs: Scaled for 32 to 96 px: a decoder of 2 blocks, 96 wide, for the paper's 8 of 512, and a learning rate for
    short runs. The decoder does not see the encoder's [CLS] token (`class_token`): where it does, what it needs to know
    of the image can stand there instead of in the patches, whose mean is the feature.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=0.05, second_beta=0.95, batch_size=128, steps=2000, warmup=0.1)
    usual_encoder = "vit_tiny"
    presets: ClassVar = {
        "paper": Preset(
            "sine/vit_base_patch16_224",
            224,
            Recipe(
                learning_rate=1.5e-4, reference_batch=256, weight_decay=0.05, second_beta=0.95, batch_size=4096,
                steps=updates(1600, 4096), warmup=40 / 1600,
            ),
            {"decoder_depth": 8, "decoder_width": 512, "class_token": True},
            "He et al. 2022; PRETRAIN.md of facebookresearch/mae",
            "Features are the [CLS] token, as the paper's linear probes take it. The ablations' 800 epochs are "
            "--epochs 800.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        mask_ratio: SomeShare = 0.75,
        decoder_depth: Count = 2,
        decoder_width: Count = 96,
        least_crop: SomeShare = 0.2,
        normalise: bool = True,
        class_token: bool = False,
    ):
        """An asymmetric encoder and decoder.

        Args:
            encoder: a plain vision transformer, ours or of timm.
            mask_ratio: share of the patches that are masked.
            decoder_depth: blocks of the decoder.
            decoder_width: dimension of its tokens, a multiple of 32 and of 4.
            least_crop: smallest share of an image that a random crop keeps; there is no other augmentation.
            normalise: whether the pixels of each patch are predicted in units of its mean and standard deviation.
            class_token: whether the decoder sees the encoder's [CLS] token beside its patches, as in the paper.
        """
        from timm.layers import build_sincos2d_pos_embed
        from timm.models.vision_transformer import Block

        super().__init__(encoder)
        encoder = plain_transformer("mae", encoder)
        self.patch_size = encoder.patch
        side = encoder.image_size // encoder.patch
        self.patch_count = side * side
        self.visible_count = round(self.patch_count * (1 - mask_ratio))
        if not 0 < self.visible_count < self.patch_count:
            raise DataError(
                f"mae: with {mask_ratio} of {self.patch_count} patches masked nothing is left to see or to predict"
            )

        self.decoder_embed = nn.Linear(encoder.dim, decoder_width)
        self.mask_token = nn.Parameter(torch.randn(decoder_width) * 0.02)
        blocks = [Block(decoder_width, decoder_width // 32, qkv_bias=True) for _ in range(decoder_depth)]
        self.decoder = nn.Sequential(*blocks)
        self.decoder_pred = nn.Sequential(nn.LayerNorm(decoder_width), nn.Linear(decoder_width, 3 * encoder.patch**2))
        self.register_buffer("positions", build_sincos2d_pos_embed([side, side], decoder_width))  # [P, decoder_width]

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        visible, masked = self.random_masking(len(images), step.rng)  # [B, V], [B, M]

        predicted = self.reconstruct(images, visible, masked).float()  # [B, M, 3 · patch²]
        target = take_patches(self.targets(images), masked)  # [B, M, 3 · patch²]

        # The mean squared error on the masked patches alone (section 3).
        loss = (predicted - target).square().mean()
        return {"loss": loss, "explained": 1 - loss.detach() / target.var().clamp(min=1e-6)}

    def random_masking(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The numbers of the patches that are visible, int64 [B, V], and of those that are masked, int64 [B, M]."""
        order = torch.rand(count, self.patch_count, generator=rng, device=rng.device).argsort(1)  # [B, P]
        return order[:, : self.visible_count], order[:, self.visible_count :]

    def reconstruct(self, images: Tensor, visible: Tensor, masked: Tensor) -> Tensor:
        """The pixels of the masked patches, [B, M, 3 · patch²], as they are predicted from the visible ones."""
        encoder = plain_transformer("mae", self.encoder)

        # The encoder sees the visible patches alone.
        tokens = self.decoder_embed(encoder.visible_tokens(images, visible))  # [B, prefix + V, decoder_width]
        class_token = tokens[:, : encoder.prefix]  # which has no position
        visible_tokens = tokens[:, encoder.prefix :] + self.positions[visible]  # [B, V, decoder_width]

        # The decoder sees a mask token in the place of each of the others.
        mask_tokens = (self.mask_token + self.positions[masked]).to(tokens.dtype)  # [B, M, decoder_width]
        seen = [class_token, visible_tokens] if self.class_token else [visible_tokens]
        decoded = self.decoder(torch.cat([*seen, mask_tokens], 1))  # [B, (prefix +) V + M, decoder_width]
        return self.decoder_pred(decoded[:, -masked.shape[1] :])

    def targets(self, images: Tensor) -> Tensor:
        """The pixels of all patches, [B, P, 3 · patch²], of each in units of its mean and standard deviation."""
        patches = to_patches(images, self.patch_size)
        if not self.normalise:
            return patches
        return (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """The patches of each image that are visible, the reconstruction of the others, and the image."""
        images = to_float(frames.images, self.encoder.image_size)
        masked, whole = self.visualize(images, step.rng)
        return columns((masked, "seen"), (whole, "reconstructed"), (images, "as it was"))

    @torch.no_grad()
    def visualize(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images [B, 3, s, s] with what is masked in grey, and with what is masked reconstructed; [B, 3, s, s] both.

        Mean and standard deviation of a patch, where the prediction is in units of them, are taken from the image.
        """
        visible, masked = self.random_masking(len(images), rng)
        predicted = self.reconstruct(images, visible, masked).float()  # [B, M, 3 · patch²]
        patches = to_patches(images, self.patch_size)  # [B, P, 3 · patch²]
        if self.normalise:
            true = take_patches(patches, masked)
            predicted = predicted * (true.var(2, keepdim=True) + 1e-6).sqrt() + true.mean(2, keepdim=True)
        where = masked[..., None].expand_as(predicted)
        grey = patches.scatter(1, where, 0.5)
        filled = patches.scatter(1, where, predicted.clamp(0, 1))
        return from_patches(grey, self.patch_size), from_patches(filled, self.patch_size)
