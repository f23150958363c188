"""Tracking: what a track through a video begins and ends with is alike, and unlike what other videos show."""

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Tracks
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import plain_mlp
from embodied_ssl.parts.panels import TRUE, columns, with_lines, with_nearest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import crop_at, to_float
from embodied_ssl.training.devices.distributed import gather


class Tracking(Method):
    """Unsupervised learning of visual representations using videos. Wang & Gupta, ICCV 2015.

    Idea: What is followed through a video stays the same object, while its pose, its light and what is around it
    change. The patches at both ends of a track are therefore nearer to each other than to patches of other videos, by
    a margin. Once random patches are easily told apart, the hardest of the batch take their place.

    Loss: `mean over tracks and K negatives of max(0, D(x, x⁺) − D(x, x⁻) + M)` (equation 2), with D the cosine distance
    `1 − cos(f(x), f(x'))`, x and x⁺ the first and the last patch of a track, and x⁻ the last one of another video.

    Differs: The simulator's masks follow objects where a data set has them; else optical flow follows corners, where
    the paper has a correlation filter on boxes that move. Half of the negatives are hard, as in the authors' code; all
    of them are in the paper (`hard`). A head of 256 and 128 for 4,096 and 1,024; colours change, against matching by
    them alone; AdamW, 128 tracks for 100.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=5e-4, batch_size=128, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        margin: NonNegative = 0.5,
        negatives: Count = 4,
        hard: Share = 0.5,
        hard_from: Share = 0.1,
        max_gap_s: Positive = 1.0,
        crop: SomeShare = 0.5,
        jitter: NonNegative = 0.4,
        width: Count = 256,
        dim: Count = 128,
    ):
        """Two fully connected layers on the encoder, whose outputs are compared.

        Args:
            encoder: what is learned.
            margin: M.
            negatives: K, of each track.
            hard: share of the negatives that are those of the largest loss in the batch; the others are random.
            hard_from: share of the steps after which they are; before, all are random.
            max_gap_s: longest time between both ends of a track, s.
            crop: side of the patches, as a share of the frame's.
            jitter: of the colours of each patch.
            width: of the hidden layer.
            dim: of what is compared.
        """
        super().__init__(encoder)
        self.head = plain_mlp((encoder.dim, width, dim))

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"tracks": {"max_gap_s": self.max_gap_s}}

    def loss(self, tracks: Tracks, step: Step) -> dict[str, Tensor]:
        patches = self.patches(tracks)  # [2 B, 3, s, s]
        if self.jitter:
            patches = color_jitter(patches, step.rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
        codes = in_chunks((self.encoder, self.head), patches, step.loss_chunks).float()  # [2 B, dim]
        near, far = self.distances(*codes.chunk(2))  # [B], [B, world · B]
        other = tracks.episode[:, None] != gather(tracks.episode)  # [B, world · B]
        loss = self.ranking(near, far, other, step)
        return {"loss": loss, "near": near.mean().detach(), "far": far.mean().detach()}

    def patches(self, tracks: Tracks) -> Tensor:
        """The patches at the beginning of all tracks, then those at the end, [2 B, 3, s, s]."""
        side = self.crop * tracks.first.shape[-1]
        ends = ((tracks.first, tracks.first_pixel), (tracks.second, tracks.second_pixel))
        return torch.cat([crop_at(images, pixel, side, self.encoder.image_size) for images, pixel in ends])

    @in_float32
    def distances(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """D within each track, [B], and from each first patch to the last ones of all tracks, [B, world · B]."""
        first, second = functional.normalize(first, dim=1), functional.normalize(second, dim=1)
        return 1 - (first * second).sum(1), 1 - first @ gather(second).T

    def ranking(self, near: Tensor, far: Tensor, other: Tensor, step: Step) -> Tensor:
        """The mean hinge over the negatives of each track (equation 2), which are chosen among those of other videos.

        near: [B]. far: [B, N]. other: bool [B, N], which are of another video.
        """
        hinge = (near[:, None] - far + self.margin).clamp(min=0)  # [B, N]
        most = min(self.negatives, far.shape[1])
        hardest = hinge.detach().masked_fill(~other, -1).topk(most).indices  # [B, K]
        chance = torch.rand(far.shape, generator=step.rng, device=far.device)
        random = chance.masked_fill(~other, -1).topk(most).indices
        hard = round(self.hard * most) if step.progress >= self.hard_from else 0
        chosen = torch.cat([hardest[:, :hard], random[:, : most - hard]], 1)
        valid = other.gather(1, chosen)  # not where there are fewer negatives
        return ((hinge.gather(1, chosen) * valid).sum(1) / valid.sum(1).clamp(min=1)).mean()

    def show(self, tracks: Tracks, step: Step) -> list[list[Panel]]:
        """Both ends of each track in their frames, and the last patches of the batch that are nearest to its first."""
        last = self.patches(tracks).chunk(2)[1]
        _, far = self.distances(*self.head(self.encoder(self.patches(tracks))).float().chunk(2))
        ends = ((tracks.first, tracks.first_pixel), (tracks.second, tracks.second_pixel))
        framed = [
            torch.stack([self._framed(*each) for each in zip(to_float(images), pixel, strict=True)])
            for images, pixel in ends
        ]
        rows = columns((framed[0], "a track begins"), (framed[1], "and ends"))
        return with_nearest(rows, last, -far, torch.eye(len(far), dtype=torch.bool, device=far.device))

    def _framed(self, image: Tensor, pixel: Tensor) -> Tensor:
        """A frame [3, h, w], with the border of a patch about (u, v)."""
        (u, v), reach = ((pixel + 0.5) / image.shape[-1]).tolist(), self.crop / 2
        corners = [(u + i * reach, v + j * reach) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]
        return with_lines(image, [(corners, TRUE, 3.0)])
