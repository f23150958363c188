"""Relative patch location: predict on which of eight sides of a patch another one lies."""

from typing import Literal

import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import MEAN, Encoder
from embodied_ssl.limits import NonNegative, Share
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.fitting import check_at_most, check_size
from embodied_ssl.parts.heads import Tower, mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.panels import ROWS
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import random_resolution, uniform, windows_at

SIDES = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))
"""Steps (u, v) from a patch to each of its eight neighbours."""
NAMES = ("above left", "above", "above right", "left", "right", "below left", "below", "below right")


class RelativePatch(Method):
    """Unsupervised visual representation learning by context prediction. Doersch, Gupta & Efros, ICCV 2015.

    Idea: From two neighbouring patches of an image a network predicts on which of eight sides of the first the second
    one lies. To do so it has to recognise the objects that the patches are parts of. What would give the answer away
    without them is removed: a gap and jitter against lines that continue, and a guard against chromatic aberration.

    Loss: `−log softmax(h(z_1, z_2))[side]`, cross-entropy over eight sides.

    Differs: The paper cuts patches of 96 px with gaps of 48 and a jitter of 7 out of large images. Here they are shares
    of the image, so that a pair fits into one of 32 to 96 px, and are resized to half the side that the encoder is made
    for.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        patch: Share = 0.3,
        gap: Share = 0.5,
        jitter: NonNegative = 0.07,
        colors: Literal["drop", "project", "none"] = "drop",
        coarse: Share = 0.3,
    ):
        """Two tied towers whose outputs are concatenated before the classifier.

        Args:
            encoder: what is learned.
            patch: side of a patch, as a share of the shorter side of the image.
            gap: between the two patches, as a share of a patch: no line continues from one to the other.
            jitter: most displacement of each patch, as a share of a patch, along each axis.
            colors: guard against chromatic aberration, which gives away where in the image a patch was: `drop` two of
                three colours for noise; `project` out the axis from green to magenta, which keeps the colours but
                leaves a ghost of a displaced green; or `none`.
            coarse: share of the patches that are downsampled and upsampled again.
        """
        super().__init__(encoder)
        why = f"two patches with a gap of {gap:g} and a jitter of {jitter:g} of their side do not fit into an image"
        check_at_most("relative_patch", "patch", patch, 1 / (2 + gap + 2 * jitter), why)
        self.size = encoder.image_size // 2
        check_size("relative_patch", encoder, encoder.last_maps, self.size, "choose a larger --image_size")
        self.code = Tower(encoder.width, 128)
        self.head = mlp((256, 128, len(SIDES)))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        patches, side = self.pairs(frames.images, step.rng)  # [B, 2, 3, s, s], [B]
        logits = self._classify(self.guarded(patches, step.rng))  # [B, 8]
        accuracy = (logits.argmax(1) == side).float().mean()
        return {"loss": cross_entropy(logits, side), "accuracy": accuracy}

    def pairs(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A patch and a neighbour of each image, [B, 2, 3, s, s], at a random place, and on which side it is, [B]."""
        count, (height, width) = len(images), images.shape[-2:]
        side = torch.randint(len(SIDES), (count,), generator=rng, device=rng.device)
        patch = self.patch * min(height, width)  # side, px
        apart = torch.tensor(SIDES, device=images.device)[side] * (1 + self.gap) * patch  # [B, 2]
        extent = images.new_tensor([width, height], dtype=torch.float32)
        room = extent - apart.abs() - (1 + 2 * self.jitter) * patch  # [B, 2]: for the corner of both
        corner = torch.stack([uniform(count, 0, 1, rng), uniform(count, 0, 1, rng)], 1) * room
        first = corner + (0.5 + self.jitter) * patch - apart.clamp(max=0)
        jitter = torch.rand((count, 2, 2), generator=rng, device=rng.device) * 2 - 1
        middle = torch.stack([first, first + apart], 1) + jitter * self.jitter * patch  # [B, 2, 2]
        return windows_at(images, middle, torch.full_like(room[:, 0], patch), self.size), side

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Both patches of each image, and where the second is predicted to be."""
        patches, side = self.pairs(frames.images, step.rng)
        predicted = self._classify(self.guarded(patches, step.rng)).argmax(1)
        return [
            [
                Panel(image / 255),
                Panel(first, "the patch"),
                Panel(second, f"{NAMES[answer]}" + ("" if answer == true else f", is {NAMES[true]}"), answer == true),
            ]
            for image, (first, second), answer, true in zip(
                frames.images, patches, predicted.tolist(), side.tolist(), strict=True
            )
        ][:ROWS]

    def guarded(self, patches: Tensor, rng: torch.Generator) -> Tensor:
        """Patches [B, 2, 3, s, s] with their colours and resolutions guarded, [B · 2, 3, s, s]."""
        each = patches.flatten(0, 1)
        if self.colors == "drop":
            keep = torch.randint(3, (len(each),), generator=rng, device=rng.device)
            each = each[torch.arange(len(each), device=each.device), keep][:, None]
        elif self.colors == "project":
            each = without_green_magenta(each)
        sides = tuple(round(share * self.size) for share in (0.3, 0.5, 0.7))
        each = random_resolution(each, rng, sides, self.coarse)
        return among_noise(each, keep, rng) if self.colors == "drop" else each

    def _classify(self, patches: Tensor) -> Tensor:
        codes = self.code(self.encoder.last_maps(patches)).relu()  # [2 B, 128]
        return self.head(codes.unflatten(0, (-1, 2)).flatten(1))


@in_float32
def without_green_magenta(images: Tensor) -> Tensor:
    """Colours projected onto the plane across the axis from green to magenta, about the mean that encoders subtract."""
    axis = images.new_tensor([-1.0, 2.0, -1.0])
    projection = torch.eye(3, device=images.device) - torch.outer(axis, axis) / axis.dot(axis)
    return torch.einsum("dc,bchw->bdhw", projection, images - MEAN) + MEAN


@in_float32
def among_noise(kept: Tensor, place: Tensor, rng: torch.Generator) -> Tensor:
    """One colour [B, 1, s, s] at its place [B] of three; the two others are noise of a hundredth of its deviation."""
    noise = torch.randn((len(kept), 2, *kept.shape[2:]), generator=rng, device=rng.device)  # [B, 2, s, s]
    deviation = (kept - kept.mean((2, 3), keepdim=True)).square().mean((2, 3), keepdim=True).sqrt()  # std takes longer
    channels = torch.cat([noise * (deviation / 100) + MEAN, kept], 1)  # [B, 3, s, s]
    order = torch.tensor([[2, 0, 1], [0, 2, 1], [0, 1, 2]], device=kept.device)[place]
    return channels[torch.arange(len(kept), device=kept.device)[:, None], order]
