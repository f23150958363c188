"""NAT: each image is assigned to a point of its own among points drawn at random on a sphere."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Share, SomeShare
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.memory_bank import BankedMethod, MemoryBank
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.training.devices.distributed import gather, rank


class NAT(BankedMethod):
    """Unsupervised learning by predicting noise. Bojanowski & Joulin, ICML 2017.

    Idea: As many points as there are images are drawn at random on a sphere, and each image is to be mapped to one of
    them. Which one is not given: within a batch, points and images are matched so that the sum of their distances is
    smallest. What looks alike is mapped to points that are near each other, and since the points are spread evenly,
    images cannot all become alike.

    Loss: `mean over images i of ‖f_i − y_P(i)‖²`, with f the codes of a batch, of unit length, y the points, and P the
    assignment of this batch's images to their points that makes it smallest, by the Hungarian algorithm.

    Differs: Codes of 128 numbers for 2,048, by a hidden layer with batch norm; changes of colour where the paper
    gives the gradient of a grey image. AdamW.
    """

    whole_batch = True  # over which images are assigned
    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        assign_every: Count = 3,
        width: Count = 256,
        dim: Count = 128,
        least_crop: SomeShare = 0.2,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        images: Count | None = None,
    ):
        """A projection to the sphere, and a point for each image.

        Args:
            encoder: what is learned.
            assign_every: images are assigned anew in one of so many epochs, beginning with the first.
            width: of the hidden layer of the projection.
            dim: of the points.
            least_crop: smallest share of the image that a view keeps.
            strength: of the change of colours.
            grey: probability that a view loses its colours.
            images: of the data set; None: as many as it has.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, width, dim))
        self.bank = MemoryBank(images or 1, dim)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        codes = self.codes(self.augmented(frames.images, step), step)  # [B, dim]
        before = self.bank.codes[frames.index]  # [B, dim], points
        points = self.assigned(codes, frames.index) if self.bank.epoch % self.assign_every == 0 else before
        self.bank.remember(frames.index, points)
        changed = (points != before).any(1).float().mean()
        return {"loss": (codes - points).square().sum(1).mean(), "changed": changed}

    @torch.no_grad()
    @in_float32
    def assigned(self, codes: Tensor, index: Tensor) -> Tensor:
        """The points [B, dim] of images number `index` [B], exchanged among the batch to be nearest to codes [B, dim].

        An image that is in the batch twice has one point.
        """
        index, which = gather(index).unique(return_inverse=True)  # [U], [world · B]
        points = self.bank.codes[index]  # [U, dim]
        views = (torch.arange(len(index), device=index.device)[:, None] == which).float()  # [U, world · B]
        similarity = views @ gather(codes) @ points.T  # [U, U], summed over the views of an image
        _, place = linear_sum_assignment(similarity.cpu().numpy(), maximize=True)
        chosen = points[torch.from_numpy(place).to(points.device)][which]  # [world · B, dim]
        return chosen[rank() * len(codes) :][: len(codes)]

    def after_step(self, step: Step) -> None:
        """The points of this step's images are what they were assigned to."""
        self.bank.renew(0.0)
