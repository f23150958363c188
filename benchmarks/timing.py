"""What benchmarks share: their options, and the timing of alternatives in turn (medians, ratios)."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path


def options(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the benchmark's docstring: what it measures, and how long it takes."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def existing(path: str) -> Path:
    """The type of an option that names a file or folder: refused before work where it is not there."""
    if not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{path} does not exist")
    return Path(path)


def installed(*peers: str) -> list[str]:
    """Those of the packages that are there; the others are said, before any work."""
    found = [peer for peer in peers if find_spec(peer) is not None]
    if missing := [peer.replace("_", "-") for peer in peers if peer not in found]:
        print(f"left out, since not installed: {', '.join(missing)} (pip install {' '.join(missing)})", flush=True)
    return found


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
