"""DINO: from a part of an image, a student tells what its teacher says of the whole."""

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
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.gradient_cache import in_parts
from embodied_ssl.parts.heads import PrototypeHead
from embodied_ssl.parts.panels import columns, overlaid, saliency
from embodied_ssl.parts.views import Range, blur, color_jitter, grayscale, random_resized_crop, solarize, to_float
from embodied_ssl.training.distributed import gather, mean_over_processes, rank
from embodied_ssl.training.optimization import follow


class DINO(Method):
    """Self-distillation with no labels: emerging properties in self-supervised vision transformers.
    Caron et al., ICCV 2021.

    Scaled for 32 to 96 px and short runs: 1,024 prototypes for 65,536, a head 512 wide for 2,048 with a bottleneck of
    64 for 256, with batch norm and ReLU where the paper has GELU alone (`paper_head`), a teacher that follows with 0.95
    for 0.996, a constant weight decay. Through the centre alone the teacher comes to say much the same of all images
    before it has learned to tell them apart; the balance of Sinkhorn and Knopp, in long runs as good (table 7 of the
    paper), keeps it from that. The teacher is the
    encoder that is kept.
    """

    whole_batch = True  # of which the teacher's answers are balanced, or their mean is taken
    recipe = Recipe(learning_rate=2e-3, weight_decay=0.04, batch_size=128, steps=2000, warmup=0.1, clip=3.0)

    def __init__(
        self,
        encoder: Encoder,
        local_crops: Whole = 4,
        local_size: Count | None = None,
        border: SomeShare = 0.4,
        prototypes: Count = 1024,
        width: Count = 512,
        bottleneck: Count = 64,
        temperature: Positive = 0.1,
        first_teacher_temperature: Positive = 0.02,
        teacher_temperature: Positive = 0.02,
        warming: Share = 0.1,
        momentum: Share = 0.95,
        balance: Literal["sinkhorn", "centre"] = "sinkhorn",
        centre_momentum: Share = 0.9,
        frozen: Share = 0.01,
        paper_head: bool = False,
    ):
        """A student, and a teacher that follows it.

        Args:
            encoder: the student.
            local_crops: how many small crops the student sees of each image, beside the two large ones.
            local_size: side of the small crops, px; None: half of the encoder's.
            border: share of the image that the large crops exceed and the small ones do not.
            prototypes: K, outputs of the head.
            width: of the hidden layers of the head.
            bottleneck: what the prototypes are compared with.
            temperature: of the student.
            first_teacher_temperature: where that of the teacher starts.
            teacher_temperature: where it ends, after `warming`.
            warming: share of the steps in which it rises.
            momentum: with which the teacher follows at first; it rises to 1.
            balance: what keeps the teacher from saying the same of all images: `sinkhorn`, by which the images of a
                batch take all prototypes alike, or `centre`: the mean of its outputs so far is taken from them.
            centre_momentum: of the mean of the teacher's outputs.
            frozen: share of the steps, at first, in which the prototypes stay as they are.
            paper_head: a head with GELU and without batch norm, its weights drawn with a deviation of 0.02, as in the
                paper; with it a small encoder takes far longer to begin.
        """
        super().__init__(encoder)
        self._local = local_size or encoder.image_size // 2
        check_size("dino", encoder, encoder, self._local, f"choose --local_size {encoder.image_size}")
        self.head = PrototypeHead(encoder.dim, width, bottleneck, prototypes, paper_head)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.teacher_head = copy.deepcopy(self.head).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(prototypes))
        self._outputs: list[Tensor] = []  # of the teacher in this step, until `after_step`

    @property
    def kept(self) -> Encoder:
        return self.teacher

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        whole = self._global_crops(frames.images, step.rng)
        parts = [whole, self._local_crops(frames.images, step.rng)] if self.local_crops else [whole]
        features = torch.cat([in_parts((self.encoder,), views, step.parts) for views in parts])  # of one size at a time
        student = self.head(features, step.progress < self.frozen).float()
        with torch.no_grad():
            teacher = self.teacher_head(in_parts((self.teacher,), whole, step.parts)).float()
        says = self._says(teacher, self._teacher_temperature(step))
        count = len(frames)
        loss = distillation(says.unflatten(0, (-1, count)), (student / self.temperature).unflatten(0, (-1, count)))
        certainty = torch.special.entr(says).sum(1).mean()
        spread = torch.special.entr(mean_over_processes(says.mean(0))).sum()
        return {"loss": loss, "teacher_entropy": certainty, "mean_entropy": spread}

    def after_step(self, step: Step) -> None:
        """The teacher follows the student, and where there is a centre it follows the teacher's outputs (eq. 4)."""
        m = 1 - (1 - self.momentum) * (1 + math.cos(math.pi * step.progress)) / 2
        follow(self.teacher, self.encoder, m, buffers=False)
        follow(self.teacher_head, self.head, m, buffers=False)
        if self._outputs:
            mean = mean_over_processes(torch.stack(self._outputs).mean(0))
            self.centre.lerp_(mean, 1 - self.centre_momentum)
            self._outputs.clear()

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image, its two large crops and a small one, and where the teacher looks."""
        images = to_float(frames.images, self.encoder.image_size)
        first, second = self._global_crops(frames.images, step.rng).chunk(2)
        small = [(self._local_crops(frames.images, step.rng)[: len(frames)], "small crop")] if self.local_crops else []
        maps, what = saliency(self.kept, images)
        return columns(
            (images, "image"), (first, "large crop"), (second, "large crop"), *small, (overlaid(images, maps), what)
        )

    def _says(self, outputs: Tensor, temperature: float) -> Tensor:
        """What the teacher says of each large crop, probabilities of the prototypes, [2 B, K]."""
        if self.balance == "sinkhorn":
            return sinkhorn(gather(outputs) / temperature)[rank() * len(outputs) :][: len(outputs)]
        self._outputs.append(outputs.mean(0))
        return ((outputs - self.centre) / temperature).softmax(1)

    def _teacher_temperature(self, step: Step) -> float:
        first, last = self.first_teacher_temperature, self.teacher_temperature
        return first + (last - first) * min(1.0, step.progress / self.warming if self.warming else 1.0)

    def _global_crops(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Two large crops, of which the first is always blurred and the second sometimes solarised; [2 B, 3, s, s]."""
        first, second = (self._crop(images, rng, self.encoder.image_size, (self.border, 1.0)) for _ in range(2))
        second = solarize(_blur(second, rng, 0.1), rng, 0.2)
        return torch.cat([_blur(first, rng, 1.0), second])

    def _local_crops(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Small crops, [local_crops · B, 3, s, s], those of one number side by side."""
        crops = self._crop(images.repeat(self.local_crops, 1, 1, 1), rng, self._local, (0.05, self.border))
        return _blur(crops, rng, 0.5)

    def _crop(self, images: Tensor, rng: torch.Generator, size: int, scale: Range) -> Tensor:
        crops = random_resized_crop(images, rng, size, scale)
        return grayscale(color_jitter(crops, rng, 0.4, 0.4, 0.2, 0.1, 0.8), rng, 0.2)


def sinkhorn(logits: Tensor, rounds: int = 3) -> Tensor:
    """Rows and columns normalised in turn: probabilities, float [N, K], whose columns have about the same sum.

    Cuturi 2013, as Caron et al. 2020 balance their prototypes.
    """
    for _ in range(rounds):
        logits = logits.log_softmax(0).log_softmax(1)
    return logits.exp()


def distillation(teacher: Tensor, student: Tensor) -> Tensor:
    """Cross-entropy of the student's softmax of each view with the teacher's of each other one (eq. 3), the mean.

    teacher: float [G, B, K], probabilities of the G large crops. student: float [V, B, K], logits of all V crops, the
    large ones first.
    """
    logs = functional.log_softmax(student, 2)
    # Not as a product of matrices, which would have 16 bits where training has.
    terms = -torch.stack([(says * logs).sum(2).mean(1) for says in teacher])  # [G, V]
    others = ~torch.eye(*terms.shape, dtype=torch.bool, device=terms.device)
    return terms[others].mean()


def _blur(views: Tensor, rng: torch.Generator, probability: float) -> Tensor:
    return blur(views, rng, (0.1, 2.0), views.shape[-1] // 20 * 2 + 1, probability)
