"""UDA: the answer to a strongly augmented image is the sharpened one to a weakly augmented view of it."""

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Positive, Share
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.classification import SemiSupervisedMethod
from embodied_ssl.parts.random_augment import random_augment
from embodied_ssl.parts.views import flip_and_shift

Annealing = Literal["none", "linear", "log", "exp"]


class UDA(SemiSupervisedMethod):
    """Unsupervised data augmentation for consistency training. Xie, Dai, Hovy, Luong & Le, NeurIPS 2020.

    Idea: A strong augmentation changes an image as real images of a class differ. The answer to it is to be that to the
    image, sharpened, where that is sure; labels spread from image to image.

    Loss: `−log p(y|x) + λ · 1[max p(u) > β] · CE(sharpened p(u), p(strong u))`, sharpened by a temperature T, without
    gradient.

    Differs: As many images without labels as with labels in an update, where the paper has up to 15 times as many
    (`--unlabelled 15`). Training-signal annealing (`annealing`) leaves labelled images out of the loss whose class is
    more likely than a threshold that rises from 1/K to 1; the mean counts them as nothing, as in USB, where the authors
    divide by those that are left.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        threshold: Share = 0.8,
        temperature: Positive = 0.4,
        weight: NonNegative = 1.0,
        annealing: Annealing = "none",
        **labels: Any,
    ):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            threshold: β, how sure an answer has to be.
            temperature: T.
            weight: λ, of the images without labels.
            annealing: schedule of training-signal annealing: `exp` for very few labels.
        """
        super().__init__(encoder, **labels)

    def loss(self, labelled: LabelledFrames, frames: Frames, step: Step) -> dict[str, Tensor]:
        size = self.encoder.image_size
        weak = flip_and_shift(torch.cat([labelled.images, frames.images]), step.rng, size)
        strong = random_augment(flip_and_shift(frames.images, step.rng, size), step.rng)  # another mirror and shift
        few = len(labelled.images)
        logits = self.logits(torch.cat([weak, strong]))  # [B + 2 U, classes]
        known, (guesses, answers) = logits[:few], logits[few:].chunk(2)
        guesses = guesses.detach()
        sure = (guesses.softmax(1).amax(1) > self.threshold).float()
        target = (guesses / self.temperature).softmax(1)
        unlabelled = (sure * functional.cross_entropy(answers, target, reduction="none")).mean()
        own = functional.cross_entropy(known, labelled.label, reduction="none")  # [B]
        if self.annealing != "none":
            own = own * (own.detach().neg().exp() < annealed(self.annealing, step.progress, logits.shape[1]))
        accuracy = (known.argmax(1) == labelled.label).float().mean()
        return {"loss": own.mean() + self.weight * unlabelled, "accuracy": accuracy, "sure": sure.mean()}


def annealed(schedule: Annealing, progress: float, classes: int) -> float:
    """The threshold of training-signal annealing (section 2.3): from 1/K at progress 0 to 1 at progress 1."""
    share = {
        "linear": progress,
        "log": 1 - math.exp(-5 * progress),
        "exp": math.exp(5 * (progress - 1)),
    }[schedule]
    return share * (1 - 1 / classes) + 1 / classes
