"""What the processes of one run share; with one process, everything here is the identity."""

from typing import Any

import torch
import torch.distributed as group
from torch import Tensor, nn


def world_size() -> int:
    """How many processes train together."""
    return group.get_world_size() if group.is_available() and group.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return group.get_rank() if world_size() > 1 else 0


def gather(tensor: Tensor) -> Tensor:
    """The rows of all processes, [world · B, ...], in the order of their ranks; gradients find their way back.

    Each process must bring a tensor of the same shape. The gradient that a row gets is the sum over the processes, so
    that with losses that are means over each process's own share, and gradients of weights that are averaged over the
    processes as DDP does it, all is as if one process had the whole batch.
    """
    return _Gather.apply(tensor) if world_size() > 1 else tensor


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of a tensor over the processes, without a gradient."""
    mean = tensor.detach().clone()
    if world_size() > 1:
        group.all_reduce(mean)
        mean /= world_size()
    return mean


class Agreement:
    """Lets all processes do the same after each update, though only some were asked to."""

    def __init__(self, device: torch.device):
        self._device = device
        self._asked: Tensor | None = None
        self._pending: Any = None

    def __call__(self, number: int) -> int:
        """The largest number that any process has given: with several, at the call before, so that none has to wait."""
        if world_size() == 1:
            return number
        found = 0
        if self._asked is not None:
            self._pending.wait()
            found = int(self._asked)
        self._asked = torch.tensor(number, device=self._device)
        self._pending = group.all_reduce(self._asked, group.ReduceOp.MAX, async_op=True)
        return found


def synchronize_batch_norm(module: nn.Module) -> None:
    """Let the batch norms in a module take their statistics over all processes. Of GPUs: torch has none for CPUs."""
    from timm.layers import convert_sync_batchnorm  # knows its own layers as well, which end in an activation

    convert_sync_batchnorm(module)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world_size())]
        group.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        group.all_reduce(total)
        return total.chunk(world_size())[rank()]
