"""Jigsaw: predict by which permutation the nine tiles of an image were shuffled."""

import itertools
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import DEVIATION, MEAN, Encoder
from embodied_ssl.limits import Count, NonNegative, Several, Share, SomeShare
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.augmentation import color_jitter, grayscale_
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.heads import Tower, mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.panels import ROWS
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.tiles import TILES, cut_tiles, lay, mosaic
from embodied_ssl.recipe import Preset, Recipe


class Jigsaw(Method):
    """Unsupervised learning of visual representations by solving jigsaw puzzles. Noroozi & Favaro, ECCV 2016.

    Idea: An image is cut into nine tiles, which are shuffled by one of a fixed set of permutations, and a network
    decides by which. Each tile goes through the same encoder on its own, and only the last layers see all of them; so
    the encoder has to find in a tile which part of which object it is.

    Loss: `−log softmax(h(z_1, …, z_9))[permutation]`, cross-entropy.

    Differs: The paper cuts a crop of 225 px into cells of 75 and takes a tile of 64 out of each. Here they are shares
    of the image, and a tile is resized to `tile` px; 64 permutations for its 1,000.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "alexnet",
            225,
            Recipe(
                "sgd", learning_rate=0.01, weight_decay=5e-4, batch_size=256, steps=350_000, warmup=0.0,
                schedule="step", milestones=(100 / 350, 200 / 350, 300 / 350),
            ),
            {"permutations": 1000, "tile": 64},
            "Noroozi & Favaro 2016, section 4; solver_cfn_jps.prototxt of MehdiNoroozi/JigsawPuzzleSolver",
            "Batch norm in the towers; the head is smaller.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        permutations: Several = 64,
        tile: Count = 24,
        tile_share: SomeShare = 64 / 75,
        least_crop: SomeShare = 0.75,
        jitter: NonNegative = 0.4,
        grey: Share = 0.3,
        normalise: bool = True,
    ):
        """A context-free network: nine tied towers, whose outputs are concatenated before the classifier.

        Args:
            encoder: what is learned.
            permutations: how many; one of them is the class.
            tile: side of a tile as the encoder sees it, px.
            tile_share: side of a tile as a share of its cell, at a random place in it: what is cut away leaves a gap,
                so that no line continues from tile to tile.
            least_crop: smallest share of the square image that a puzzle covers.
            jitter: of the colours of each puzzle; besides, each colour of a tile is displaced by up to a pixel.
            grey: share of the puzzles that are grey.
            normalise: whether each tile is standardised, so that its mean and deviation do not give its place away.
        """
        super().__init__(encoder)
        check_size("jigsaw", encoder, encoder.last_maps, tile, f"choose a larger --tile, as {encoder.image_size}")
        self.code = Tower(encoder.width, 64)
        self.head = mlp((TILES * 64, 256, permutations))
        self.register_buffer("orders", torch.from_numpy(distant_permutations(permutations)))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        tiles = self.cut(frames.images, step.rng)  # [B, 9, 3, tile, tile]
        order = torch.randint(self.permutations, (len(tiles),), generator=step.rng, device=step.rng.device)  # [B]
        shuffled = lay(self.seen(tiles, step.rng), self.orders[order])  # [B, 9, 3, tile, tile]
        logits = self._classify(shuffled)  # [B, permutations]
        accuracy = (logits.argmax(1) == order).float().mean()
        return {"loss": cross_entropy(logits, order), "accuracy": accuracy}

    def cut(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """The tiles of a random square of each image, row by row, [B, 9, 3, tile, tile]."""
        return cut_tiles(images, rng, self.tile, self.tile_share, self.least_crop)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each puzzle, the network's solution, and the image."""
        tiles = self.cut(frames.images, step.rng)
        order = torch.arange(len(tiles), device=tiles.device) * 7 % self.permutations
        laid = lay(tiles, self.orders[order])
        answer = self._classify(lay(self.seen(tiles, step.rng), self.orders[order])).argmax(1)
        solved = lay(laid, self.orders[answer].argsort(1))
        return [
            [
                Panel(mosaic(puzzle), "the puzzle"),
                Panel(mosaic(solution), "as it was solved", bool(predicted == true)),
                Panel(mosaic(whole), "as it was"),
            ]
            for puzzle, solution, whole, predicted, true in zip(laid, solved, tiles, answer, order, strict=True)
        ][:ROWS]

    def seen(self, tiles: Tensor, rng: torch.Generator) -> Tensor:
        """Tiles [B, 9, 3, t, t] as the encoder sees them: colours jittered by puzzle, statistics the same for all."""
        whole = tiles.transpose(1, 2).flatten(2, 3)  # [B, 3, 9 · t, t]
        if self.training and self.jitter:
            whole = color_jitter(whole, rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
        whole = grayscale_(whole, rng, self.grey) if self.training else whole
        each = whole.unflatten(2, (TILES, -1)).transpose(1, 2)
        return standardised(each) if self.normalise else each

    def _classify(self, tiles: Tensor) -> Tensor:
        codes = self.code(self.encoder.last_maps(tiles.flatten(0, 1))).relu()  # [9 B, 64]
        return self.head(codes.unflatten(0, (-1, TILES)).flatten(1))


@in_float32
def standardised(tiles: Tensor) -> Tensor:
    """Tiles [..., 3, t, t], each colour with the mean and deviation that encoders expect of it."""
    centred = tiles - tiles.mean((-2, -1), keepdim=True)
    deviation = centred.square().mean((-2, -1), keepdim=True).sqrt()
    return centred * (DEVIATION / (deviation + 1e-2)) + MEAN


@cache
def distant_permutations(count: int, tiles: int = TILES) -> NDArray[np.int64]:
    """Permutations of the tiles, chosen one by one for the largest sum of Hamming distances to those before, [N, 9].

    Algorithm 1 of the paper, from the first permutation drawn at random (seed 0) on; ties are broken by lot.
    Raises ValueError where there are not as many.
    """
    every = np.array(list(itertools.permutations(range(tiles))), np.int8)
    if not 0 < count <= len(every):
        raise ValueError(f"jigsaw: {count} permutations of {tiles} tiles; there are {len(every):,}")
    rng = np.random.default_rng(0)
    every = every[rng.permutation(len(every))]
    distance = np.zeros(len(every), np.int64)
    chosen = [0]
    while len(chosen) < count:
        distance += (every != every[chosen[-1]]).sum(1)
        distance[chosen[-1]] = np.iinfo(np.int64).min // 2  # it is taken
        chosen.append(int(distance.argmax()))
    return every[chosen].astype(np.int64)
