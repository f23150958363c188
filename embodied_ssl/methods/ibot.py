"""iBOT: DINO, and beside it the student predicts what the teacher makes of the patches that it does not see."""

import copy
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share, SomeShare, Whole
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation, asymmetric
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import PrototypeHead
from embodied_ssl.parts.losses import balanced, distillation
from embodied_ssl.parts.multi_crop import MultiCrop
from embodied_ssl.parts.patches import plain_transformer, take_patches
from embodied_ssl.parts.positives import Views
from embodied_ssl.parts.views import uniform
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.optimization import follow, rising


class IBOT(MultiCrop):
    """iBOT: image BERT pre-training with online tokenizer. Zhou et al., ICLR 2022; with DINOv2's balance, Oquab et al.
    2024.

    Idea: As in DINO a student predicts from the crops of an image what its teacher makes of the large ones. Of the
    large crops that the student sees some patches are masked as well, and from the rest it predicts to which prototypes
    the teacher, which sees them, assigns these patches. The features of an image come from the one loss, those of its
    places from the other.

    Loss: `L_dino + λ mean over masked patches i of −Σ_k P_t(u_i)_k log P_s(û_i)_k`, with u_i the teacher's output at a
    patch of a crop, and û_i the student's at the same patch of the same crop, where it sees a mask token.

    Differs: Scaled for 32 to 96 px and short runs as `dino` is. Of each sample one large crop is masked, chosen at
    random, by one block of 0.3 of its patches; in the paper each crop with a probability of a half, by several blocks
    of 0.1 to 0.5 together. Assignments are balanced by the Sinkhorn-Knopp algorithm, as in DINOv2, those of patches
    apart; one head serves both, as in iBOT. The encoder that a run leaves behind is the teacher. In short runs of small
    encoders it learns to predict the patches of images never seen, but was not seen to make features better: with a
    transformer 64 wide (`timm/test_vit`) and 64 prototypes, k-NN of the slope of grey stripes of 64 px fell from 0.42
    to 0.30 in 120 updates at 5e-4, two images of a slope for crops; the loss between crops stayed at chance, log 64.
    """

    whole_batch = True  # over which assignments are balanced
    recipe = Recipe(learning_rate=5e-4, weight_decay=0.04, batch_size=128, steps=2000, warmup=0.1, clip=3.0)
    usual_encoder = "vit_tiny_cls"
    presets: ClassVar = {
        "paper": Preset(
            "timm/vit_small_patch16_224",
            224,
            Recipe(
                learning_rate=5e-4, reference_batch=256, weight_decay=0.04, final_weight_decay=0.4, batch_size=1024,
                steps=updates(800, 1024), warmup=10 / 800, final_share=1e-6 / 2e-3, stochastic_depth=0.1,
                clip_each=3.0,
            ),
            {
                "views": {"least_crop": 0.25}, "local_crops": 10, "local_size": 96, "local_most": 0.25,
                "prototypes": 8192, "width": 2048, "bottleneck": 256, "momentum": 0.996,
                "freeze_prototypes": 1 / 800,
            },
            "Zhou et al. 2022; README of bytedance/ibot",
            "Assignments are balanced (Sinkhorn-Knopp) instead of centred, at a temperature of their own; the head has "
            "batch norm.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(least_crop=0.4),  # noqa: B008 (it is frozen)
        local_crops: Whole = 4,
        local_size: Count | None = None,
        local_least: SomeShare = 0.05,
        local_most: SomeShare = 0.4,
        patch_weight: NonNegative = 1.0,
        mask_ratio: SomeShare = 0.3,
        prototypes: Count = 1024,
        width: Count = 512,
        bottleneck: Count = 64,
        temperature: Positive = 0.1,
        teacher_temperature: Positive = 0.02,
        momentum: Share = 0.99,
        freeze_prototypes: Share = 0.01,
    ):
        """A student, and a teacher that follows it.

        Args:
            encoder: the student: a plain vision transformer, ours or of timm.
            views: what the two large crops of a sample are made of, and the share of an image that they have at least
                (`least_crop`). `condition` says nothing here.
            local_crops: how many small crops the student sees beside the two large ones.
            local_size: side of the small crops, px; None: half of the encoder's.
            local_least: share of an image that a small crop has at least.
            local_most: and at most.
            patch_weight: λ.
            mask_ratio: share of the patches of a large crop that are masked.
            prototypes: K, outputs of the head.
            width: of the hidden layers of the head.
            bottleneck: dimension of the features that are compared with the prototypes.
            temperature: of the student.
            teacher_temperature: of the teacher, for outputs that have the spread of random codes.
            momentum: of the teacher's weights at first; it rises to 1.
            freeze_prototypes: share of the steps, at first, in which the prototypes are not updated.
        """
        encoder = plain_transformer("ibot", encoder)
        super().__init__(encoder)
        self.side = encoder.image_size // encoder.patch  # patches along a side
        self.masked_count = min(max(1, round(mask_ratio * self.side**2)), self.side**2 - 1)
        self.mask_token = nn.Parameter(torch.randn(encoder.width) * 0.02)
        self.head = PrototypeHead(encoder.dim, width, bottleneck, prototypes)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.teacher_head = copy.deepcopy(self.head).requires_grad_(False)

    @property
    def output_encoder(self) -> Encoder:
        return self.teacher

    def augmentations(self) -> tuple[Augmentation, Augmentation, Augmentation]:
        first, second = asymmetric()
        return first, second, replace(first, blurred=0.5)

    def loss_of(self, crops: list[Tensor], step: Step) -> dict[str, Tensor]:
        large, frozen = crops[0], step.progress < self.freeze_prototypes
        count = len(large) // 2

        # Of each sample one of both large crops is masked, in a block of patches.
        rows = torch.arange(count, device=large.device) + count * (uniform(count, 0, 1, step.rng) < 0.5)  # [B]
        patches = self.block(count, step.rng)  # [B, M], their numbers
        masked = torch.zeros(2 * count, self.side**2, dtype=torch.bool, device=large.device)
        masked[rows[:, None], patches] = True

        # The student sees all crops; the teacher the large ones alone, without a mask.
        features, tokens = self.encode(self.encoder, large, step, masked)  # [2 B, D], [2 B, P, D]
        features = torch.cat([features, self.features(crops[1:], step)]) if crops[1:] else features  # [V B, D]
        with torch.no_grad():
            teacher_features, teacher_tokens = self.encode(self.teacher, large, step)

        # The loss of DINO, between crops.
        wanted = self.assignment(teacher_features)  # [2 B, K]
        said = self.head(features, frozen).float() / self.temperature  # [V B, K]
        between_crops = distillation(wanted.unflatten(0, (2, count)), said.unflatten(0, (-1, count)))

        # That of patches, within a crop.
        wanted = self.assignment(take_patches(teacher_tokens[rows], patches).flatten(0, 1))  # [B M, K]
        said = self.head(take_patches(tokens[rows], patches).flatten(0, 1), frozen).float() / self.temperature
        of_patches = functional.cross_entropy(said, wanted)

        loss = between_crops + self.patch_weight * of_patches
        return {"loss": loss, "crops": between_crops.detach(), "patches": of_patches.detach()}

    def encode(self, encoder: Encoder, images: Tensor, step: Step, masked: Tensor | None = None) -> list[Tensor]:
        """Features [N, D] and patch tokens [N, P, D] of images, whose masked patches are those of bool [N, P]."""
        transformer = plain_transformer("ibot", encoder)

        def both(rows: Tensor) -> Tensor:
            own = None if masked is None else masked[rows]
            features, tokens = transformer.features_and_tokens(images[rows], own, self.mask_token)
            return torch.cat([features[:, None], tokens], 1)  # [n, 1 + P, D]

        found = in_chunks((both,), torch.arange(len(images), device=images.device), step.loss_chunks)
        return [found[:, 0], found[:, 1:]]

    def block(self, count: int, rng: torch.Generator) -> Tensor:
        """The patches of a block of each image, at a random place and of a random shape, int64 [B, M]."""
        middle = torch.stack([uniform(count, 0, self.side, rng) for _ in range(2)], 1) - 0.5  # [B, 2]
        shape = torch.exp(uniform(count, -0.6, 0.6, rng))[:, None, None]  # √ of rows over columns, 0.3 to 3.3 in all
        places = torch.arange(self.side, device=rng.device)
        rows = (places - middle[:, :1]).abs()[:, :, None] / shape  # [B, side, 1]
        columns = (places - middle[:, 1:]).abs()[:, None] * shape  # [B, 1, side]
        distance = torch.maximum(rows, columns).flatten(1)  # [B, P], from the middle of the block
        return distance.argsort(dim=1, stable=True)[:, : self.masked_count]

    @torch.no_grad()
    def assignment(self, features: Tensor) -> Tensor:
        """The teacher's of features [N, D] to the prototypes, [N, K], balanced over all of them."""
        return balanced(self.teacher_head(features).float(), self.teacher_temperature, self.bottleneck)

    def after_step(self, step: Step) -> None:
        """The teacher follows the student."""
        momentum = rising(self.momentum, step.progress)
        follow(self.teacher, self.encoder, momentum, buffers=False)
        follow(self.teacher_head, self.head, momentum, buffers=False)
