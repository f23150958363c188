"""word2vec: the vector of a word predicts the words near it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Words = NDArray[np.int64]


def word2vec(
    sentences: Words,
    words: int,
    dim: int = 128,
    window: int = 4,
    negatives: int = 10,
    frequent: float = 1e-2,
    steps: int = 1000,
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Skip-gram with negative sampling (Mikolov et al. 2013), float32 [words, dim].

    Args:
        sentences: int64 [N, L], rows of the vocabulary, 0 where there is no word.
        words: size of the vocabulary.
        dim: of the vectors.
        window: how far apart two words may be to count as near.
        negatives: k, words drawn in proportion to their counts to the power of 3/4.
        frequent: t; a word of share f is kept with probability √(t / f). The paper's 1e-5 is for millions of words.
        steps: updates of 1,024 pairs each, by Adam.
        rng: of everything that is drawn; None: seeded with 0.
    """
    rng = rng or np.random.default_rng(0)
    counts = np.bincount(sentences[sentences > 0], minlength=words).astype("f8")
    share = counts / counts.sum()
    kept = np.minimum(1, np.sqrt(frequent / np.maximum(share, 1e-12)))
    noise = counts**0.75 / (counts**0.75).sum()
    first = torch.from_numpy(rng.uniform(-0.5, 0.5, (words, dim)).astype("f4") / dim).requires_grad_()
    second = torch.zeros(words, dim, requires_grad=True)
    optimizer = torch.optim.Adam([first, second], 1e-2)
    for _ in range(steps):
        centre, near = (torch.from_numpy(each) for each in _pairs(sentences, kept, window, rng))
        others = torch.from_numpy(rng.choice(words, (len(centre), negatives), p=noise))
        vector = first[centre]  # [B, dim]
        positive = functional.logsigmoid((vector * second[near]).sum(1))  # [B]
        negative = functional.logsigmoid(-torch.einsum("bd,bkd->bk", vector, second[others])).sum(1)  # [B]
        optimizer.zero_grad()
        (-(positive + negative).mean()).backward()
        optimizer.step()
    return first.detach()


def _pairs(
    sentences: Words, kept: NDArray[np.float64], window: int, rng: np.random.Generator, count: int = 1024
) -> tuple[Words, Words]:
    """Up to `count` words and a near one of each, of random sentences without some of their frequent words."""
    lines = sentences[rng.integers(0, len(sentences), count)]
    lines = np.where(rng.random(lines.shape) < kept[lines], lines, 0)
    order = np.argsort(lines == 0, axis=1, kind="stable")  # what is left out leaves no gap
    lines = np.take_along_axis(lines, order, 1)
    length = (lines > 0).sum(1)
    lines, length = lines[length > 1], length[length > 1]
    place = rng.integers(0, length)
    away = rng.integers(1, window, len(lines), endpoint=True) * rng.choice([-1, 1], len(lines))
    other = place + away
    inside = (other >= 0) & (other < length)
    rows = np.flatnonzero(inside)
    return lines[rows, place[rows]], lines[rows, other[rows]]
