"""LeJEPA: views of an image agree, and the codes of all images are spread as a normal distribution is."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare, Whole
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.augmentation import Augmentation
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.multi_crop import MultiCrop
from embodied_ssl.parts.positives import Views
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.training.devices.distributed import gather


class LeJEPA(MultiCrop):
    """LeJEPA: provable and scalable self-supervised learning without the heuristics. Balestriero & LeCun 2025.

    Idea: Each crop of an image predicts the mean code of its large crops, and the codes of a batch are held to the one
    distribution that serves unknown tasks best, an isotropic normal one. Whether they have it is tested along random
    directions (SIGReg). There is no teacher, no stopped gradient, and no schedule, and one weight to choose.

    Loss: `(1 − λ) mean over crops v of (z_v − μ)² + λ SIGReg(z)`, with μ the mean code of the large crops of an image;
    SIGReg is the mean over random directions a of `N ∫ |φ̂(t) − e^(−t²/2)|² e^(−t²/2) dt`, with φ̂ the empirical
    characteristic function of the N codes along a.

    Differs: Scaled for 32 to 96 px and short runs: two large crops and four small ones for six, a head 512 wide for
    2,048, 256 directions for 1,024. As in the authors' minimal example the integral runs from 0 to 3 and counts twice.
    Views can also come from the body (`views`).
    """

    whole_batch = True
    recipe = Recipe(learning_rate=1e-3, weight_decay=0.05, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(least_crop=0.3),  # noqa: B008 (it is frozen)
        local_crops: Whole = 4,
        local_size: Count | None = None,
        local_least: SomeShare = 0.05,
        local_most: SomeShare = 0.3,
        sigreg_weight: Share = 0.05,
        directions: Count = 256,
        knots: Count = 17,
        furthest: Positive = 3.0,
        width: Count = 512,
        dim: Count = 64,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
    ):
        """A projection on the encoder.

        Args:
            encoder: what is learned.
            views: what the two large crops of a sample are made of, and the share of an image that they have at least
                (`least_crop`). `condition` says nothing here.
            local_crops: how many small crops there are beside the two large ones.
            local_size: side of the small crops, px; None: half of the encoder's.
            local_least: share of an image that a small crop has at least.
            local_most: and at most.
            sigreg_weight: λ; 0.01 to 0.1 in the paper.
            directions: random ones, drawn anew in each step.
            knots: points of the integral, one at least.
            furthest: t up to which it is taken.
            width: of the two hidden layers of the projection.
            dim: of the codes.
            strength: of the change of colours.
            grey: probability that a crop loses its colours.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, width, width, dim))

    def augmentations(self) -> tuple[Augmentation, Augmentation, Augmentation]:
        all_crops = Augmentation(strength=self.strength, grey=self.grey, blurred=0.5)
        return all_crops, all_crops, all_crops

    def loss_of(self, crops: list[Tensor], step: Step) -> dict[str, Tensor]:
        codes = self.projection(self.features(crops, step)).float()  # [V B, dim]
        codes = codes.unflatten(0, (-1, len(crops[0]) // 2))  # [V, B, dim]
        codes = gather(codes.transpose(0, 1)).transpose(0, 1)  # [V, world · B, dim]

        # Every crop predicts the mean of the large ones.
        prediction = (codes - codes[:2].mean(0)).square().mean()

        # The codes of each crop of all images are tested for normality along random directions.
        directions = torch.randn(self.dim, self.directions, generator=step.rng, device=codes.device)
        regularity = sigreg(codes, functional.normalize(directions, dim=0), self.knots, self.furthest)

        loss = (1 - self.sigreg_weight) * prediction + self.sigreg_weight * regularity
        return {"loss": loss, "prediction": prediction.detach(), "sigreg": regularity.detach()}


@in_float32
def sigreg(codes: Tensor, directions: Tensor, knots: int = 17, furthest: float = 3.0) -> Tensor:
    """The Epps-Pulley statistic of codes along directions, the mean over these: small where they are normal.

    codes: float [..., N, D]. directions: float [D, M], of unit length. The integral over t from −furthest to furthest
    is twice that from 0 on, by trapezia between `knots` points.
    """
    t = torch.linspace(0, furthest, knots, device=codes.device)
    normal = torch.exp(-t.square() / 2)  # [T], its characteristic function, and the weight of the integral
    real, imaginary = _Characteristic.apply(codes @ directions, t)  # [..., M, T]
    error = (real - normal).square() + imaginary.square()
    return (2 * codes.shape[-2] * torch.trapezoid(error * normal, t)).mean()


class _Characteristic(torch.autograd.Function):
    """The mean over values x [..., N, M] of cos(t x) and of sin(t x), [..., M, T] both, at even steps t [T] from 0.

    Each step turns by the same angle, so that one cosine and one sine of each value are all that is taken, and no array
    has the size of all values at all steps.
    """

    @staticmethod
    def forward(context: Any, values: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        context.save_for_backward(values, t)
        means = [(cosine.mean(-2), sine.mean(-2)) for cosine, sine in _turning(values, t)]
        real, imaginary = (torch.stack(each, -1) for each in zip(*means, strict=True))
        return real, imaginary

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        values, t = context.saved_tensors
        of_real, of_imaginary = (each[..., None, :, :] * t / values.shape[-2] for each in gradients)  # [..., 1, M, T]
        found = torch.zeros_like(values)
        for i, (cosine, sine) in enumerate(_turning(values, t)):
            found.addcmul_(cosine, of_imaginary[..., i]).addcmul_(sine, of_real[..., i], value=-1)
        return found, None


def _turning(values: Tensor, t: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """cos(t x) and sin(t x) of values x at each of even steps t from 0, by the angle between two of them."""
    angle = values * t[-1] / max(1, len(t) - 1)
    turn, lift = angle.cos(), angle.sin()
    cosine, sine = torch.ones_like(turn), torch.zeros_like(turn)
    for _ in t:
        yield cosine, sine
        cosine, sine = (cosine * turn).addcmul_(sine, lift, value=-1), (sine * turn).addcmul_(cosine, lift)
