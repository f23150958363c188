"""Gradient caching: a large batch within the memory of a small one, with the loss and gradients of the large one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

Layer = nn.Module | Callable[[Tensor], Tensor]


def in_chunks(layers: Sequence[Layer], inputs: Tensor, chunks: int) -> Tensor:
    """The inputs [B, ...] through the layers one after the other, encoded in so many chunks; [B, ...].

    Of each chunk only the outputs are kept; its activations are made again when its gradient is due (gradient caching,
    Gao et al. 2021). The loss may therefore compare all samples with all. Batch norm sees a chunk at a time: see
    `split_batch`. layers: modules, or methods of modules such as `encoder.last_maps`.
    """

    def encode(chunk: Tensor) -> Tensor:
        for layer in layers:
            chunk = layer(chunk)
        return chunk

    pieces = split_batch(inputs, chunks)
    if len(pieces) == 1 or not torch.is_grad_enabled():
        return torch.cat([encode(piece) for piece in pieces])
    modules = [layer if isinstance(layer, nn.Module) else getattr(layer, "__self__", None) for layer in layers]
    norms = [norm for each in modules if isinstance(each, nn.Module) for norm in norms_of(each)]
    contexts = lambda: (nullcontext(), without_statistics(norms))  # noqa: E731
    return torch.cat([checkpoint(encode, piece, use_reentrant=False, context_fn=contexts) for piece in pieces])


def split_batch(batch: Tensor, chunks: int) -> tuple[Tensor, ...]:
    """A batch in `chunks`, of sizes that differ by at most one; fewer where one would have a single sample.

    Batch norm of a single sample would remove all that distinguishes it.
    """
    return batch.tensor_split(max(1, min(chunks, len(batch) // 2)))


def norms_of(module: nn.Module) -> list[_NormBase]:
    """The layers of a module that take statistics of a batch."""
    return [layer for layer in module.modules() if isinstance(layer, _NormBase)]


@contextmanager
def without_statistics(norms: Sequence[_NormBase]) -> Iterator[None]:
    """Batch norm that does not take the statistics of its batch into the running ones a second time."""
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    counts = [count.clone() if count is not None else None for _, count in before]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, tracked), count in zip(norms, before, counts, strict=True):
            norm.momentum = momentum
            if tracked is not None and count is not None:
                tracked.copy_(count)
