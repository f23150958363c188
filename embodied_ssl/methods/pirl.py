"""PIRL: an image and a transformed one, such as a puzzle of it, have the same code, and no other image has it."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare
from embodied_ssl.method import Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.memory_bank import BankedMethod, MemoryBank
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.tiles import TILES, cut_tiles, lay, mosaic
from embodied_ssl.parts.views import rotations


class PIRL(BankedMethod):
    """Self-supervised learning of pretext-invariant representations. Misra & van der Maaten, CVPR 2020.

    Idea: Pretext tasks ask how an image was transformed, so features tell of the transformation. Here they are to be
    free of it: an image that was cut into nine shuffled tiles, or rotated, gets the code that the image itself has, and
    that other images have not. Codes are compared with those of a memory bank, so that there are many negatives.

    Loss: `λ L(m_i, g_i) + (1−λ) L(m_i, f_i)`, with f the codes of images, g those of transformed ones, m the entries of
    the bank, and `L(m_i, u) = −log p_i − Σ_j log(1 − p_j)`, p the softmax of `m·u/τ` over the image's own entry i and
    N others j.

    Differs: 4,096 negatives for 32,000, the same for all images of a batch; codes of images by SimCLR's crops and
    colours. Tiles are 24 px as the encoder sees them. AdamW.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        pretext: Literal["jigsaw", "rotation"] = "jigsaw",
        pretext_weight: Share = 0.5,
        temperature: Positive = 0.07,
        negatives: Count = 4096,
        momentum: Share = 0.5,
        dim: Count = 128,
        tile: Count = 24,
        tile_share: SomeShare = 64 / 85,
        least_puzzle: SomeShare = 0.6,
        least_crop: SomeShare = 0.2,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        images: Count | None = None,
    ):
        """A head for images and one for transformed images, and a bank of codes.

        Args:
            encoder: what is learned.
            pretext: what is done to an image: cut into nine shuffled tiles, or rotated by a multiple of 90 degrees.
            pretext_weight: λ.
            temperature: τ.
            negatives: N, entries of the bank that are drawn.
            momentum: share that an entry keeps when its image is seen.
            dim: of the codes, and of each tile.
            tile: side of a tile as the encoder sees it, px.
            tile_share: side of a tile as a share of its cell.
            least_puzzle: smallest share of the square image that a puzzle covers.
            least_crop: smallest share of the image that a view keeps.
            strength: of the change of colours.
            grey: probability that a view loses its colours.
            images: of the data set; None: as many as it has.
        """
        super().__init__(encoder)
        self.projection = nn.Linear(encoder.dim, dim)
        self.pretext_projection = nn.Linear(encoder.dim, dim)
        if pretext == "jigsaw":
            check_size("pirl", encoder, encoder, tile, f"choose a larger --tile, as {encoder.image_size}")
            self.joined = nn.Linear(TILES * dim, dim)
        self.bank = MemoryBank(images or 1, dim)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        image = self.codes(self.augmented(frames.images, step), step)  # [B, dim]
        transformed = self.transformed_codes(self.transformed(frames.images, step))  # [B, dim]
        own = self.bank.codes[frames.index]  # [B, dim]
        self.bank.remember(frames.index, image)

        drawn = torch.randint(len(self.bank.codes), (self.negatives,), generator=step.rng, device=own.device)  # [N]
        others, same = self.bank.codes[drawn], frames.index[:, None] == drawn  # [N, dim], [B, N]
        of_image, of_transformed = (
            contrast(codes, own, others, same, self.temperature) for codes in (image, transformed)
        )
        loss = self.pretext_weight * of_transformed + (1 - self.pretext_weight) * of_image
        return {"loss": loss, "agreement": (image * transformed).sum(1).mean().detach()}

    def transformed(self, images: Tensor, step: Step) -> Tensor:
        """Of images uint8 [B, 3, H, W] tiles in random order, float [B, 9, 3, t, t], or rotated views, [B, 3, s, s]."""
        count = len(images)
        if self.pretext == "rotation":
            turned = rotations(self.augmented(images, step))[0].unflatten(0, (4, count))  # [4, B, 3, s, s]
            quarters = torch.randint(4, (count,), generator=step.rng, device=images.device)  # [B]
            return turned[quarters, torch.arange(count, device=images.device)]
        tiles = cut_tiles(images, step.rng, self.tile, self.tile_share, self.least_puzzle)
        order = torch.rand(count, TILES, generator=step.rng, device=images.device).argsort(1)  # [B, 9]
        whole = lay(tiles, order).transpose(1, 2).flatten(2, 3)  # [B, 3, 9 t, t]
        light = 0.8 * self.strength
        changed = color_jitter(whole, step.rng, light, light, light, light / 4)
        return changed.unflatten(2, (TILES, -1)).transpose(1, 2)

    def transformed_codes(self, views: Tensor) -> Tensor:
        """Codes of unit length of what `transformed` made: float32 [B, dim]."""
        if self.pretext == "rotation":
            return functional.normalize(self.pretext_projection(self.encoder(views)).float(), dim=1)
        tiles = self.pretext_projection(self.encoder(views.flatten(0, 1)))  # [9 B, dim]
        return functional.normalize(self.joined(tiles.unflatten(0, (-1, TILES)).flatten(1)).float(), dim=1)

    def after_step(self, step: Step) -> None:
        self.bank.renew(self.momentum)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image as it was transformed, a view of it, and the views of the batch that are nearest."""
        transformed, views = self.transformed(frames.images, step), self.augmented(frames.images, step)
        similarity = self.transformed_codes(transformed) @ self.codes(views, step).T  # [B, B]
        drawn = torch.stack([mosaic(tiles) for tiles in transformed]) if self.pretext == "jigsaw" else transformed
        rows = columns((drawn, "transformed"), (views, "a view"))
        return with_nearest(rows, views, similarity, frames.index[:, None] == frames.index)


@in_float32
def contrast(codes: Tensor, own: Tensor, others: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Equations 4 and 5 of the paper, the mean over codes [B, D] with entries `own` [B, D], among `others` [N, D].

    same: bool [B, N], which of these are of the image itself, and no negatives.
    """
    positive = (codes * own).sum(1, keepdim=True)  # [B, 1]
    negatives = (codes @ others.T).masked_fill(same, -torch.inf)  # [B, N]
    log_p = functional.log_softmax(torch.cat([positive, negatives], 1) / temperature, 1)  # [B, 1 + N]
    unlikely = torch.log1p(-log_p[:, 1:].exp().clamp(max=1 - 1e-6))  # [B, N], log(1 − p)
    return -(log_p[:, 0] + unlikely.sum(1)).mean()
