"""A large batch within the memory of a small one, with the loss and the gradients of the large one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint


def in_parts(modules: Sequence[nn.Module], inputs: Tensor, parts: int) -> Tensor:
    """The inputs [B, ...] through the modules one after the other, encoded in so many parts; [B, D].

    Of each part only the outputs are kept; its activations are made again when its gradient is due (gradient caching,
    Gao et al. 2021). The loss may therefore compare all samples with all. Batch norm sees a part at a time.
    """

    def encode(part: Tensor) -> Tensor:
        for module in modules:
            part = module(part)
        return part

    if parts == 1:
        return encode(inputs)
    norms = [layer for module in modules for layer in module.modules() if isinstance(layer, _NormBase)]
    contexts = lambda: (nullcontext(), _without_statistics(norms))  # noqa: E731
    return torch.cat(
        [checkpoint(encode, part, use_reentrant=False, context_fn=contexts) for part in inputs.chunk(parts)]
    )


@contextmanager
def _without_statistics(norms: Sequence[_NormBase]) -> Iterator[None]:
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
