"""The devices that train together, joined by Lightning's Fabric, and what one process does for all."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.training.settings import Hardware

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
"""Lightning's names."""


def launch(hardware: Hardware, device: str, precision: str) -> "Fabric":
    """The devices, joined; the processes of this node are started. Raises DataError where they are not there.

    Under torchrun, SLURM and other schedulers that Lightning knows, the processes are there already, and find each
    other by what those say of them; alone, this one starts the others of its node by its own command.
    """
    from lightning_fabric import Fabric  # it takes seconds to import, which `--help` should not

    # Importing it has set this to INFO: it would tell the screen of every run which precision it was asked for.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    several = hardware.devices * hardware.nodes > 1
    try:
        fabric = Fabric(
            accelerator=device,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            precision=PRECISIONS[precision],
            # A method may leave out heads in a step (the Curious Robot in turn).
            strategy="ddp_find_unused_parameters_true" if several else "auto",
        )
    except (RuntimeError, ValueError) as error:  # of Lightning: no such accelerator, or fewer than asked for
        raise DataError(f"no {hardware.devices} × '{device}' to train on ({' '.join(str(error).split())})") from None
    fabric.launch()
    return fabric


def present(device: str) -> str:
    """The device that is meant: of `auto`, and of Lightning's `gpu`, the one that is there."""
    if device not in ("auto", "gpu"):
        return device
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu" if device == "auto" else device


def by_main_process(fabric: "Fabric", act: Callable[[], None]) -> None:
    """Act in the main process. What it refuses ends all, and it alone tells of it."""
    refusal = None
    if fabric.is_global_zero:
        try:
            act()
        except DataError as error:
            refusal = str(error)
    refusal = fabric.broadcast(refusal)
    if refusal is not None and not fabric.is_global_zero:
        raise SystemExit(0)
    if refusal is not None:
        raise DataError(refusal)
