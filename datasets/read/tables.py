"""Tables of a data set as columns of one dimension, by name: what `pandas.DataFrame` takes as it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AXES: dict[int, Sequence[str]] = {2: "uv", 3: "xyz", 4: "xyzw", 7: ("x", "y", "z", "qx", "qy", "qz", "qw")}
"""Names of the last axis by its length: pixels, points, quaternions, poses; others are counted."""
_CHANNELS = {"colour": "rgb"}


class Table(dict[str, NDArray[Any]]):
    """Columns by name, each [N]; of `position`, [N, 3], they are `position_x`, `position_y`, `position_z`.

    `table["position"]` gives all three as one array.
    """

    def __init__(self, values: Mapping[str, NDArray[Any]]):
        super().__init__()
        self._whole = dict(values)
        for name, array in values.items():
            if array.ndim == 1:
                self[name] = array
            else:
                self.update(_columns(name, array))

    def __missing__(self, name: str) -> NDArray[Any]:
        if name not in self._whole:
            raise KeyError(f"{name}; there are {', '.join(self._whole)}")
        return self._whole[name]

    def at(self, rows: Any) -> "Table":
        """Some rows of every column."""
        return Table({name: array[rows] for name, array in self._whole.items()})


def text(values: NDArray[Any]) -> NDArray[Any]:
    """Stored strings, which are bytes, as str; other values as they are."""
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _columns(name: str, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The columns of an array [N, ...], named by the places of each: `pose_0_3`."""
    axes: list[Sequence[int | str]] = [range(size) for size in array.shape[1:]]
    if array.ndim == 2:
        axes = [_CHANNELS[name] if name in _CHANNELS else _AXES.get(array.shape[1], axes[0])]
    found = {}
    for index in np.ndindex(*array.shape[1:]):
        suffix = "_".join(str(axis[i]) for axis, i in zip(axes, index, strict=True))
        found[f"{name}_{suffix}"] = array[(slice(None), *index)]
    return found
