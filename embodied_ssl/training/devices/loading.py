"""Batches for training: a function of (seed, number, rank), read by this process or by workers beside it."""

import signal
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, fields

import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapStyle

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.encoded import begin_worker
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.datasets.read.streams import Batches, Stream


@dataclass(frozen=True)
class MicroBatches(MapStyle[dict[str, Batch]]):
    """The micro-batches of one process by number, each with a batch of every stream by its name."""

    streams: Mapping[str, Stream]
    samples: Mapping[str, int]
    """Of each stream in one of them."""
    seed: int
    rank: int
    world_size: int

    def __getitem__(self, number: int) -> dict[str, Batch]:
        return {
            name: Batches(stream, self.samples[name], self.seed, self.rank, self.world_size)[number]
            for name, stream in self.streams.items()
        }


def load(
    micro_batches: MicroBatches, first: int, end: int, workers: int, device: torch.device
) -> Generator[dict[str, Batch], None, None]:
    """The micro-batches `first` to `end`, one after the other, on the CPU. Raises DataError for what can't be read.

    Closing it ends the workers; who keeps it, in a traceback say, would keep them, and this process could not end.
    """
    loader = DataLoader(
        _Safely(micro_batches),
        batch_size=None,
        sampler=range(first, end),
        num_workers=workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=_begin_reader,
    )
    return _sound(iter(loader))  # `iter` draws from torch's generator: now, and not within the first update


def count_images(batches: Mapping[str, Batch]) -> int:
    """How many images there are in batches."""
    tensors = [getattr(batch, field.name) for batch in batches.values() for field in fields(batch)]
    return sum(tensor.flatten(0, -4).shape[0] for tensor in tensors if tensor.dtype == torch.uint8 and tensor.ndim > 3)


@dataclass(frozen=True)
class _Safely(MapStyle[dict[str, Batch] | DataError]):
    """The batches, or what is wrong with them: raised in a worker process it would come with a traceback."""

    micro_batches: MicroBatches

    def __getitem__(self, number: int) -> dict[str, Batch] | DataError:
        try:
            return self.micro_batches[number]
        except DataError as error:
            return error


def _sound(loaded: Iterator[dict[str, Batch] | DataError]) -> Generator[dict[str, Batch], None, None]:
    for batches in loaded:
        if isinstance(batches, DataError):
            raise batches
        yield batches


def _begin_reader(worker: int) -> None:
    """Signals are left to the trainer, which ends its readers itself, once it has made the update that it is in."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    begin_worker(worker)
