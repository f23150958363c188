"""Which rows make which batch: pure functions of (seed, step, rank), with no state to save or to share."""

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6


def rows(seed: int, step: int, rank: int, world_size: int, batch_size: int, length: int) -> NDArray[np.int64]:
    """The rows of a batch: int64 [batch_size], each in [0, length).

    All ranks together walk through one endless sequence of epochs; each epoch is a permutation of all rows of its
    own, so no row comes twice before every row has come once. Memory does not grow with `length`.

    Raises ValueError where a size is not positive or `rank` is not below `world_size`.
    """
    if min(batch_size, length, world_size) < 1 or not 0 <= rank < world_size or min(seed, step) < 0:
        raise ValueError(
            f"no batch: seed {seed}, step {step}, rank {rank} of {world_size}, batch of {batch_size} from {length} rows"
        )
    first = (step * world_size + rank) * batch_size
    positions = np.arange(first, first + batch_size, dtype=np.int64)
    epochs, places = np.divmod(positions, length)
    chosen = np.empty(batch_size, np.int64)
    for epoch in np.unique(epochs):
        now = epochs == epoch
        chosen[now] = permuted(places[now], length, (seed, int(epoch)))
    return chosen


def generator(seed: int, step: int, rank: int) -> np.random.Generator:
    """The randomness of a batch that is not in its rows, such as the gaps of pairs."""
    return np.random.default_rng([seed, step, rank])


def permuted(places: NDArray[np.int64], length: int, key: tuple[int, ...]) -> NDArray[np.int64]:
    """Where a random permutation of [0, length) takes `places`, without making the whole permutation.

    A Feistel network permutes the next power of four; what lands outside is sent through again until it is inside
    (Black & Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002).
    """
    half = max(1, (max(length - 1, 1).bit_length() + 1) // 2)
    keys = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64).astype(np.uint64)
    result = places.astype(np.uint64)
    outside = np.arange(len(result))
    while len(outside):
        result[outside] = _feistel(result[outside], np.uint64(half), keys)
        outside = outside[result[outside] >= length]
    return result.astype(np.int64)


def _feistel(values: NDArray[np.uint64], half: np.uint64, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << half) | right


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: every bit in depends on every bit out."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
