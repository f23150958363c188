"""VAT: the answer does not change in the direction in which it would change most, and is sure."""

from typing import Any

from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Positive
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.adversarial import EPSILON, XI, entropy, virtual_adversarial
from embodied_ssl.parts.classification import SemiSupervisedMethod
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.views import flip_and_shift


class VAT(SemiSupervisedMethod):
    """Virtual adversarial training. Miyato, Maeda, Koyama & Ishii, TPAMI 2018.

    Idea: Around every image, labelled or not, the answer is to stay the same, also in the direction in which a small
    change of the image alters it most; that direction is found without labels. With entropy minimisation (Grandvalet &
    Bengio 2004) the answers are to be sure as well.

    Loss: `−log p(y|x) + λ KL(p(u) ‖ p(u + r)) + μ H(p(u))`, with r = ε g/‖g‖, g the gradient of
    KL(p(u) ‖ p(u + ξ d)) at a random direction d.

    Differs: ε and ξ are root mean squares over pixels of images in [0, 1], the same for images of any size: the paper's
    ε of 6 to 10 is for standardised CIFAR images of 32 px, 0.027 to 0.045 here. ξ is not as tiny as the paper's 1e-6,
    whose differences drown in rounding.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        epsilon: Positive = EPSILON,
        xi: Positive = XI,
        weight: NonNegative = 0.3,
        entropy: NonNegative = 0.06,
        **labels: Any,
    ):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            epsilon: ε, size of the change.
            xi: ξ, size of the random change that the search for it begins with.
            weight: λ, of the divergence.
            entropy: μ, of the entropy of answers.
        """
        super().__init__(encoder, **labels)

    def loss(self, labelled: LabelledFrames, frames: Frames, step: Step) -> dict[str, Tensor]:
        size = self.encoder.image_size
        logits = self.logits(flip_and_shift(labelled.images, step.rng, size))  # [B, classes]
        images = flip_and_shift(frames.images, step.rng, size)  # [U, 3, s, s]
        layers = (self.encoder,)
        divergence, guesses = virtual_adversarial(self.logits, images, self.epsilon, self.xi, step.rng, layers)
        supervised = cross_entropy(logits, labelled.label)
        accuracy = (logits.argmax(1) == labelled.label).float().mean()
        loss = supervised + self.weight * divergence + self.entropy * entropy(guesses)
        return {"loss": loss, "accuracy": accuracy, "divergence": divergence.detach()}
