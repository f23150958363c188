"""DINO: a student that sees parts of an image predicts what its teacher, which sees the whole, makes of it."""

import copy
import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive, Share, SomeShare, Whole
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import blur, color_jitter, grayscale, solarize
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import PrototypeHead
from embodied_ssl.parts.panels import columns, overlaid, saliency
from embodied_ssl.parts.views import Range, random_resized_crop, to_float
from embodied_ssl.training.devices.distributed import gather, mean_over_processes, rank
from embodied_ssl.training.optimization import follow


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
    of 0.95 for 0.996, a constant weight decay. Through centering alone the teacher's outputs become much the same for
    all images before it has learned to distinguish them; the Sinkhorn-Knopp algorithm, as good in long runs (table 7 of
    the paper), prevents that. The encoder that a run leaves behind is the teacher.
    """

    whole_batch = True  # over which the teacher's outputs are balanced or averaged
    recipe = Recipe(learning_rate=2e-3, weight_decay=0.04, batch_size=128, steps=2000, warmup=0.1, clip=3.0)

    def __init__(
        self,
        encoder: Encoder,
        local_crops: Whole = 4,
        local_size: Count | None = None,
        crop_scale: SomeShare = 0.4,
        prototypes: Count = 1024,
        width: Count = 512,
        bottleneck: Count = 64,
        temperature: Positive = 0.1,
        warmup_teacher_temperature: Positive = 0.02,
        teacher_temperature: Positive = 0.02,
        teacher_warmup: Share = 0.1,
        momentum: Share = 0.95,
        balance: Literal["sinkhorn", "centre"] = "sinkhorn",
        centre_momentum: Share = 0.9,
        freeze_prototypes: Share = 0.01,
        paper_head: bool = False,
    ):
        """A student, and a teacher that follows it.

        Args:
            encoder: the student.
            local_crops: how many small crops of each image the student sees, beside the two large ones.
            local_size: side of the small crops, px; None: half of the encoder's.
            crop_scale: share of the image that a large crop has at least, and a small one at most.
            prototypes: K, outputs of the head.
            width: of the hidden layers of the head.
            bottleneck: dimension of the features that are compared with the prototypes.
            temperature: of the student.
            warmup_teacher_temperature: of the teacher at first.
            teacher_temperature: of the teacher after `teacher_warmup`.
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

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        large = self._global_crops(frames.images, step.rng)  # [2 B, 3, s, s]
        crops = [large]
        if self.local_crops:
            crops.append(self._local_crops(frames.images, step.rng))  # [L B, 3, t, t]

        # The student sees all V = 2 + L crops of an image, those of one size at a time.
        features = torch.cat([in_chunks((self.encoder,), each, step.loss_chunks) for each in crops])  # [V B, D]
        student = self.head(features, step.progress < self.freeze_prototypes).float() / self.temperature  # [V B, K]

        # The teacher sees the large ones alone, and gets no gradient.
        with torch.no_grad():
            teacher = self.teacher_head(in_chunks((self.teacher,), large, step.loss_chunks)).float()  # [2 B, K]
        probabilities = self.teacher_probabilities(teacher, self._temperature_of_teacher(step))  # [2 B, K]

        by_crop = (-1, len(frames))
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

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image, its two large crops and a small one, and where the teacher looks."""
        images = to_float(frames.images, self.encoder.image_size)
        first, second = self._global_crops(frames.images, step.rng).chunk(2)
        small = [(self._local_crops(frames.images, step.rng)[: len(frames)], "small crop")] if self.local_crops else []
        maps, what = saliency(self.output_encoder, images)
        return columns(
            (images, "image"), (first, "large crop"), (second, "large crop"), *small, (overlaid(images, maps), what)
        )

    def teacher_probabilities(self, outputs: Tensor, temperature: float) -> Tensor:
        """The teacher's assignment of each large crop to the prototypes, [2 B, K], of its outputs [2 B, K]."""
        if self.balance == "sinkhorn":
            everyone = sinkhorn(gather(outputs) / temperature)  # [world · 2 B, K]
            return everyone[rank() * len(outputs) :][: len(outputs)]
        self._output_means.append(outputs.mean(0))
        return ((outputs - self.centre) / temperature).softmax(1)

    def _temperature_of_teacher(self, step: Step) -> float:
        first, last = self.warmup_teacher_temperature, self.teacher_temperature
        return first + (last - first) * min(1.0, step.progress / self.teacher_warmup if self.teacher_warmup else 1.0)

    def _global_crops(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Two large crops, of which the first is always blurred and the second sometimes solarised; [2 B, 3, s, s]."""
        first, second = (self._crop(images, rng, self.encoder.image_size, (self.crop_scale, 1.0)) for _ in range(2))
        second = solarize(_blur(second, rng, 0.1), rng, 0.2)
        return torch.cat([_blur(first, rng, 1.0), second])

    def _local_crops(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Small crops, [L · B, 3, t, t]: the first one of all images, then the second one of all ..."""
        repeated = images.repeat(self.local_crops, 1, 1, 1)
        crops = self._crop(repeated, rng, self.local_crop_size, (0.05, self.crop_scale))
        return _blur(crops, rng, 0.5)

    def _crop(self, images: Tensor, rng: torch.Generator, size: int, scale: Range) -> Tensor:
        crops = random_resized_crop(images, rng, size, scale)
        return grayscale(color_jitter(crops, rng, 0.4, 0.4, 0.2, 0.1, 0.8), rng, 0.2)


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


def _blur(views: Tensor, rng: torch.Generator, probability: float) -> Tensor:
    return blur(views, rng, (0.1, 2.0), views.shape[-1] // 20 * 2 + 1, probability)
