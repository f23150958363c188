"""BiGAN: an encoder inverts a generator, since a discriminator sees images beside their codes."""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.heads import Decoder
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.views import random_square


class BiGAN(Method):
    """Adversarial feature learning. Donahue, Krähenbühl & Darrell, ICLR 2017.

    Idea: A generator makes images of random codes, and an encoder codes of images. A discriminator sees both together
    and tells images with what the encoder makes of them from generated images with what they were made of. It can be
    deceived by nothing but an encoder and a generator that are each other's inverse, so that codes hold what varies
    among images.

    Loss: `D: −log D(x, E(x)) − log(1 − D(G(z), z)); E and G: −log(1 − D(x, E(x))) − log D(G(z), z)`, the latter the
    inverse objective, which has a gradient where the discriminator is right (section 3.5).

    Differs: All three learn in one update, the discriminator from detached images and codes, encoder and generator
    through a discriminator whose weights are held: neither's term has a gradient in the other's weights. The generator
    upsamples by nearest neighbours, and the discriminator has no batch norm. In short runs of small encoders it was not
    seen to learn: on stripes of 16 px nearest neighbours found 0.20 of the kinds after 150 updates, untrained 0.29.
    """

    recipe = Recipe(learning_rate=2e-4, weight_decay=2.5e-5, momentum=0.5, batch_size=128, steps=2000)

    def __init__(
        self, encoder: Encoder, latent: Count = 50, width: Count = 128, hidden: Count = 256, least_crop: SomeShare = 0.5
    ):
        """A linear layer on the encoder, a generator and a discriminator.

        Args:
            encoder: what is learned.
            latent: numbers of a code, even in −1 to 1 at random; 200 for ImageNet in the paper.
            width: channels of the generator's first maps.
            hidden: of the discriminator's layers of images and codes together.
            least_crop: smallest share of the square image that a view keeps.
        """
        super().__init__(encoder)
        self.to_code = nn.Linear(encoder.dim, latent)
        self.generator = Decoder(latent, encoder.image_size, width)
        self.discriminator = Discriminator(latent, hidden)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_square(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        codes = self.to_code(self.encoder(images))  # [B, latent], E(x)
        latents = self.latents(len(images), step.rng)  # [B, latent], z
        made = self.generator(latents)  # [B, 3, s, s], G(z)

        # The discriminator learns from what the others have made, and they through what it is.
        held = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        real, fake = self.discriminator(images, codes.detach()), self.discriminator(made.detach(), latents)  # [B]
        of_real = functional_call(self.discriminator, held, (images, codes))
        of_fake = functional_call(self.discriminator, held, (made, latents))
        discriminator, others = objective(real, fake), objective(of_fake, of_real)

        right = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        found = {"discriminator": discriminator.detach(), "encoder_and_generator": others.detach()}
        return {"loss": discriminator + others, **found, "told_apart": right}

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        """Random codes, float [B, latent] in [−1, 1]."""
        return torch.rand(count, self.latent, generator=rng, device=rng.device) * 2 - 1

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image, what the generator makes of its code, and what it makes of a random one."""
        images = random_square(frames.images, step.rng, self.encoder.image_size, (1.0, 1.0), flip=0.0)
        again = self.generator(self.to_code(self.encoder(images))).float()
        made = self.generator(self.latents(len(images), step.rng)).float()
        return columns((images, "image"), (again, "of its code"), (made, "of a random code"))


def objective(positive: Tensor, negative: Tensor) -> Tensor:
    """`−log σ(a) − log(1 − σ(b))`, the means over logits a of what counts as positive and b of what does not."""
    return functional.softplus(-positive.float()).mean() + functional.softplus(negative.float()).mean()


class Discriminator(nn.Module):
    """Convolutions of the image, then layers that see it beside the code."""

    def __init__(self, latent: int, hidden: int):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.of_image = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128 * 16, hidden))
        self.of_code = nn.Linear(latent, hidden)
        self.joint = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(2 * hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1)
        )

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        """images [B, 3, s, s] and codes [B, latent] → logits [B]."""
        both = torch.cat([self.of_image(images), self.of_code(codes)], 1)  # [B, 2 · hidden]
        return self.joint(both).squeeze(1)
