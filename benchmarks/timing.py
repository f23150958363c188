"""Timing of alternatives in one run: interleaved rounds, medians, ratios."""

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(
    sides: Mapping[str, Callable[[], int]], rounds: int = 5, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median rate (1/s) of each side. A side does some work and returns how many units it did; one round warms up.

    clock: `time.process_time` leaves out what other processes and the disk take, but also our own workers.
    """
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            started = clock()
            count = work()
            if number:
                rates[name].append(count / (clock() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


def table(title: str, rows: Mapping[str, float], unit: str, reference: str | None = None) -> None:
    """Print rates, and their ratios to one of them."""
    print(f"\n{title}")
    for name, rate in rows.items():
        ratio = f"{rate / rows[reference]:8.2f} ×" if reference else ""
        print(f"  {name:<44}{rate:12,.1f} {unit} {ratio}")
