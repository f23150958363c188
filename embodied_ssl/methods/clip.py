"""CLIP: images and captions that belong together are more similar than those that do not."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import CaptionedFrames
from embodied_ssl.datasets.read.captions import LENGTH, tokenise
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.losses import symmetric_info_nce
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.views import random_resized_crop, to_float
from embodied_ssl.text.encoder import TextEncoder
from embodied_ssl.text.masked_words import learn_masked_words
from embodied_ssl.text.word2vec import word2vec

_LONGEST_WORD = 24  # bytes
LARGEST_LOG_SCALE = math.log(100)
PROMPTS = ("a {}", "a {} on the left", "a {} on the right", "a {} in the middle")
"""Captions that name nothing but a class and a place; the embedding of a class is the mean of theirs."""


class CLIP(Method):
    """Learning transferable visual models from natural language supervision. Radford et al., ICML 2021.

    Idea: An encoder of images and an encoder of text come to one space, in which an image is more similar to its own
    caption than to all other captions of the batch, and a caption to its own image. Any class that can be named can
    then be recognised without training for it, by the similarity of an image with the text of its name.

    Loss: `½ (CE over captions of sim(image, caption)/τ + CE over images of sim(caption, image)/τ)`, cross-entropies
    whose right answers are the true pairs; sim is the cosine similarity, τ is learned.

    Differs: Scaled for captions of a few words: a text transformer of 2 blocks, 128 wide, over the words of the data.
    It can start from word vectors (word2vec, Mikolov et al. 2013) or from masked words (BERT, Devlin et al. 2019),
    learned on the same captions before any image is seen. Crops keep half of an image at least and are not mirrored,
    since captions name places.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=0.1, second_beta=0.98, batch_size=128, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        dim: Count = 128,
        text_width: Count = 128,
        text_depth: Count = 2,
        words: Count = 512,
        start: Literal["random", "word2vec", "masked_words"] = "random",
        start_steps: Count = 1000,
        least_crop: SomeShare = 0.5,
    ):
        """An encoder of images and one of captions.

        Args:
            encoder: of images.
            dim: of the common space.
            text_width: dimension of the tokens of the text transformer, a multiple of 32.
            text_depth: blocks of the text transformer.
            words: most words of the vocabulary.
            start: what the text transformer learns from the captions alone before training.
            start_steps: updates of that.
            least_crop: smallest share of an image that a random crop keeps, which is all the augmentation.
        """
        super().__init__(encoder)
        self.text = TextEncoder(words, LENGTH, text_width, text_depth)
        self.image_projection = nn.Linear(encoder.dim, dim, bias=False)
        self.text_projection = nn.Linear(text_width, dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.register_buffer("spelling", torch.zeros(words, _LONGEST_WORD, dtype=torch.uint8))  # of the vocabulary

    def stream_options(self) -> dict[str, dict[str, list[str]]]:
        """Captions in the vocabulary that was learned, if there is one; at first in that of the data set."""
        return {"captions": {"vocabulary": self.vocabulary()}} if self.spelling.any() else {}

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The vocabulary of the captions, and what the text transformer learns of them alone."""
        stream = streams["captions"]
        if (vocabulary := getattr(stream, "vocabulary", None)) is not None:  # of captions, or of several sets of them
            self._learn_vocabulary(vocabulary)
        if self.start == "random":
            return
        parts = np.array_split(rng.permutation(len(stream))[:4096], 16)
        batches = [stream.batch(part, rng) for part in parts if len(part)]
        sentences = torch.cat([batch.words for batch in batches if isinstance(batch, CaptionedFrames)]).numpy()
        if self.start == "word2vec":
            vectors = word2vec(sentences, self.words, self.text_width, steps=self.start_steps, rng=rng)
            with torch.no_grad():
                self.text.embedding.weight.copy_(vectors)
        else:
            learn_masked_words(self.text, sentences, int(sentences.max()) + 1, self.start_steps, rng=rng)

    def loss(self, captions: CaptionedFrames, step: Step) -> dict[str, Tensor]:
        # A mirrored image would not fit its caption.
        scale = (self.least_crop, 1.0)
        views = random_resized_crop(captions.images, step.rng, self.encoder.image_size, scale, flip=0.0)

        images = in_chunks((self.encoder, self.image_projection), views, step.loss_chunks)  # [B, dim]
        texts = in_chunks((self.text, self.text_projection), captions.words, step.loss_chunks)  # [B, dim]

        # Figure 3 of the paper. All captions of an image that is there twice are its own.
        temperature = (-self.log_scale).exp()
        loss = symmetric_info_nce(images, texts, temperature, digest(captions.images))
        return {"loss": loss, "temperature": temperature.detach()}

    def show(self, captions: CaptionedFrames, step: Step) -> list[list[Panel]]:
        """Each image with its caption, and the captions of the batch that are ranked first, with their images."""
        images = to_float(captions.images, self.encoder.image_size)
        embedded = functional.normalize(self.text_projection(self.text(captions.words)).float(), dim=1)  # [B, dim]
        words = self.vocabulary()
        texts = [" ".join(words[word] for word in row if word) for row in captions.words.tolist()]
        right = (captions.words[:, None] == captions.words).all(2)  # of like captions each is right
        return with_nearest(columns((images, texts)), images, self.embed_images(images) @ embedded.T, right, texts)

    @torch.no_grad()
    def after_step(self, step: Step) -> None:
        """The scale of the similarities is clipped (section 2.5): the parameter, so that it can come back."""
        self.log_scale.clamp_(max=LARGEST_LOG_SCALE)

    def vocabulary(self) -> list[str]:
        """The words that were learned, by number."""
        rows = self.spelling.cpu().numpy()
        return [row.tobytes().rstrip(b"\0").decode() for row in rows[: 2 + int((rows[2:] != 0).any(1).sum())]]

    @torch.no_grad()
    def embed_images(self, images: Tensor) -> Tensor:
        """Images, float [B, 3, s, s] in [0, 1], in the common space: unit length, [B, dim]."""
        return functional.normalize(self.image_projection(self.encoder(images)).float(), dim=1)

    @torch.no_grad()
    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Captions in the common space: unit length, [B, dim]."""
        words = torch.from_numpy(tokenise(captions, self.vocabulary())).to(self.spelling.device)
        return functional.normalize(self.text_projection(self.text(words)).float(), dim=1)

    def embed_classes(self, names: Sequence[str], prompts: Sequence[str] = PROMPTS) -> Tensor:
        """Classes by name, each the mean of its prompts (an ensemble, section 3.1.4): [C, dim]."""
        captions = [[prompt.format(name.replace("_", " ")) for prompt in prompts] for name in names]
        means = [self.embed_captions(each).mean(0) for each in captions]
        return functional.normalize(torch.stack(means), dim=1)

    def _learn_vocabulary(self, vocabulary: Sequence[str]) -> None:
        if len(vocabulary) > self.words:
            raise DataError(f"clip: the captions have {len(vocabulary)} words; raise --words from {self.words}")
        for row, word in zip(self.spelling, vocabulary, strict=False):
            letters = word.encode()[:_LONGEST_WORD]
            row.zero_()
            row[: len(letters)] = torch.tensor(list(letters), dtype=torch.uint8)
