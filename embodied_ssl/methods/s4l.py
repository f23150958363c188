"""S4L: labels for a few images, and the rotation of all."""

from typing import Any

import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.adversarial import EPSILON, XI, entropy, virtual_adversarial
from embodied_ssl.parts.classification import SemiSupervisedMethod
from embodied_ssl.parts.heads import Tower
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.views import random_square, rotations


class S4L(SemiSupervisedMethod):
    """S4L: self-supervised semi-supervised learning. Zhai, Oliver, Kolesnikov & Beyer, ICCV 2019.

    Idea: One encoder learns the classes of a few labelled images and, of all images, by which of four angles they were
    rotated. The second task needs no labels, and keeps the encoder from learning the few images by heart.

    Loss: `mean over rotations r of −log p(y | rot(x, r)) + w · mean over r of −log q(r | rot(u, r)) + v KL(p(u) ‖
    p(u + adversarial)) + e H(p(u))`, the last two 0 for S4L-Rotation.

    Differs: Weights are of each term, that of the labels being 1; the first stage of the paper's MOAM is
    `--rotation 1.33 --adversarial 1 --entropy 1`. Crops are square, as of the method `rotation`.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        rotation: NonNegative = 1.0,
        adversarial: NonNegative = 0.0,
        entropy: NonNegative = 0.0,
        **labels: Any,
    ):
        """Softmax on the pooled features, and a classifier of four angles on the deepest maps.

        Args:
            encoder: what is learned.
            rotation: w, of the rotations.
            adversarial: v, of virtual adversarial training.
            entropy: e, of the entropy of answers.
        """
        super().__init__(encoder, **labels)
        self.angles = Tower(encoder.width, 4)

    def loss(self, labelled: LabelledFrames, frames: Frames, step: Step) -> dict[str, Tensor]:
        size = self.encoder.image_size
        few = len(labelled.images)
        views = random_square(torch.cat([labelled.images, frames.images]), step.rng, size)  # [B + U, 3, s, s]
        turned, quarters = rotations(views)  # [4 (B + U), 3, s, s]
        stages = self.encoder.stages(turned)
        angles = self.angles(list(stages.values())[-1])  # [4 (B + U), 4]
        known = self.encoder.pool(stages).unflatten(0, (4, -1))[:, :few].flatten(0, 1)  # [4 B, D]
        logits = self.classifier(known).float()  # [4 B, classes]
        label = labelled.label.repeat(4)
        loss = cross_entropy(logits, label) + self.rotation * cross_entropy(angles, quarters)
        if self.adversarial or self.entropy:
            images, layers = views[few:], (self.encoder,)
            divergence, guesses = virtual_adversarial(self.logits, images, EPSILON, XI, step.rng, layers)
            loss = loss + self.adversarial * divergence + self.entropy * entropy(guesses)
        accuracy = (logits[:few].argmax(1) == labelled.label).float().mean()
        turned_right = (angles.argmax(1) == quarters).float().mean()
        return {"loss": loss, "accuracy": accuracy, "rotation_accuracy": turned_right}
