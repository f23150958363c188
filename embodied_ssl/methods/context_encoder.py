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


class ContextEncoder(Method):
    """Context encoders: feature learning by inpainting. Pathak et al., CVPR 2016.

    Idea: A part of an image is covered, and a network fills it from what surrounds it. A squared error gives the
    structure of the filling, but a blurred mean of all that would fit; an adversarial loss, by which a discriminator
    tries to tell fillings from real regions, makes it sharp.

    Loss: `λ_r ‖M ⊙ (x − F(x ⊙ (1 − M)))‖² + λ_a L_adv`, M the region to fill; the discriminator has its own term.

    Differs: The hole is covered by the mean colour. `centre`: a square of half the side, of which a rim (7 of 227 px,
    here in proportion) stays visible and weighs ten times, so that the filling joins what is around it. `random`: blobs
    over up to a quarter of the image; the paper cuts them out of segmentations, here they are level sets of smooth
    noise. The squared error is the mean over each image's own hole. Generator and discriminator share one optimiser and
    one learning rate: neither's term has a gradient in the other's weights.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        hole: Literal["centre", "random"] = "random",
        reconstruction: NonNegative = 0.999,
        adversarial: NonNegative = 0.001,
        rim: ShareButAll = 7 / 227,
        least_crop: SomeShare = 0.5,
    ):
        """Encoder, channel-wise fully connected layer, decoder; a discriminator beside them.

        Args:
            encoder: what is learned.
            hole: `centre` or `random`.
            reconstruction: λ_r, weight of the squared error.
            adversarial: λ_a, weight of the adversarial loss; 0: without a discriminator.
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
        region, hidden = self.holes(images, step.rng)  # [B, 1, s, s]
        filled = self.fill(images, hidden).float()  # [B, 3, s, s]

        # The squared error (section 3.2), the mean over each image's own hole; its rim weighs ten times.
        weight = region * (1 + 9 * (region - hidden))
        squares = (filled - images).square() * weight  # [B, 3, s, s]
        error = (squares.sum((1, 2, 3)) / (3 * weight.sum((1, 2, 3)))).mean()
        losses = {"loss": self.reconstruction * error, "squared_error": error.detach()}

        # The adversarial loss (section 3.2), and what the discriminator learns by.
        if self.adversarial:
            generator, discriminator = self._adversarial(images * region, filled * region)
            losses["loss"] = losses["loss"] + self.adversarial * generator + discriminator
            losses |= {"generator": generator.detach(), "discriminator": discriminator.detach()}
        return losses

    def holes(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Where to predict, and of that what the encoder may not see: 1 or 0, float [B, 1, s, s] each."""
        if self.hole == "centre":
            size = images.shape[-1]
            region = images.new_zeros(len(images), 1, size, size)
            hidden = images.new_zeros(len(images), 1, size, size)
            edge = size // 4
            inner = edge + max(1, round(self.rim * size))
            region[..., edge : size - edge, edge : size - edge] = 1
            hidden[..., inner : size - inner, inner : size - inner] = 1
            return region, hidden
        region = random_blobs(len(images), images.shape[-1], (0.1, 0.25), rng)
        return region, region

    def fill(self, images: Tensor, hidden: Tensor) -> Tensor:
        """Images [B, 3, s, s] as the network predicts them where their `hidden` part is covered; the same shape."""
        maps = self.encoder.last_maps(covered(images, hidden))  # [B, channels, h, w]
        return self.decode(self.connect(maps)).sigmoid()

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image with its hole, filled, and whole."""
        images = random_square(frames.images, step.rng, self.encoder.image_size, (1.0, 1.0), flip=0.0)
        _, hidden = self.holes(images, step.rng)
        seen, filled = covered(images, hidden), torch.where(hidden > 0, self.fill(images, hidden), images)
        return columns((seen, "seen"), (filled, "filled"), (images, "as it was"))

    def _adversarial(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the generator, and that of the discriminator, of real and filled regions [B, 3, s, s].

        The discriminator sees the region alone (section 3.2): with the context it would judge by the seam.
        """
        frozen = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        generator = functional.softplus(-functional_call(self.discriminator, frozen, (fake,)).float()).mean()
        on_real = functional.softplus(-self.discriminator(real).float()).mean()
        on_fake = functional.softplus(self.discriminator(fake.detach()).float()).mean()
        return generator, on_real + on_fake


class ChannelwiseConnected(nn.Module):
    """A fully connected layer within each channel: what is seen in one place reaches all others (section 3.1)."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        places = side * side  # of a map
        self.weight = nn.Parameter(torch.randn(channels, places, places) / places**0.5)
        self.bias = nn.Parameter(torch.zeros(channels, places))

    def forward(self, maps: Tensor) -> Tensor:
        """[B, channels, side, side] → the same shape, rectified."""
        joined = torch.einsum("bci,cij->bcj", maps.flatten(2), self.weight) + self.bias  # [B, channels, side²]
        return joined.relu().view(maps.shape)


@in_float32
def covered(images: Tensor, hidden: Tensor) -> Tensor:
    """Images [B, 3, s, s] with the mean colour where `hidden`, [B, 1, s, s], is 1."""
    return torch.lerp(images, images.new_tensor(MEAN), hidden)


@in_float32
def random_blobs(count: int, size: int, share: Range, rng: torch.Generator) -> Tensor:
    """Regions of random shape over a random share of the image: 1 inside, 0 outside, float [B, 1, size, size]."""
    # Smooth noise: 6×6 numbers, interpolated.
    noise = torch.randn((count, 6, 6), generator=rng, device=rng.device)
    ramp = functional.interpolate(torch.eye(6, device=rng.device)[None, None], (size, 6), mode="bicubic")[0, 0]
    field = ramp @ noise @ ramp.T  # [B, size, size]

    # The level that a random share of it exceeds, found in some of its points: to sort them all would take longest.
    step = max(1, size // 24)
    sample = field[:, ::step, ::step].flatten(1)  # [B, N]
    rank = (uniform(count, *share, rng) * sample.shape[1]).long()  # [B]
    level = sample.topk(int(share[1] * sample.shape[1]) + 1).values.gather(1, rank[:, None])  # [B, 1]
    return (field > level[..., None]).float()[:, None]


def _discriminator() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128 * 16, 1))
