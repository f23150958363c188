"""DINO: a student that sees parts of an image predicts what its teacher, which sees the whole, makes of it."""

import copy
import math
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive, Share, SomeShare, Whole
from embodied_ssl.method import Method, Panel, Recipe, Step, StreamSpec, input_streams_of
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import PrototypeHead
from embodied_ssl.parts.panels import columns, overlaid, saliency
from embodied_ssl.parts.positives import ImagePair, Views
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.devices.distributed import gather, mean_over_processes, rank
from embodied_ssl.training.optimization import follow

COLOURS = Augmentation(strength=0.5, saturation=0.4, hue=0.2, grey=0.2, blurred=0.5)
"""Of all crops, as the paper has them."""


class DINO(Method):
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
        self.local_crop_size = local_size or encoder.image_size // 2
        check_size("dino", encoder, encoder, self.local_crop_size, f"choose --local_size {encoder.image_size}")
        self.head = PrototypeHead(encoder.dim, width, bottleneck, prototypes, paper_head)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.teacher_head = copy.deepcopy(self.head).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(prototypes))
        self._output_means: list[Tensor] = []  # of the teacher in this step, until `after_step`

    @property
    def output_encoder(self) -> Encoder:
        return self.teacher

    def input_streams(self) -> dict[str, StreamSpec]:
        return self.views.input_streams(input_streams_of(type(self)))

    def stream_options(self) -> dict[str, dict[str, Any]]:
        return self.views.stream_options()

    def loss(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        large = self._large_crops(step, frames, pairs, objects)  # [2 B, 3, s, s]
        crops = [large]
        if self.local_crops:
            crops.append(self._small_crops(step, self.views.source_images(frames, pairs, objects)))  # [L B, 3, t, t]

        # The student sees all V = 2 + L crops of an image, those of one size at a time.
        features = torch.cat([in_chunks((self.encoder,), each, step.loss_chunks) for each in crops])  # [V B, D]
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
        m = 1 - (1 - self.momentum) * (1 + math.cos(math.pi * step.progress)) / 2
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
        sources = self.views.source_images(frames, pairs, objects)
        images = torch.cat([to_float(first, self.encoder.image_size) for first, _ in sources])
        first, second = self._large_crops(step, frames, pairs, objects).chunk(2)
        small = [(self._small_crops(step, sources)[: len(images)], "small crop")] if self.local_crops else []
        maps, what = saliency(self.output_encoder, images)
        return columns(
            (images, "image"), (first, "large crop"), (second, "large crop"), *small,
            (overlaid(images, maps.mean(1)), what),
        )  # fmt: skip

    def teacher_probabilities(self, outputs: Tensor, temperature: float) -> Tensor:
        """The teacher's assignment of each large crop to the prototypes, [2 B, K], of its outputs [2 B, K]."""
        if self.balance == "sinkhorn":
            everyone = gather(outputs)  # [world · 2 B, K]
            spread = everyone.std(0).mean() * self.bottleneck**0.5  # over images; 1 for random codes
            everyone = sinkhorn(everyone / (temperature * spread.clamp(min=1e-6)))
            return everyone[rank() * len(outputs) :][: len(outputs)]
        self._output_means.append(outputs.mean(0))
        return ((outputs - self.centre) / temperature).softmax(1)

    def _temperature_of_teacher(self, step: Step) -> float:
        first, last = self.warmup_teacher_temperature, self.teacher_temperature
        return first + (last - first) * min(1.0, step.progress / self.teacher_warmup if self.teacher_warmup else 1.0)

    def _large_crops(
        self, step: Step, frames: Frames | None, pairs: FramePairs | None, objects: ObjectPairs | None
    ) -> Tensor:
        """Two large crops, of which the first is always blurred and the second sometimes solarised; [2 B, 3, s, s]."""
        first, second = replace(COLOURS, blurred=1.0), replace(COLOURS, blurred=0.1, solarized=0.2)
        found = self.views.positives(step.rng, self.encoder.image_size, (first, second), frames, pairs, objects)
        return torch.cat([found.first, found.second])

    def _small_crops(self, step: Step, sources: list[ImagePair]) -> Tensor:
        """Small crops, [L · B, 3, t, t]: the first one of all samples, then the second one of all ..."""
        colours = COLOURS if self.views.augments else Augmentation(strength=0, grey=0, blurred=0)
        settings = replace(colours, scale=(self.local_least, self.local_most))
        found = []
        for pair in sources:
            images = torch.cat([pair[number % 2] for number in range(self.local_crops)])  # [L B, 3, H, W]
            crops = augment(images, step.rng, self.local_crop_size, settings)
            found.append(crops.unflatten(0, (self.local_crops, -1)))
        return torch.cat(found, 1).flatten(0, 1)


def sinkhorn(logits: Tensor, rounds: int = 3) -> Tensor:
    """The Sinkhorn-Knopp algorithm: columns and rows normalised in turn.

    Returns probabilities, float [N, K], of logits [N, K]; the columns of all have about the same sum. Cuturi 2013, as
    Caron et al. 2020 balance their prototypes.
    """
    for _ in range(rounds):
        logits = logits.log_softmax(0).log_softmax(1)
    return logits.exp()


def distillation(teacher: Tensor, student: Tensor) -> Tensor:
    """The mean cross-entropy of the student's prediction from each crop with the teacher's from each other one (eq. 3).

    teacher: float [G, B, K], probabilities for the G large crops. student: float [V, B, K], logits for all V crops, the
    large ones first.
    """
    log_student = functional.log_softmax(student, 2)  # [V, B, K]
    # Not as a product of matrices, which would have 16 bits where training has.
    terms = -torch.stack([(each * log_student).sum(2).mean(1) for each in teacher])  # [G, V]
    differ = ~torch.eye(*terms.shape, dtype=torch.bool, device=terms.device)  # no crop is compared with itself
    return terms[differ].mean()
