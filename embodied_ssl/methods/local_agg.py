"""Local aggregation: an image comes nearer to those of its cluster, among all that are near it."""

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.memory_bank import BankedMethod, MemoryBank
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.training.devices.distributed import gather


class LocalAgg(BankedMethod):
    """Local aggregation for unsupervised learning of visual embeddings. Zhuang, Zhai & Yamins, ICCV 2019.

    Idea: The codes of all images are clustered, several times over. An image is drawn to its close neighbours, those
    that any of the clusterings puts into one cluster with it, and pushed away from the others of its background, which
    are the images that are nearest to it. So images that are alike come together and distinct groups apart, and nothing
    is asked of images that are far away already.

    Loss: `−log [Σ_{j ∈ C_i ∩ B_i} exp(v_j·f/τ) / Σ_{j ∈ B_i} exp(v_j·f/τ)]`, with f the code of a view of image i, v
    the entries of a memory bank, B_i the nearest of them and C_i those of its clusters.

    Differs: Clusters of 40 images on average, as the paper's 30,000 of ImageNet have, by k-means on directions, and
    three clusterings for its ten. The image itself is always among its neighbours. Before there are clusters it is
    instance discrimination, by a softmax over all images, for a tenth of the run where the paper has ten epochs. Codes
    have a batch norm without scale and shift before they are brought to unit length. AdamW.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        temperature: Positive = 0.07,
        background: Count = 4096,
        cluster_size: Positive = 40.0,
        clusterings: Count = 3,
        warmup: Share = 0.1,
        momentum: Share = 0.5,
        dim: Count = 128,
        least_crop: SomeShare = 0.2,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        images: Count | None = None,
    ):
        """A linear layer to codes, a bank of them, and the clusters that its entries are in.

        Args:
            encoder: what is learned.
            temperature: τ.
            background: how many images are in B; all of them where there are fewer.
            cluster_size: images of a cluster on average.
            clusterings: how many, each from other first means; they are made again in every epoch.
            warmup: share of the steps in which images are only told from each other.
            momentum: share that an entry keeps when its image is seen.
            dim: of the codes.
            least_crop: smallest share of the image that a view keeps.
            strength: of the change of colours.
            grey: probability that a view loses its colours.
            images: of the data set; None: as many as it has.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, dim), last_bias=False, last_norm=True)
        self.bank = MemoryBank(images or 1, dim)
        self._begin_clusters(images or 1)

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The number of images."""
        super().infer_shapes(streams, rng)
        self._begin_clusters(len(self.bank.codes))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        codes = self.codes(self.augmented(frames.images, step), step)  # [B, dim]
        own = self.bank.codes[frames.index]  # [B, dim]
        self.bank.remember(frames.index, codes)
        agreement = (codes * own).sum(1).mean().detach()
        if self.clustered_at < 0:
            scores = self.scores(codes)  # [B, n]
            return {"loss": cross_entropy(scores, frames.index), "agreement": agreement}
        loss, close = self.aggregation(codes, frames.index)
        return {"loss": loss, "agreement": agreement, "close": close}

    @in_float32
    def aggregation(self, codes: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of codes [B, dim] of images number `index` [B], and how many close neighbours they have."""
        scores = self.scores(codes)  # [B, n]
        nearest = scores.detach().scatter(1, index[:, None], torch.inf)  # the image itself first
        background = nearest.topk(min(self.background, len(self.bank.codes)), sorted=False).indices  # [B, k]
        close = (self.clusters[:, background] == self.clusters[:, index, None]).any(0)  # [B, k]
        among = scores.gather(1, background)  # [B, k]
        loss = among.logsumexp(1) - among.masked_fill(~close, -torch.inf).logsumexp(1)
        return loss.mean(), close.float().sum(1).mean()

    @in_float32
    def scores(self, codes: Tensor) -> Tensor:
        """The similarity of codes [B, dim] with all entries of the bank, over the temperature: [B, n]."""
        return codes @ self.bank.codes.T / self.temperature

    def after_step(self, step: Step) -> None:
        """The bank is renewed, and clustered where an epoch has passed since it was."""
        self.bank.renew(self.momentum)
        if step.progress >= self.warmup and self.bank.epoch != self.clustered_at:
            count = max(1, round(len(self.bank.codes) / self.cluster_size))
            for clusters in self.clusters:
                order = torch.randperm(len(self.bank.codes), generator=step.rng, device=step.rng.device)
                clusters.copy_(k_means(self.bank.codes, gather(order[:count])[:count]))  # begun alike by all processes
            self.clustered_at.fill_(self.bank.epoch)

    def _begin_clusters(self, images: int) -> None:
        self.register_buffer("clusters", torch.zeros(self.clusterings, images, dtype=torch.int64))
        self.register_buffer("clustered_at", torch.tensor(-1))  # epoch; −1: not yet


def k_means(points: Tensor, first: Tensor, rounds: int = 10, chunk: int = 4096) -> Tensor:
    """The cluster of each point [N, D] of unit length, int64 [N]: that of the mean, of unit length, most similar to it.

    first: int64 [K], which points are the first means. A mean whose cluster becomes empty stays where it was.
    """
    means, numbers = points[first], torch.arange(len(first), device=points.device)  # [K, D], [K]
    for _ in range(rounds):
        sums = torch.zeros_like(means)
        for part in points.split(chunk):
            nearest = (part @ means.T).argmax(1)  # [chunk]
            member = (nearest[:, None] == numbers).to(part.dtype)  # [chunk, K]
            sums += member.T @ part  # in an order that is the same on any device
        length = sums.norm(dim=1, keepdim=True)
        means = torch.where(length > 0, sums / length.clamp(min=1e-12), means)
    return torch.cat([(part @ means.T).argmax(1) for part in points.split(chunk)])
