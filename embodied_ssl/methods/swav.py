"""SwAV: the clusters that one view of an image belongs to are predicted from its other views."""

from typing import ClassVar

import torch
from torch import Tensor

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare, Whole
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation
from embodied_ssl.parts.heads import PrototypeHead
from embodied_ssl.parts.losses import distillation, sinkhorn
from embodied_ssl.parts.multi_crop import MultiCrop
from embodied_ssl.parts.positives import Views
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.devices.distributed import gather, mean_over_processes, rank


class SwAV(MultiCrop):
    """Unsupervised learning of visual features by contrasting cluster assignments. Caron et al., NeurIPS 2020.

    Idea: The codes of a batch are assigned to prototypes so that each prototype gets an equal share of them; that is
    what keeps all images from having the same assignment. From every other crop of an image the network predicts what a
    large crop was assigned to. Images are compared with prototypes only, never with each other.

    Loss: `mean over large crops x and other crops x' ≠ x of −Σ_k q(x)_k log softmax(z(x')·c_k / τ)`, with z codes and
    c_k prototypes of unit length, and q the assignment by the Sinkhorn-Knopp algorithm of `z·c / ε` over the batch.

    Differs: Scaled for 32 to 96 px and short runs: 256 prototypes for 3,000, heads 512 wide for 2,048, batches of 256
    for 4,096, AdamW, crops as DINO has them; without a queue, which the paper fills with 3,840 codes for small batches
    (`queue_length`). Views can also come from the body (`views`).
    """

    whole_batch = True  # over which assignments are balanced
    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                optimizer="lars", learning_rate=4.8, reference_batch=4096, weight_decay=1e-6, batch_size=4096,
                steps=updates(800, 4096), warmup=10 / 800, initial_share=0.3 / 4.8, final_share=0.001,
            ),
            {
                "views": {"least_crop": 0.14}, "local_crops": 6, "local_size": 96, "local_most": 0.14,
                "prototypes": 3000, "width": 2048, "freeze_prototypes": 1 / 800, "strength": 1.0,
            },
            "Caron et al. 2020; scripts/swav_800ep_pretrain.sh of facebookresearch/swav",
            "Biases and norms neither decay nor adapt their rate, which the authors' LARC lets them.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(least_crop=0.3),  # noqa: B008 (it is frozen)
        local_crops: Whole = 4,
        local_size: Count | None = None,
        local_least: SomeShare = 0.05,
        local_most: SomeShare = 0.3,
        prototypes: Count = 256,
        width: Count = 512,
        dim: Count = 128,
        temperature: Positive = 0.1,
        epsilon: Positive = 0.05,
        queue_length: Whole = 0,
        queue_from: Share = 0.1,
        freeze_prototypes: Share = 0.01,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
    ):
        """A projection on the encoder, and prototypes.

        Args:
            encoder: what is learned.
            views: what the two large crops of a sample are made of, and the share of an image that they have at least
                (`least_crop`; 0.14 in the paper). `condition` says nothing here.
            local_crops: how many small crops there are beside the two large ones; 6 in the paper.
            local_size: side of the small crops, px; None: half of the encoder's.
            local_least: share of an image that a small crop has at least.
            local_most: and at most; 0.14 in the paper.
            prototypes: K.
            width: of the hidden layer of the projection.
            dim: of the codes.
            temperature: τ.
            epsilon: ε, how even assignments are.
            queue_length: codes of earlier batches, of each large crop, among which assignments are balanced as well.
            queue_from: share of the steps after which these are taken.
            freeze_prototypes: share of the steps, at first, in which the prototypes are not updated.
            strength: of the change of colours; 1 in the paper.
            grey: probability that a crop loses its colours.
        """
        super().__init__(encoder)
        self.head = PrototypeHead(encoder.dim, width, dim, prototypes, hidden_layers=1)
        self.register_buffer("queue", torch.zeros(2, queue_length, dim))  # the latest codes come first
        self.register_buffer("queue_filled", torch.zeros((), dtype=torch.int64))
        self._new_codes: Tensor | None = None  # of this step, until `after_step`

    def augmentations(self) -> tuple[Augmentation, Augmentation, Augmentation]:
        all_crops = Augmentation(strength=self.strength, grey=self.grey, blurred=0.5)
        return all_crops, all_crops, all_crops

    def loss_of(self, crops: list[Tensor], step: Step) -> dict[str, Tensor]:
        count = len(crops[0]) // 2
        codes = self.head.codes(self.features(crops, step)).float()  # [V B, dim]
        similarity = self.head.similarities(codes, step.progress < self.freeze_prototypes).float()  # [V B, K]

        # What the large crops are assigned to, of the first ones and of the second ones apart (algorithm 1).
        large = codes[: 2 * count].detach().unflatten(0, (2, count))  # [2, B, dim]
        self._new_codes = large
        assigned = torch.stack([self.assignment(large[i], i, step) for i in range(2)])  # [2, B, K]

        loss = distillation(assigned, similarity.unflatten(0, (-1, count)) / self.temperature)  # eq. 2
        entropy = torch.special.entr(mean_over_processes(assigned.mean((0, 1)))).sum()
        return {"loss": loss, "mean_entropy": entropy}

    @torch.no_grad()
    def assignment(self, codes: Tensor, number: int, step: Step) -> Tensor:
        """What codes [B, dim] of the first or second large crops are assigned to, [B, K], balanced with the queue."""
        everyone = gather(codes)  # [world · B, dim]
        if step.progress >= self.queue_from:
            everyone = torch.cat([everyone, self.queue[number, : int(self.queue_filled)]])
        assigned = sinkhorn(self.head.similarities(everyone).float() / self.epsilon)
        return assigned[rank() * len(codes) :][: len(codes)]

    def after_step(self, step: Step) -> None:
        """The codes of this step come before the latest of the queue."""
        if self._new_codes is not None and self.queue_length:
            new = gather(self._new_codes.transpose(0, 1)).transpose(0, 1)  # [2, world · B, dim]
            self.queue.copy_(torch.cat([new, self.queue], 1)[:, : self.queue_length])
            self.queue_filled.add_(new.shape[1]).clamp_(max=self.queue_length)
        self._new_codes = None
