"""CPC v2: from the patches of an image above a place, find the patches that lie below it."""

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.losses import info_nce
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import chosen, random_resized_crop, to_float, uniform
from embodied_ssl.training.devices.distributed import gather, rank


class CPC(Method):
    """Data-efficient image recognition with contrastive predictive coding. Hénaff et al., ICML 2020.

    Idea: An image is cut into a grid of patches that overlap by half, and each is encoded alone. A network of masked
    convolutions sums up all rows down to a place, and from that predicts the codes of patches some rows below: these
    have to be found among all other patches of the batch. The same is done upwards, to the left and to the right.

    Loss: `mean over directions, k and places i, j of −log [exp(z_{i+k,j}·W_k c_ij) / Σ_l exp(z_l·W_k c_ij)]` (equation
    2), z the codes, c the context of a place, and l all patches of all images.

    Differs: Scaled for 32 to 96 px: a grid of 5 for 6, three blocks of the context network for five, ResNet-8 for 161.
    Rows that share no pixels with the last one seen are predicted, up to the fourth. Colours of a patch change and are
    dropped, without the paper's shears and histograms. Layer norm is the encoder's (`resnet8_ln`): with batch norm
    patches of an image know each other. In short runs of small encoders it finds patches of pictures never seen
    far above chance; that its features get better was not seen (nearest neighbours of stripes 0.42 before, 0.20 after).
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=64, steps=2000)
    usual_encoder = "resnet8_ln"
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        grid: Count = 5,
        nearest: Count = 2,
        farthest: Count = 4,
        depth: Count = 3,
        width: Count = 128,
        dim: Count = 64,
        scale: Positive = 0.1,
        drop: Share = 0.8,
        jitter: NonNegative = 0.4,
        least_crop: SomeShare = 0.3,
    ):
        """A context network for each of the four directions, and a prediction for each distance.

        Args:
            encoder: what is learned; it sees one patch at a time.
            grid: patches along a side of the image.
            nearest: rows below that are predicted at least; patches of the next one share pixels with what is seen.
            farthest: and at most.
            depth: blocks of a context network.
            width: of their hidden layers.
            dim: of the codes that are compared.
            scale: that predictions are multiplied by.
            drop: probability that a patch keeps one of its colours alone.
            jitter: of the colours of each patch.
            least_crop: smallest share of an image that a random crop keeps.
        """
        super().__init__(encoder)
        if not nearest <= farthest < grid:
            raise DataError(f"cpc: rows {nearest} to {farthest} below: a grid of {grid} has none; give a larger --grid")
        self.half_patch = max(1, round(encoder.image_size / (grid + 1)))  # of a patch, px
        check_size("cpc", encoder, encoder, 2 * self.half_patch, "choose a smaller --grid")
        self.target = nn.Conv2d(encoder.dim, dim, 1)
        self.predictors = Predictors(encoder.dim, width, dim, depth, farthest - nearest + 1)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        side = (self.grid + 1) * self.half_patch
        images = random_resized_crop(frames.images, step.rng, side, (self.least_crop, 1.0))
        patches = self.augmented(self.cut(images), step.rng)  # [B g², 3, p, p]
        targets, predicted = self.codes(patches, step)  # [B, dim, g, g], [4, K, B, dim, g, g]

        # All codes of all processes, and the number of each place of this one's images among them.
        everyone = gather(targets.permute(0, 2, 3, 1).flatten(0, 2))  # [world · B g², dim]
        places = torch.arange(len(patches), device=patches.device) + rank() * len(patches)
        places = places.view(-1, self.grid, self.grid)  # [B, g, g]

        terms, right = [], []
        for turn, of_direction in enumerate(predicted):
            turned = torch.rot90(places, turn, (1, 2))
            for below, of_row in enumerate(of_direction, self.nearest):
                query = of_row[:, :, :-below].permute(0, 2, 3, 1).flatten(0, 2)  # [B (g − below) g, dim]
                scores, positive = self.scores(query, everyone), turned[:, below:].flatten()
                terms.append(info_nce(scores, positive))  # eq. 2
                found = scores.gather(1, positive[:, None])[:, 0] >= scores.amax(1)  # a fifth of the time of argmax
                right.append(found.float().mean())
        return {"loss": torch.stack(terms).mean(), "accuracy": torch.stack(right).mean()}

    def cut(self, images: Tensor) -> Tensor:
        """Images [B, 3, s, s] as patches that overlap by half, row by row, [B g², 3, p, p]."""
        side = 2 * self.half_patch
        patches = images.unfold(2, side, self.half_patch).unfold(3, side, self.half_patch)  # [B, 3, g, g, p, p]
        return patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, side, side)

    def augmented(self, patches: Tensor, rng: torch.Generator) -> Tensor:
        """Patches [N, 3, p, p], each with its own change of colours; of some one colour takes the place of all."""
        if self.jitter:
            patches = color_jitter(patches, rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
        count = len(patches)
        which = uniform(count, 0, 3, rng).long().clamp(max=2)
        alone = patches[torch.arange(count, device=which.device), which][:, None]  # [N, 1, p, p]
        return torch.where(chosen(count, self.drop, rng)[:, None, None, None], alone, patches)

    def codes(self, patches: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """The codes of all patches, float32 [B, dim, g, g], and those predicted, [4, K, B, dim, g, g].

        Of the four directions each is seen as downwards: the grid is turned by so many quarters.
        """
        latents = in_chunks((self.encoder,), patches, step.loss_chunks)  # [B g², D]
        latents = latents.view(-1, self.grid, self.grid, latents.shape[1]).permute(0, 3, 1, 2)  # [B, D, g, g]
        return self.target(latents).float(), self.predictors(latents).float()

    @in_float32
    def scores(self, query: Tensor, everyone: Tensor) -> Tensor:
        """How well predictions [N, dim] fit all codes [M, dim], [N, M]."""
        return self.scale * query @ everyone.T

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """The part of each image that is seen, a patch below it, and those of the batch that were expected there."""
        images = to_float(frames.images, (self.grid + 1) * self.half_patch)
        patches = self.cut(images)
        targets, predicted = self.codes(patches, step)
        row, column = self.grid - 1 - self.nearest, self.grid // 2
        below = row + self.nearest
        seen = images.clone()
        seen[:, :, (row + 2) * self.half_patch :] = 0.5
        patch = patches.unflatten(0, (-1, self.grid, self.grid))[:, below, column]
        scores = self.scores(predicted[0, 0, :, :, row, column], targets[:, :, below, column])  # [B, B]
        rows = columns((seen, "seen"), (patch, "a patch below"))
        return with_nearest(rows, patch, scores, torch.eye(len(patch), dtype=torch.bool, device=patch.device))


class Predictors(nn.Module):
    """For each of four directions a context network, and linear predictions from it."""

    def __init__(self, channels: int, width: int, dim: int, depth: int, distances: int):
        super().__init__()
        self.distances = distances
        self.contexts = nn.ModuleList(
            nn.Sequential(*(MaskedBlock(channels, width) for _ in range(depth)), nn.ReLU()) for _ in range(4)
        )
        self.outputs = nn.ModuleList(nn.Conv2d(channels, distances * dim, 1) for _ in range(4))

    def forward(self, latents: Tensor) -> Tensor:
        """latents [B, D, g, g] → [4, distances, B, dim, g, g], of the grid turned by 0 to 3 quarters."""
        pairs = enumerate(zip(self.contexts, self.outputs, strict=True))
        found = [output(context(torch.rot90(latents, turn, (2, 3)))) for turn, (context, output) in pairs]
        return torch.stack(found).unflatten(2, (self.distances, -1)).transpose(1, 2)


class MaskedBlock(nn.Module):
    """A residual block in which a place sees its own row and those above it (appendix A: PixelCNN without a gate)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, (1, 3), padding=(0, 1)),
            nn.ZeroPad2d((0, 0, 1, 0)),  # a row above the first
            nn.Conv2d(width, width, (2, 1)),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, channels, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[B, channels, g, g] → the same shape."""
        return maps + self.layers(maps)
