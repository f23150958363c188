"""What can be said of a run besides its method, its data and its recipe: how it is watched, and where it runs."""

from dataclasses import dataclass
from typing import Literal

from embodied_ssl.data import Source
from embodied_ssl.limits import Count, Seed, Whole, hold_fields
from embodied_ssl.parts.precision import Precision

Logger = Literal["csv", "tensorboard", "wandb", "mlflow"]


@dataclass(frozen=True)
class TrainingSettings:
    """How batches are drawn, and how training is watched and saved."""

    seed: Seed = 0
    """Of batches and of all randomness while training."""
    accumulate: Count = 1
    """Micro-batches that a batch is split into, one after the other, to save memory. Where the loss compares the
    samples of a batch (SimCLR), it is that of the whole batch all the same; batch norm sees a micro-batch at a time."""
    decode_size: Count | None = None
    """Of the squares that are made of files of images, px; None: those that are squares of one size of up to 256 px
    stay as they are, others become squares of 1.5 times `image_size`."""
    skip_damaged: bool = False
    """Whether to leave out files of images that are damaged, instead of stopping. One whose damage is seen only when it
    is decoded is replaced by the next of its class."""
    probe_on: Source | None = None
    """A labelled set; while training, a linear probe and k-NN on up to 1,500 images of it are logged beside the
    loss."""
    monitor_every: Count = 200
    """Updates between looks at the features."""
    checkpoint_every: Count = 200
    """Updates between states to go on from."""
    logger: tuple[Logger, ...] = ("tensorboard", "csv")
    """Where metrics go: `csv` (RUN/metrics.csv, of which reports draw curves), `tensorboard` (RUN/tensorboard), and
    where their packages are installed `wandb` and `mlflow`."""
    progress: bool = True
    """Whether to show a progress bar."""

    def __post_init__(self) -> None:
        hold_fields(self)


@dataclass(frozen=True)
class Hardware:
    """Where training runs, and with how many bits."""

    device: str = "auto"
    """`cpu`, `cuda`, `mps`, or `auto`: the best there is."""
    devices: Count = 1
    """How many of them, on each node; they share every batch. Losses and gradients are those of one device with the
    whole batch, also where a loss compares samples, but in three respects: each process draws views of its own; in sums
    of 32-bit numbers the order differs; and batch norm, which on GPUs takes its statistics over all processes, on CPUs
    takes them over the share of each."""
    nodes: Count = 1
    """How many machines, which share the file system of data and `out`; start the same command on each, by torchrun or
    a scheduler."""
    precision: Precision = "32"
    """`32`, or the forward pass in `bf16` or, on a GPU, `16`, with weights kept in 32 bits; `auto`: the fewest bits
    that the device has units for. Views, and what a loss compares, have 32 in any case."""
    compile: bool = False
    """Compile encoders, what follows them, and heads (torch.compile), as they are called first."""
    workers: Whole = 0
    """Processes that read batches; 0: this one, which is fastest for mapped data. Files of images are decoded by
    them."""

    def __post_init__(self) -> None:
        hold_fields(self)
