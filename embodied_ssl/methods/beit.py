"""BEiT: which visual word stands in each patch that is masked."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.patches import from_patches, plain_transformer, to_patches
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import random_resized_crop, to_float, uniform

SMALLEST = 16 / 196
"""Share of the patches that a masked block has at least, unless fewer are left to mask (algorithm 1)."""
SHAPE = (0.3, 1 / 0.3)
"""Rows over columns of a block, even in the logarithm here."""
FLAT = 0.02
"""Standard deviation of the pixels of a patch below which its pattern counts less and less."""
PATCHES = 20_000
"""Most patches that visual words are found in."""


class BEiT(Method):
    """BEiT: BERT pre-training of image transformers. Bao et al., ICLR 2022.

    Idea: Images have two views: patches, which the encoder sees, and visual words, one of a fixed vocabulary for each
    patch. Blocks of the patches are masked, and the encoder predicts their words from all that is left. To name a word
    is to say what kind of thing is there, without its every pixel.

    Loss: `−mean over masked patches i of log softmax(W h_i)[w_i]` (equation 1), with h the features of the image whose
    masked patches are replaced by a learned token, and w the words of the whole image.

    Differs: The words are k-means of the pixels of patches, each in units of its mean and standard deviation, where the
    paper takes the 8,192 codes of DALL-E's variational autoencoder, which was trained on 250 million images: so they
    say less of what is there, and more of edges and colours. Scaled for 32 to 96 px: 256 words.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=0.05, batch_size=128, steps=2000, warmup=0.1)
    usual_encoder = "vit_tiny"

    def __init__(
        self,
        encoder: Encoder,
        words: Count = 256,
        mask_ratio: SomeShare = 0.4,
        least_crop: SomeShare = 0.3,
        jitter: NonNegative = 0.4,
    ):
        """A linear layer on the tokens of an encoder.

        Args:
            encoder: a plain vision transformer, ours or of timm.
            words: size of the vocabulary.
            mask_ratio: share of the patches that are masked, in blocks.
            least_crop: smallest share of an image that a random crop keeps.
            jitter: of the colours of each image.
        """
        super().__init__(encoder)
        encoder = plain_transformer("beit", encoder)
        self.side = encoder.image_size // encoder.patch  # patches along a side
        if self.side**2 <= mask_ratio * self.side**2 + 1:
            raise DataError(f"beit: with {mask_ratio} of {self.side**2} patches masked nothing is left to see")
        self.mask_token = nn.Parameter(torch.randn(encoder.width) * 0.02)
        self.head = nn.Linear(encoder.width, words)
        self.register_buffer("vocabulary", torch.zeros(words, 3 * encoder.patch**2))  # pixels

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The vocabulary, of the data. Raises DataError where they have fewer different patches than words."""
        found = visual_words(streams["frames"], self.words, self.encoder.image_size, self.side, rng)
        self.vocabulary.copy_(torch.from_numpy(found))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        if self.jitter:
            images = color_jitter(images, step.rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
        masked = self.blocks(len(images), step.rng)  # bool [B, P]
        logits, words = self.predict(images, masked), self.tokenize(images)  # [B, P, K], [B, P]

        terms = functional.cross_entropy(logits.mT, words, reduction="none") * masked  # eq. 1, [B, P]
        right = (logits.argmax(2) == words) * masked
        count = masked.sum(1)  # [B], which differ little
        return {"loss": (terms.sum(1) / count).mean(), "accuracy": (right.sum(1) / count).mean()}

    def predict(self, images: Tensor, masked: Tensor) -> Tensor:
        """Logits of the words of all patches, float32 [B, P, K], where those masked, bool [B, P], are not seen."""
        encoder = plain_transformer("beit", self.encoder)
        return self.head(encoder.features_and_tokens(images, masked, self.mask_token)[1]).float()

    @in_float32
    def tokenize(self, images: Tensor) -> Tensor:
        """The nearest word of each patch of images [B, 3, s, s], int64 [B, P]."""
        patches = normalised(to_patches(images, images.shape[-1] // self.side))  # [B, P, 3 · patch²]
        return torch.cdist(patches.flatten(0, 1), self.vocabulary).argmin(1).view(patches.shape[:2])

    def blocks(self, count: int, rng: torch.Generator) -> Tensor:
        """Which patches of so many images are masked, bool [B, P]: blocks, until they are enough (algorithm 1)."""
        total = self.side**2
        masked = torch.zeros(count, self.side, self.side, dtype=torch.bool, device=rng.device)
        places = torch.arange(self.side, device=rng.device)
        while (left := self.mask_ratio * total - masked.sum((1, 2))).max() > 0:
            smallest = SMALLEST * total
            area = torch.lerp(left.clamp(min=smallest), torch.full_like(left, smallest), uniform(count, 0, 1, rng))
            ratio = torch.exp(uniform(count, math.log(SHAPE[0]), math.log(SHAPE[1]), rng))
            inside = []
            for extent in ((area * ratio).sqrt(), (area / ratio).sqrt()):
                extent = extent.round().clamp(1, self.side)
                start = (uniform(count, 0, 1, rng) * (self.side - extent + 1)).floor()
                inside.append((places >= start[:, None]) & (places < (start + extent)[:, None]))  # [B, side]
            block = inside[0][:, :, None] & inside[1][:, None]
            masked |= block & (left > 0)[:, None, None]
        return masked.flatten(1)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """What is seen of each image, the words predicted for the rest, all words as they are, and the image."""
        images = to_float(frames.images, self.encoder.image_size)
        patch = images.shape[-1] // self.side
        masked, words = self.blocks(len(images), step.rng), self.tokenize(images)
        predicted = torch.where(masked, self.predict(images, masked).argmax(2), words)
        patches = to_patches(images, patch)  # [B, P, 3 · patch²]
        mean, scale = mean_and_scale(patches)
        pictures = [(self.vocabulary[each] * scale + mean).clamp(0, 1) for each in (predicted, words)]
        drawn = [from_patches(each, patch) for each in (patches.masked_fill(masked[..., None], 0.5), *pictures)]
        return columns((drawn[0], "seen"), (drawn[1], "predicted"), (drawn[2], "its words"), (images, "as it was"))


def normalised(patches: Tensor) -> Tensor:
    """Patches [..., D] without their mean, in units of their standard deviation but for what is almost flat."""
    mean, scale = mean_and_scale(patches)
    return (patches - mean) / scale


def mean_and_scale(patches: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of patches [..., D] and what they are divided by, [..., 1] both."""
    mean = patches.mean(-1, keepdim=True)
    return mean, ((patches - mean).square().mean(-1, keepdim=True) + FLAT**2).sqrt()


def visual_words(frames: Stream, count: int, size: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """The means of so many clusters of the patches of images, float32 [count, 3 · patch²], by k-means.

    size: of the images, px. side: patches along it.
    """
    from sklearn.cluster import KMeans

    index = rng.permutation(len(frames))[: max(1, PATCHES // side**2)]
    found = []
    for part in np.array_split(index, -(-len(index) // 100)):
        batch = frames.batch(part, rng)
        assert isinstance(batch, Frames)
        found.append(normalised(to_patches(to_float(batch.images, size), size // side)).flatten(0, 1))
    patches = torch.cat(found).numpy()
    distinct = len(np.unique(patches.round(3), axis=0))
    if distinct < count:
        raise DataError(f"beit: {count} words of {distinct} different patches; give --words {distinct}, or more images")
    clusters = KMeans(count, n_init=1, max_iter=30, random_state=int(rng.integers(1 << 31))).fit(patches)
    return clusters.cluster_centers_.astype(np.float32)
