"""How a method is trained: its optimiser and schedule, and presets that name the sizes of its paper."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.limits import Count, NonNegative, Positive, Share, ShareButAll, SomeShare, hold_fields

IMAGENET, CIFAR = 1_281_167, 50_000
"""Images that the papers train on."""


@dataclass(frozen=True)
class Recipe:
    """Optimiser and schedule of a method, as its paper has them or scaled to small encoders. Data, not a hook."""

    optimizer: Literal["sgd", "adamw", "lars"] = "adamw"
    learning_rate: Positive = 1e-3
    """At its peak, for the batch size given here, or for `reference_batch`."""
    reference_batch: Count | None = None
    """Samples of a batch that the learning rate is stated for; with `batch_size` it grows in proportion (Goyal et al.
    2017). Papers say 256. None: it is that of `batch_size`."""
    weight_decay: NonNegative = 1e-4
    """Not applied to biases and to the scales of normalisations."""
    final_weight_decay: NonNegative | None = None
    """What it comes to at the end, by half a cosine over all steps (Caron et al. 2021); None: it stays."""
    momentum: ShareButAll = 0.9
    """Of sgd and lars; the first beta of adamw."""
    nesterov: bool = False
    """Whether the momentum of sgd and lars looks ahead (Nesterov)."""
    second_beta: ShareButAll = 0.999
    """Of adamw."""
    batch_size: Count = 128
    """Samples of each stream in an update, over all devices."""
    steps: Count = 2000
    """Updates."""
    epochs: Positive | None = None
    """Passes over the data (of several streams, over the longest), which count instead of `steps`."""
    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises linearly."""
    initial_share: Share = 0.0
    """Share of its peak that the learning rate begins the warm-up with."""
    schedule: Literal["cosine", "constant", "step"] = "cosine"
    """After the warm-up."""
    final_share: Share = 0.0
    """Share of its peak that the learning rate comes down to by the cosine."""
    milestones: tuple[Share, ...] = ()
    """Shares of the steps after which the schedule `step` multiplies the learning rate by `gamma`."""
    gamma: SomeShare = 0.1
    """Of the schedule `step`."""
    layer_decay: SomeShare = 1.0
    """Factor of the learning rate from each layer of a backbone of timm to the one below it, to fine-tune the upper
    ones most (Bao et al. 2022); 1: none."""
    stochastic_depth: ShareButAll = 0.0
    """How often a sample skips the last block of a transformer; of earlier blocks in proportion (Huang et al. 2016)."""
    clip: Positive | None = None
    """Largest norm of the gradient; None: as it is."""
    clip_each: Positive | None = None
    """Largest norm of the gradient of each parameter (Caron et al. 2021); None: as it is."""
    ema: Share | None = None
    """Decay of a moving average of the weights, of heads as well, which is then the result of the run; None: none."""

    def __post_init__(self) -> None:
        hold_fields(self)
        if self.nesterov and self.momentum == 0:
            raise DataError("nesterov: looks ahead along the momentum, which is 0; give a momentum, or leave it out")


@dataclass(frozen=True)
class Preset:
    """A size at which a method is trained: what its paper has, or what is usual for a small set of images."""

    encoder: str
    """As `make_encoder` takes it."""
    image_size: Count
    """Side of the images that the encoder sees, px."""
    recipe: Recipe
    """Its `steps` are the paper's epochs over the paper's images (`updates`)."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the method, where they are not its defaults; those of a dataclass by the names of its fields."""
    source: str = ""
    """Where its numbers are from."""
    differs: str = ""
    """What is known to differ from the source."""

    def __post_init__(self) -> None:
        hold_fields(self)


def updates(epochs: int, batch_size: int, images: int = IMAGENET) -> int:
    """The updates of so many passes over images, whose last, smaller batch is left out, as the papers' code does."""
    return epochs * (images // batch_size)
