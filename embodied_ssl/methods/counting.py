"""Counting: what is counted in the four quarters of an image adds up to what is counted in the whole."""

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Share, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter, grayscale_
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.panels import ROWS
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import random_square
from embodied_ssl.training.devices.distributed import gather, rank


class Counting(Method):
    """Representation learning by learning to count. Noroozi, Pirsiavash & Favaro, ICCV 2017.

    Idea: A network counts whatever it likes in an image, such as eyes or wheels; its outputs are not negative. An image
    that is made smaller and the four quarters that it is cut into show the same things, so what is counted in the
    quarters adds up to what is counted in the small image. That nothing at all is counted is ruled out by asking that
    the counts of another image differ.

    Loss: `‖φ(D x) − Σ_j φ(T_j x)‖² + max(0, c − ‖φ(D y) − Σ_j φ(T_j x)‖²)`, with D an image at half its size, T_j its
    quarters, and y another image of the batch.

    Differs: The paper cuts quarters of 112 px out of a crop of 224; here they have half the side of what the encoder
    sees (`tile`). Colours change from image to image, and two of three are grey. Images are made smaller in one of
    three ways, drawn for each, so that the traces of one are not what is counted. The hidden layer has a batch norm,
    and the last one begins with weights a tenth as large as usual. In short runs of small encoders the counts of
    quarters come to fit those of their image in rooms never seen, but nearest neighbours of the features (0.24 of the
    kinds of stripes at best, untrained 0.26) do not get better.
    """

    whole_batch = True  # whose images are each other's others
    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        counts: Count = 1000,
        margin: NonNegative = 10.0,
        tile: Count | None = None,
        width: Count = 256,
        least_crop: SomeShare = 0.5,
        jitter: NonNegative = 0.4,
        grey: Share = 0.67,
    ):
        """Counts of the pooled features.

        Args:
            encoder: what is learned.
            counts: how many things are counted.
            margin: c.
            tile: side of a quarter and of the small image, px; None: half of what the encoder sees.
            width: of the hidden layer.
            least_crop: smallest share of the square image that a view keeps.
            jitter: of the colours of a view.
            grey: share of the views that are grey.
        """
        super().__init__(encoder)
        self.side = tile or encoder.image_size // 2
        check_size("counting", encoder, encoder, self.side, f"choose a larger --tile, as {encoder.image_size}")
        self.head = mlp((encoder.dim, width, counts))
        with torch.no_grad():  # counts begin at the scale of the margin: from far above, they all fall to 0 and stay
            for parameter in self.head[-1].parameters():
                parameter.mul_(0.1)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        small, tiles = self.views(frames.images, step)  # [B, 3, t, t], [4 B, 3, t, t]
        counted = self.counted(torch.cat([small, tiles]), step)  # [5 B, counts]
        whole, parts = counted[: len(small)], counted[len(small) :].unflatten(0, (4, -1)).sum(0)  # [B, counts]
        return self.balance(whole, parts, digest(frames.images))

    @in_float32
    def balance(self, whole: Tensor, parts: Tensor, identity: Tensor) -> dict[str, Tensor]:
        """The loss of counts of small images and of sums over quarters, [B, counts], of images with these numbers."""
        same = (whole - parts).square().sum(1)  # [B]
        apart = (next_of(whole) - parts).square().sum(1)  # [B]
        differs = next_of(identity) != identity  # an image that is there twice is no other
        contrast = (self.margin - apart).clamp(min=0) * differs
        relative = same.mean() / apart.mean().clamp(min=1e-12)
        counted = whole.sum(1).mean()
        return {"loss": (same + contrast).mean(), "relative": relative.detach(), "counted": counted.detach()}

    def counted(self, views: Tensor, step: Step) -> Tensor:
        """What is counted in views [N, 3, t, t]: float32 [N, counts], not negative."""
        return in_chunks((self.encoder, self.head), views, step.loss_chunks).float().relu()

    def views(self, images: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """Of images uint8 [B, 3, H, W] small views, [B, 3, t, t], and first to fourth quarters, [4 B, 3, t, t]."""
        views = random_square(images, step.rng, 2 * self.side, (self.least_crop, 1.0))  # [B, 3, 2 t, 2 t]
        if self.training:
            views = color_jitter(views, step.rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
            views = grayscale_(views, step.rng, self.grey)
        quarters = [half for row in views.chunk(2, 2) for half in row.chunk(2, 3)]
        return shrunk(views, self.side, step.rng), torch.cat(quarters)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image and its quarters, with the sum of what is counted in each."""
        small, tiles = self.views(frames.images, step)
        parts = [small, *tiles.chunk(4)]
        sums = [self.counted(each, step).sum(1).tolist() for each in parts]  # 5 × [B]
        names = ("whole", "quarter", "quarter", "quarter", "quarter")
        return [
            [Panel(part[i], f"{name}: {total[i]:.0f}") for part, name, total in zip(parts, names, sums, strict=True)]
            for i in range(min(ROWS, len(small)))
        ]


@in_float32
def shrunk(views: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """Views [B, 3, 2 t, 2 t] at half their size, each in one of three ways: by area, by cubics, every second pixel."""
    ways = torch.stack(
        [
            functional.interpolate(views, (side, side), mode="area"),
            functional.interpolate(views, (side, side), mode="bicubic", antialias=True).clamp(0, 1),
            functional.interpolate(views, (side, side), mode="nearest-exact"),
        ]
    )  # [3, B, 3, t, t]
    drawn = torch.randint(3, (len(views),), generator=rng, device=views.device)  # [B]
    return ways[drawn, torch.arange(len(views), device=views.device)]


def next_of(values: Tensor) -> Tensor:
    """For each sample [B, ...] that of the next one among those of all processes, and of the last the first."""
    return gather(values).roll(-1, 0)[rank() * len(values) :][: len(values)]
