"""DINO: a student that sees parts of an image predicts what its teacher, which sees the whole, makes of it."""

import copy
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive, Share, SomeShare, Whole
from embodied_ssl.method import Panel, Step
from embodied_ssl.parts.augmentation import Augmentation, asymmetric
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import PrototypeHead
from embodied_ssl.parts.losses import balanced, distillation
from embodied_ssl.parts.multi_crop import MultiCrop
from embodied_ssl.parts.panels import columns, overlaid, saliency
from embodied_ssl.parts.positives import Views
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.devices.distributed import mean_over_processes
from embodied_ssl.training.optimization import follow, rising


class DINO(MultiCrop):
    """Self-distillation with no labels: emerging properties in self-supervised vision transformers.
    Caron et al., ICCV 2021.

    Idea: Of each image there are two large crops and several small ones. A teacher, whose weights are a moving average
    of the student's, assigns each large crop to prototypes; the student, which sees all crops, predicts this
    assignment from every other crop of the image. Centering or balancing the teacher's outputs, and sharpening them by
    a low temperature, keeps both from giving the same answer for every image.

    Loss: `mean over large crops x and other crops x' ≠ x of −Σ_k P_t(x)_k log P_s(x')_k`, where P_s is the softmax of
    the student's outputs over its temperature and P_t that of the teacher's over a lower one.

    Differs: Scaled for 32 to 96 px and short runs: 1,024 prototypes for 65,536, a head 512 wide for 2,048 with a
    bottleneck of 64 for 256, with batch norm and ReLU where the paper has GELU alone (`paper_head`), a teacher momentum
    of 0.99 for 0.996, a constant weight decay. Through centering alone the teacher's outputs become much the same for
    all images before it has learned to distinguish them; the Sinkhorn-Knopp algorithm, as good in long runs (table 7 of
    the paper), prevents that once its inputs have the spread of random codes, to which they are brought here: of
    outputs that differ by less than the temperature it makes the same answer for all images, which the student, where
    its views share little, learns to give as well. Views can also come from the body (`views`). The encoder that a run
    leaves behind is the teacher.
    """

    whole_batch = True  # over which the teacher's outputs are balanced or averaged
    recipe = Recipe(learning_rate=5e-4, weight_decay=0.04, batch_size=128, steps=2000, warmup=0.1, clip=3.0)
    presets: ClassVar = {
        "paper": Preset(
            "timm/vit_small_patch16_224",
            224,
            Recipe(
                learning_rate=5e-4, reference_batch=256, weight_decay=0.04, final_weight_decay=0.4, batch_size=1024,
                steps=updates(300, 1024), warmup=10 / 300, final_share=1e-6 / 2e-3, stochastic_depth=0.1,
                clip_each=3.0,
            ),
            {
                "local_crops": 8, "local_size": 96, "prototypes": 65536, "width": 2048, "bottleneck": 256,
                "warmup_teacher_temperature": 0.04, "teacher_temperature": 0.07, "teacher_warmup": 30 / 300,
                "momentum": 0.996, "balance": "centre", "freeze_prototypes": 1 / 300, "paper_head": True,
            },
            "Caron et al. 2021; README and main_dino.py of facebookresearch/dino",
            "Prototypes have unit length (`norm_last_layer`), which the authors leave free for ViT-S.",
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
        prototypes: Count = 1024,
        width: Count = 512,
        bottleneck: Count = 64,
        temperature: Positive = 0.1,
        warmup_teacher_temperature: Positive = 0.02,
        teacher_temperature: Positive = 0.02,
        teacher_warmup: Share = 0.1,
        momentum: Share = 0.99,
        balance: Literal["sinkhorn", "centre"] = "sinkhorn",
        centre_momentum: Share = 0.9,
        freeze_prototypes: Share = 0.01,
        paper_head: bool = False,
    ):
        """A student, and a teacher that follows it.

        Args:
            encoder: the student.
            views: what the two large crops of a sample are made of, and the share of an image that they have at least
                (`least_crop`). `condition` says nothing here.
            local_crops: how many small crops the student sees beside the two large ones; of two images of an object,
                every second one is of the second image.
            local_size: side of the small crops, px; None: half of the encoder's.
            local_least: share of an image that a small crop has at least.
            local_most: and at most.
            prototypes: K, outputs of the head.
            width: of the hidden layers of the head.
            bottleneck: dimension of the features that are compared with the prototypes.
            temperature: of the student.
            warmup_teacher_temperature: of the teacher at first.
            teacher_temperature: of the teacher after `teacher_warmup`; with `sinkhorn` for outputs that have the spread
                of random codes.
            teacher_warmup: share of the steps in which the temperature of the teacher rises linearly.
            momentum: of the teacher's weights at first; it rises to 1.
            balance: what keeps the teacher from assigning all images alike: `sinkhorn`, by which the images of a batch
                use all prototypes equally, or `centre`: the running mean of its outputs is subtracted from them.
            centre_momentum: of this running mean.
            freeze_prototypes: share of the steps, at first, in which the prototypes are not updated.
            paper_head: a head with GELU and without batch norm, its weights drawn with a deviation of 0.02, as in the
                paper; with it a small encoder takes far longer to begin.
        """
        super().__init__(encoder)
        self.head = PrototypeHead(encoder.dim, width, bottleneck, prototypes, paper_head)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.teacher_head = copy.deepcopy(self.head).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(prototypes))
        self._output_means: list[Tensor] = []  # of the teacher in this step, until `after_step`

    @property
    def output_encoder(self) -> Encoder:
        return self.teacher

    def augmentations(self) -> tuple[Augmentation, Augmentation, Augmentation]:
        first, second = asymmetric()
        return first, second, replace(first, blurred=0.5)

    def loss_of(self, crops: list[Tensor], step: Step) -> dict[str, Tensor]:
        large = crops[0]  # [2 B, 3, s, s]

        # The student sees all V = 2 + L crops of an image.
        features = self.features(crops, step)  # [V B, D]
        student = self.head(features, step.progress < self.freeze_prototypes).float() / self.temperature  # [V B, K]

        # The teacher sees the large ones alone, and gets no gradient.
        with torch.no_grad():
            teacher = self.teacher_head(in_chunks((self.teacher,), large, step.loss_chunks)).float()  # [2 B, K]
        probabilities = self.teacher_probabilities(teacher, self._temperature_of_teacher(step))  # [2 B, K]

        by_crop = (-1, len(large) // 2)
        loss = distillation(probabilities.unflatten(0, by_crop), student.unflatten(0, by_crop))
        entropy = torch.special.entr(probabilities).sum(1).mean()
        mean_entropy = torch.special.entr(mean_over_processes(probabilities.mean(0))).sum()
        return {"loss": loss, "teacher_entropy": entropy, "mean_entropy": mean_entropy}

    def after_step(self, step: Step) -> None:
        """The teacher follows the student, and where there is a centre it follows the teacher's outputs (eq. 4)."""
        m = rising(self.momentum, step.progress)
        follow(self.teacher, self.encoder, m, buffers=False)
        follow(self.teacher_head, self.head, m, buffers=False)
        if self._output_means:
            mean = mean_over_processes(torch.stack(self._output_means).mean(0))  # [K]
            self.centre.lerp_(mean, 1 - self.centre_momentum)
            self._output_means.clear()

    def show(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Each image, its two large crops and a small one, and where the teacher looks."""
        crops = self.images_and_crops(step, frames, pairs, objects)
        images = crops[0][0]
        maps, what = saliency(self.output_encoder, images)
        return columns(*crops, (overlaid(images, maps.mean(1)), what))

    def teacher_probabilities(self, outputs: Tensor, temperature: float) -> Tensor:
        """The teacher's assignment of each large crop to the prototypes, [2 B, K], of its outputs [2 B, K]."""
        if self.balance == "sinkhorn":
            return balanced(outputs, temperature, self.bottleneck)
        self._output_means.append(outputs.mean(0))
        return ((outputs - self.centre) / temperature).softmax(1)

    def _temperature_of_teacher(self, step: Step) -> float:
        first, last = self.warmup_teacher_temperature, self.teacher_temperature
        return first + (last - first) * min(1.0, step.progress / self.teacher_warmup if self.teacher_warmup else 1.0)
