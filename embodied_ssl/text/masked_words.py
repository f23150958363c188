"""Masked words: a text transformer learns to predict the words that were masked in a sentence."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embodied_ssl.text.encoder import TextEncoder

MASK = 1
"""The word that stands for a masked one: that for what is not in the vocabulary."""


def learn_masked_words(
    encoder: TextEncoder,
    sentences: NDArray[np.int64],
    words: int,
    steps: int = 1000,
    rate: float = 1e-3,
    rng: np.random.Generator | None = None,
) -> list[float]:
    """Train a text encoder as BERT is (Devlin et al. 2019, section 3.1); its losses, in nats per masked word.

    The output layer is the embedding itself. sentences: int64 [N, L], 0 where there is no word; words: how many of the
    vocabulary there are; rng: None: seeded with 0.
    """
    rng = rng or np.random.default_rng(0)
    optimizer = torch.optim.AdamW(encoder.parameters(), rate)
    losses = []
    for _ in range(steps):
        truth = torch.from_numpy(sentences[rng.integers(0, len(sentences), 128)])  # [B, L]
        masked, chosen = mask(truth, words, rng)
        logits = encoder.tokens(masked)[chosen] @ encoder.embedding.weight[:words].T  # [N, words]
        loss = functional.cross_entropy(logits, truth[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def mask(sentences: Tensor, words: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """15 % of the words are chosen; of these 80 % are masked, 10 % are others at random, 10 % stay.

    sentences: int64 [B, L]. Returns the masked sentences, int64 [B, L], and which words were chosen, bool [B, L].
    """
    draw = torch.from_numpy(rng.random(sentences.shape))
    chosen = (draw < 0.15) & (sentences > 0)
    random = torch.from_numpy(rng.integers(2, words, sentences.shape))
    masked = torch.where(chosen & (draw < 0.12), torch.full_like(sentences, MASK), sentences)
    return torch.where(chosen & (draw >= 0.12) & (draw < 0.135), random, masked), chosen
