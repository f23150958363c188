"""Context encoder: fill a hole in an image from what surrounds it."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import MEAN, Encoder
from embodied_ssl.limits import NonNegative, ShareButAll, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.fitting import check_at_most
from embodied_ssl.parts.heads import growing
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import Range, random_square, uniform

Hole = Literal["centre", "random"]


class ContextEncoder(Method):
    """Context encoders: feature learning by inpainting. Pathak et al., CVPR 2016.

    The hole is filled with the mean colour before the encoder sees the image. `centre`: a square of half the side, of
    which a rim (7 of 227 px, here in proportion) stays visible and weighs ten times, so that the filling joins what is
    around it. `random`: blobs of any shape over up to a quarter of the image, by which the network cannot latch onto
    one border; the paper cuts them out of segmentations, here they are level sets of smooth noise. Generator and
    discriminator share one optimiser and one learning rate: neither's term has a gradient in the other's weights.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        hole: Hole = "random",
        reconstruction: NonNegative = 0.999,
        adversarial: NonNegative = 0.001,
        rim: ShareButAll = 7 / 227,
        least_crop: SomeShare = 0.5,
    ):
        """Encoder, channel-wise fully connected layer, decoder; a discriminator beside them.

        Args:
            encoder: what is learned.
            hole: `centre` or `random`.
            reconstruction: weight of the squared error.
            adversarial: weight of the adversarial loss; 0: without a discriminator.
            rim: width of the rim of a central hole that stays visible, as a share of the side.
            least_crop: smallest share of the square image that a view keeps.
        """
        super().__init__(encoder)
        size = encoder.image_size
        widest = ((size - 2 * (size // 4) - 1) // 2 + 0.49) / size
        check_at_most("context_encoder", "rim", rim, widest, "nothing of a hole would be hidden")
        with torch.no_grad():
            side = encoder.eval().last_maps(torch.zeros(1, 3, size, size)).shape[-1]
        encoder.train()
        self.connect = ChannelwiseConnected(encoder.width, side)
        self.decode = nn.Sequential(nn.Conv2d(encoder.width, 128, 1), nn.ReLU(inplace=True), growing(128, side, size))
        self.discriminator = _discriminator()

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_square(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        region, hidden = self.holes(images, step.rng)
        filled = self.fill(images, hidden).float()
        weight = region * (1 + 9 * (region - hidden))  # the rim weighs ten times
        # The mean over each picture's own hole: a large one counts no more than a small one.
        errors = ((filled - images).square() * weight).sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)))
        error = errors.mean()
        found = {"loss": self.reconstruction * error, "squared_error": error.detach()}
        if self.adversarial:
            fooled, told = self._adversarial(images * region, filled * region)
            found["loss"] = found["loss"] + self.adversarial * fooled + told
            found |= {"fooled": fooled.detach(), "told_apart": told.detach()}
        return found

    def holes(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Where to predict, and of that what the encoder may not see: 1 or 0, float [B, 1, s, s] each."""
        if self.hole == "centre":
            size = images.shape[-1]
            region, hidden = (torch.zeros(len(images), 1, size, size, device=images.device) for _ in range(2))
            first, rim = size // 4, max(1, round(self.rim * size))
            region[..., first : size - first, first : size - first] = 1
            hidden[..., first + rim : size - first - rim, first + rim : size - first - rim] = 1
            return region, hidden
        region = random_blobs(len(images), images.shape[-1], (0.1, 0.25), rng)
        return region, region

    def fill(self, images: Tensor, hidden: Tensor) -> Tensor:
        """What the network makes of images [B, 3, s, s] whose `hidden` part it does not see; the same shape."""
        maps = self.encoder.last_maps(covered(images, hidden))
        return self.decode(self.connect(maps)).sigmoid()

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image with its hole, filled, and whole."""
        images = random_square(frames.images, step.rng, self.encoder.image_size, (1.0, 1.0), flip=0.0)
        _, hidden = self.holes(images, step.rng)
        seen, filled = covered(images, hidden), torch.where(hidden > 0, self.fill(images, hidden), images)
        return columns((seen, "seen"), (filled, "filled"), (images, "as it was"))

    def _adversarial(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """How badly the filling passes for real, and how badly the discriminator tells them apart.

        It sees the region alone (section 3.2): with the context it would judge by the seam.
        """
        frozen = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        fooled = functional.softplus(-functional_call(self.discriminator, frozen, (fake,)).float()).mean()
        told = functional.softplus(-self.discriminator(real).float()).mean()
        return fooled, told + functional.softplus(self.discriminator(fake.detach()).float()).mean()


class ChannelwiseConnected(nn.Module):
    """A fully connected layer within each channel: what is seen in one place reaches all others (section 3.1)."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        places = side * side
        self.weight = nn.Parameter(torch.randn(channels, places, places) / places**0.5)
        self.bias = nn.Parameter(torch.zeros(channels, places))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, channels, side, side] → the same shape, rectified."""
        joined = torch.einsum("bci,cij->bcj", maps.flatten(2), self.weight) + self.bias
        return joined.relu().view(maps.shape)


@in_float32
def covered(images: Tensor, hidden: Tensor) -> Tensor:
    """Images [B, 3, s, s] with the mean colour where `hidden`, [B, 1, s, s], is 1."""
    return torch.lerp(images, images.new_tensor(MEAN), hidden)


@in_float32
def random_blobs(count: int, size: int, share: Range, rng: torch.Generator) -> Tensor:
    """Regions of random shape over a random share of the image: 1 inside, 0 outside, float [B, 1, size, size]."""
    noise = torch.randn((count, 6, 6), generator=rng, device=rng.device)
    ramp = functional.interpolate(torch.eye(6, device=rng.device)[None, None], (size, 6), mode="bicubic")[0, 0]
    field = ramp @ noise @ ramp.T
    sample = field[:, :: max(1, size // 24), :: max(1, size // 24)].flatten(1)  # to sort them all would take longest
    rank = (uniform(count, *share, rng) * sample.shape[1]).long()
    level = sample.topk(int(share[1] * sample.shape[1]) + 1).values.gather(1, rank[:, None])
    return (field > level[..., None]).float()[:, None]


def _discriminator() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128 * 16, 1))
