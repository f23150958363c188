"""Least, most, mean, spread and quantiles of features, by which LeRobot's policies normalise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)
_MOST_IMAGES = 100  # of an episode, evenly

Statistics = dict[str, NDArray[Any]]


def of_numbers(values: NDArray[Any]) -> Statistics:
    """Of each number, over rows [T, D]: [D] each, and how many rows there are, [1]."""
    numbers = values.astype("f8")
    found = {
        "min": numbers.min(0), "max": numbers.max(0), "mean": numbers.mean(0), "std": numbers.std(0),
        "count": np.array([len(values)]),
    }  # fmt: skip
    return found | {f"q{round(100 * at):02d}": np.quantile(numbers, at, axis=0) for at in QUANTILES}


def of_images(array: Any, rows: slice) -> Statistics:
    """Of each colour, [3, 1, 1], in [0, 1], of images at some rows; of at most so many, and they are counted."""
    count = rows.stop - rows.start
    wanted = rows.start + np.unique(np.linspace(0, count - 1, min(count, _MOST_IMAGES)).round().astype(int))
    found = of_numbers(array[wanted].reshape(-1, 3))
    told = {name: values.reshape(3, 1, 1) / 255 for name, values in found.items() if name != "count"}
    return {**told, "count": np.array([len(wanted)])}


def of_all(parts: Sequence[Statistics]) -> Statistics:
    """Of several episodes together, as LeRobot has them; quantiles are the mean of theirs."""
    count = np.array([each["count"][0] for each in parts])

    def mean(name: str) -> NDArray[Any]:
        return np.average([each[name] for each in parts], axis=0, weights=count)

    middle = mean("mean")
    inside = np.average([each["std"] ** 2 for each in parts], axis=0, weights=count)
    between = np.average([(each["mean"] - middle) ** 2 for each in parts], axis=0, weights=count)
    return {
        "min": np.min([each["min"] for each in parts], axis=0),
        "max": np.max([each["max"] for each in parts], axis=0),
        "mean": middle,
        "std": np.sqrt(inside + between),
        "count": np.array([count.sum()]),
        **{name: mean(name) for name in parts[0] if name.startswith("q")},
    }
