"""FixMatch: the answer to a strongly augmented image is the class that a weakly augmented view of it is sure of."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Share
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.classification import SemiSupervisedMethod
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.random_augment import random_augment
from embodied_ssl.parts.views import flip_and_shift


class FixMatch(SemiSupervisedMethod):
    """FixMatch: simplifying semi-supervised learning with consistency and confidence. Sohn et al., NeurIPS 2020.

    Idea: An image without a label is seen twice, weakly augmented (a mirror and a shift) and strongly (RandAugment and
    cutout). Where the first answer is sure, its class is the label of the second.

    Loss: `−log p(y|x) + λ · 1[max p(weak u) ≥ τ] · (−log p(argmax p(weak u) | strong u))`, without gradient through the
    weak view.

    Differs: As many images without labels as with labels in an update, where the paper has 448 and 64
    (`--batch_size 448 --unlabelled 7`), and AdamW for short runs; the paper's optimiser is `--optimizer sgd
    --learning_rate 0.03 --weight_decay 5e-4`. Its average of weights is `--ema 0.999`.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, threshold: Share = 0.95, weight: NonNegative = 1.0, **labels: Any):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            threshold: τ, how sure an answer has to be.
            weight: λ, of the images without labels.
        """
        super().__init__(encoder, **labels)

    def loss(self, labelled: LabelledFrames, frames: Frames, step: Step) -> dict[str, Tensor]:
        size = self.encoder.image_size
        weak = flip_and_shift(torch.cat([labelled.images, frames.images]), step.rng, size)
        strong = random_augment(flip_and_shift(frames.images, step.rng, size), step.rng)  # another mirror and shift
        few = len(labelled.images)
        logits = self.logits(torch.cat([weak, strong]))  # [B + 2 U, classes]
        known, (guesses, answers) = logits[:few], logits[few:].chunk(2)
        likely, guess = guesses.detach().softmax(1).max(1)
        sure = (likely >= self.threshold).float()
        unlabelled = (sure * functional.cross_entropy(answers, guess, reduction="none")).mean()
        accuracy = (known.argmax(1) == labelled.label).float().mean()
        loss = cross_entropy(known, labelled.label) + self.weight * unlabelled
        return {"loss": loss, "accuracy": accuracy, "sure": sure.mean()}
