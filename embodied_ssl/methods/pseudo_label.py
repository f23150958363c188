"""Pseudo-label: what a network is sure of counts as a label."""

from typing import Any

from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Share, SomeShare
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.classification import SemiSupervisedMethod
from embodied_ssl.parts.gradient_cache import norms_of, without_statistics
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.views import flip_and_shift


class PseudoLabel(SemiSupervisedMethod):
    """Pseudo-label: the simple and efficient semi-supervised learning method for deep neural networks. Lee, 2013.

    Idea: Of images without labels, those whose class a network is sure of are taken as labelled with it, ever more of
    them. The boundaries between classes thereby move to where there are few images.

    Loss: `−log p(y|x) + λ · ramp · 1[max p(u) > τ] · (−log p(argmax p(u) | u))`, x labelled and u not.

    Differs: As in the comparison of Oliver et al. 2018 and its successors: a threshold of 0.95, a linear ramp over the
    first 0.4 of training, and batch norm that takes its running statistics of the labelled images alone.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        threshold: Share = 0.95,
        weight: NonNegative = 1.0,
        ramp: SomeShare = 0.4,
        **labels: Any,
    ):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            threshold: τ, how sure it has to be.
            weight: λ, of the images without labels.
            ramp: the share of training after which they have all of their weight.
        """
        super().__init__(encoder, **labels)

    def loss(self, labelled: LabelledFrames, frames: Frames, step: Step) -> dict[str, Tensor]:
        size = self.encoder.image_size
        logits = self.logits(flip_and_shift(labelled.images, step.rng, size))  # [B, classes]
        with without_statistics(norms_of(self.encoder)):
            guesses = self.logits(flip_and_shift(frames.images, step.rng, size))  # [U, classes]
        likely, guess = guesses.detach().softmax(1).max(1)
        sure = (likely > self.threshold).float()
        unlabelled = (sure * functional.cross_entropy(guesses, guess, reduction="none")).mean()
        supervised = cross_entropy(logits, labelled.label)
        weight = self.weight * min(step.progress / self.ramp, 1.0)
        accuracy = (logits.argmax(1) == labelled.label).float().mean()
        return {"loss": supervised + weight * unlabelled, "accuracy": accuracy, "sure": sure.mean()}
