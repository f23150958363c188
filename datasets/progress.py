"""How far a long task has come: a bar on a terminal, and off it a plain line a minute, so that no log file fills up."""

import sys
import time
from typing import Any

from tqdm import tqdm

LINE_EVERY_S = 60.0


def progress_bar(
    total: float,
    unit: str,
    description: str,
    shown: bool = True,
    initial: float = 0,
    scale: bool = False,
    delay: float = 0,
) -> "tqdm[Any]":
    """A bar on standard error; a context manager with `update(count)` and `set_postfix(...)`, as of tqdm.

    Args:
        total: how many there are to do.
        unit: what is counted, such as `frames`.
        description: what is done.
        shown: whether to show anything.
        initial: how many are done already, which do not count in the rate.
        scale: write 12.3k for 12345.
        delay: seconds before anything is shown.
    """
    kind = tqdm if on_screen() else _Lines
    return kind(
        total=total, unit=f" {unit}", desc=description, disable=not shown, initial=initial, unit_scale=scale,
        file=sys.stderr, dynamic_ncols=True, mininterval=0.5, delay=delay,
    )  # fmt: skip


def on_screen() -> bool:
    """Whether somebody sees standard error move: a terminal, or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class _Lines(tqdm):  # type: ignore[type-arg]
    """A bar whose every state is a line of its own: how far, for how long, how much longer, at which rate."""

    def __init__(self, **settings: Any):
        self._last_line = time.monotonic()
        self._said = False
        line = "{desc}: {percentage:.0f}% {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
        super().__init__(**settings, bar_format=line, miniters=1, maxinterval=float("inf"), smoothing=0, leave=False)

    def refresh(self, *args: Any, **kwargs: Any) -> None:
        """Write a line, if the last one is old enough."""
        if not self.disable and time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._write_line()

    def display(self, *args: Any, **kwargs: Any) -> bool:
        """Draw nothing over what is there."""
        return False

    def close(self) -> None:
        """End; with a last line, if there has been one before."""
        if self._said:
            self._write_line()
            self._said = False
        super().close()

    def _write_line(self) -> None:
        self._last_line, self._said = time.monotonic(), True
        print(str(self), file=sys.stderr, flush=True)
