"""Class labels only: what every method without labels is measured against."""

from torch import Tensor, nn

from embodied_ssl.datasets.batches import LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.views import color_jitter, random_resized_crop


class Labels(Method):
    """Supervised classification with cross-entropy: the row `clsnet` of Jayaraman & Grauman 2015."""

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, classes: int = 64, least_crop: float = 0.5):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            classes: most classes of the pictures.
            least_crop: smallest share of a picture that a random crop keeps.
        """
        super().__init__(encoder)
        self.classes, self.least_crop = classes, least_crop
        self.classifier = nn.Linear(encoder.dim, classes)

    def loss(self, labelled: LabelledFrames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(labelled.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        images = color_jitter(images, step.rng, 0.2, 0.2, 0.2, 0.0)
        logits = self.classifier(self.encoder(images))
        accuracy = (logits.argmax(1) == labelled.label).float().mean()
        return {"loss": nn.functional.cross_entropy(logits, labelled.label), "accuracy": accuracy}
