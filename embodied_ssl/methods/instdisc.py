"""Instance discrimination: every image is a class of its own, whose weights are what was last known of it."""

import numpy as np
import torch
from scipy.special import hyp0f1
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.memory_bank import BankedMethod, MemoryBank
from embodied_ssl.parts.precision import in_float32


class InstDisc(BankedMethod):
    """Unsupervised feature learning via non-parametric instance discrimination. Wu et al., CVPR 2018.

    Idea: Each image is a class of its own, and a view of it has to be told from all other images. There are no weights
    of classes: a memory bank holds the code that each image had when it was seen last. Of a very large data set a few
    entries drawn at random stand for all others, by noise-contrastive estimation.

    Loss: `−log P(i) + λ ‖f − v_i‖²`, with `P(j) = exp(v_j·f/τ) / Z`, f the code of a view, v the n entries of the bank,
    and Z the sum that makes P one; with `negatives`, for the first term `−log h(v_i) − Σ_j log(1 − h(v_j))` over m
    entries j drawn at random, with `h(v_j) = P(j) / (P(j) + m/n)` and Z a constant.

    Differs: All entries, as the paper has it for CIFAR-10, where it has 4,096 negatives and τ 0.07 for ImageNet: the
    constant Z is that of a random bank, about 2 n there, by which P(i) reaches 1 at a cosine of τ log Z: 1 for a
    million images, but 0.5 for a thousand, and codes that are nearer to their entries are pushed away. The entries
    drawn are the same for all images of a batch. AdamW for SGD with a rate of 0.03.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        temperature: Positive = 0.1,
        negatives: Count | None = None,
        proximal: NonNegative = 0.0,
        momentum: Share = 0.5,
        dim: Count = 128,
        least_crop: SomeShare = 0.2,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        images: Count | None = None,
    ):
        """A linear layer to codes, and a bank of them.

        Args:
            encoder: what is learned.
            temperature: τ; 0.07 for ImageNet in the paper.
            negatives: m, entries of the bank that stand for all others, 4,096 for ImageNet; None: all are taken.
            proximal: λ, by which a code is held near to its entry; it calms a training where an image comes seldom.
            momentum: share that an entry keeps when its image is seen.
            dim: of the codes.
            least_crop: smallest share of the image that a view keeps.
            strength: of the change of colours.
            grey: probability that a view loses its colours.
            images: of the data set, n; None: as many as it has.
        """
        super().__init__(encoder)
        self.projection = nn.Linear(encoder.dim, dim)
        self.bank = MemoryBank(images or 1, dim)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        codes = self.codes(self.augmented(frames.images, step), step)  # [B, dim]
        own = self.bank.codes[frames.index]  # [B, dim]
        self.bank.remember(frames.index, codes)
        loss = self.discrimination(codes, own, frames.index, step)
        loss = loss + self.proximal * (codes - own).square().sum(1).mean()
        return {"loss": loss, "agreement": (codes * own).sum(1).mean().detach()}

    @in_float32
    def discrimination(self, codes: Tensor, own: Tensor, index: Tensor, step: Step) -> Tensor:
        """What it costs to find the entries `own` [B, dim], number `index` [B], from codes [B, dim]."""
        entries = self.bank.codes  # [n, dim]
        if self.negatives is None:
            return cross_entropy(codes @ entries.T / self.temperature, index)
        drawn = torch.randint(len(entries), (self.negatives,), generator=step.rng, device=codes.device)  # [m]
        return noise_contrast(codes, own, entries[drawn], self.temperature)

    def after_step(self, step: Step) -> None:
        self.bank.renew(self.momentum)


@in_float32
def noise_contrast(codes: Tensor, own: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Noise-contrastive estimation of which entry of a bank is a code's own (section 3.2 of the paper).

    `−log h(v_i) − Σ_j log(1 − h(v_j))`, with `h(v) = P(v) / (P(v) + m/n)` and `P(v) = exp(v·f/τ) / Z`; the mean over
    codes f. Z is n times the mean of exp(v·f/τ) over all directions v, its value for a random bank; so n cancels out.

    codes, own: float [B, D]. noise: float [m, D], entries drawn evenly from the n of the bank. All of unit length.
    """
    constant = np.log(len(noise) * mean_exponential(codes.shape[1], temperature))  # of m/n · Z
    positive = (codes * own).sum(1) / temperature - constant  # [B], log-odds
    negative = codes @ noise.T / temperature - constant  # [B, m]
    return (functional.softplus(-positive) + functional.softplus(negative).sum(1)).mean()


def mean_exponential(dim: int, temperature: float) -> float:
    """The mean of exp(v·f/τ) over all unit vectors v of so many dimensions, whatever the unit vector f."""
    return float(hyp0f1(dim / 2, 1 / (2 * temperature) ** 2))
