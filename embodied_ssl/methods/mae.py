"""MAE: from a quarter of its patches, a transformer tells an picture's other three."""

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder, TransformerEncoder
from embodied_ssl.limits import Count, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.views import random_resized_crop, to_float


class MAE(Method):
    """Masked autoencoders are scalable vision learners. He et al., CVPR 2022.

    The encoder sees the visible patches alone; a small decoder is given a token in the place of each masked one. Scaled
    for 32 to 96 px: a decoder of 2 blocks, 96 wide, for the paper's 8 of 512, and a learning rate for short runs.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=0.05, second_beta=0.95, batch_size=128, steps=2000, warmup=0.1)
    usual_encoder = "vit_tiny"

    def __init__(
        self, encoder: Encoder, masked: SomeShare = 0.75, depth: Count = 2, width: Count = 96,
        least_crop: SomeShare = 0.2, normalise: bool = True, class_token: bool = False,
    ):  # fmt: skip
        """An asymmetric encoder and decoder.

        Args:
            encoder: a plain vision transformer, ours or of timm.
            masked: share of the patches that are hidden.
            depth: blocks of the decoder.
            width: of the decoder, a multiple of 32 and of 4.
            least_crop: smallest share of an image that a random crop keeps; there is no other augmentation.
            normalise: whether each patch is to be told up to its mean and deviation.
            class_token: whether the decoder sees the encoder's [CLS] token beside its patches, as in the paper. Where
                it does not, all that it needs to know must be in the patches, whose mean is the feature.
        """
        from timm.layers import build_sincos2d_pos_embed
        from timm.models.vision_transformer import Block

        super().__init__(encoder)
        if not isinstance(encoder, TransformerEncoder):
            raise DataError(
                f"mae: {encoder.name} has no patches to leave out; take --encoder vit_tiny, or a plain transformer of "
                "timm as timm/vit_tiny_patch16_224"
            )
        self._patch = encoder.patch
        side = encoder.image_size // encoder.patch
        self.patches = side * side
        if not 0 < self._visible < self.patches:
            raise DataError(f"mae: with {masked} of {self.patches} patches masked nothing is left to see or to tell")
        self.enter = nn.Linear(encoder.dim, width)
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.decoder = nn.Sequential(*(Block(width, width // 32, qkv_bias=True) for _ in range(depth)))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3 * encoder.patch**2))
        self.register_buffer("positions", build_sincos2d_pos_embed([side, side], width))  # [patches, width]

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        shown, hidden = self.choose(len(images), step.rng)
        told = self.tell(images, shown, hidden).float()
        truth = _of(self.targets(images), hidden)
        loss = (told - truth).square().mean()
        return {"loss": loss, "explained": 1 - loss.detach() / truth.var().clamp(min=1e-6)}

    def choose(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """For each image its patches in a random order: those shown, int64 [B, n], and those hidden, [B, P − n]."""
        order = torch.rand(count, self.patches, generator=rng, device=rng.device).argsort(1)
        return order[:, : self._visible], order[:, self._visible :]

    def tell(self, images: Tensor, shown: Tensor, hidden: Tensor) -> Tensor:
        """What the hidden patches look like, [B, P − n, 3 · patch²]."""
        encoder = self.encoder
        assert isinstance(encoder, TransformerEncoder)
        tokens = self.enter(encoder.visible_tokens(images, shown))
        seen = tokens[:, encoder.prefix :] + self.positions[shown]
        asked = (self.mask_token + self.positions[hidden]).to(seen.dtype)
        context = [tokens[:, : encoder.prefix], seen] if self.class_token else [seen]  # [CLS] has no place
        return self.leave(self.decoder(torch.cat([*context, asked], 1))[:, -hidden.shape[1] :])

    def targets(self, images: Tensor) -> Tensor:
        """The patches of images, [B, P, 3 · patch²], each about its mean and in units of its deviation."""
        patches = to_patches(images, self._patch)
        if not self.normalise:
            return patches
        return (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """The patches of each image that are seen, what is made of them, and the image."""
        images = to_float(frames.images, self.encoder.image_size)
        masked, whole = self.reconstruct(images, step.rng)
        return columns((masked, "seen"), (whole, "reconstructed"), (images, "as it was"))

    @torch.no_grad()
    def reconstruct(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is shown of images [B, 3, s, s], the rest grey, and what is made of it.

        Of a patch that is told up to mean and deviation, these two are taken from the image.
        """
        shown, hidden = self.choose(len(images), rng)
        told = self.tell(images, shown, hidden).float()
        patches = to_patches(images, self._patch)
        if self.normalise:
            true = _of(patches, hidden)
            told = told * (true.var(2, keepdim=True) + 1e-6).sqrt() + true.mean(2, keepdim=True)
        place = hidden[..., None].expand_as(told)
        masked, whole = patches.scatter(1, place, 0.5), patches.scatter(1, place, told.clamp(0, 1))
        side = images.shape[-1] // self._patch
        masked, whole = (
            each.unflatten(1, (side, side)).unflatten(3, (3, self._patch, self._patch)).permute(0, 3, 1, 4, 2, 5)
            for each in (masked, whole)
        )
        return masked.reshape_as(images), whole.reshape_as(images)

    @property
    def _visible(self) -> int:
        return round(self.patches * (1 - self.masked))


def to_patches(images: Tensor, side: int) -> Tensor:
    """Images [B, 3, H, W] cut into squares, row by row: [B, P, 3 · side²]."""
    return nn.functional.unfold(images, side, stride=side).transpose(1, 2)


def _of(patches: Tensor, chosen: Tensor) -> Tensor:
    """Those of patches [B, P, D] that are chosen, int64 [B, n]."""
    return patches.gather(1, chosen[..., None].expand(-1, -1, patches.shape[2]))
