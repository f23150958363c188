"""Arrays in HDF5 files that lie in the shards of a data set: its images are referred to, not copied."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.exports.episodes import Episodes, Series

_COPIED_ROWS = 256  # at once


def put_maps(
    group: Any, name: str, episodes: Episodes, series: Series, episode: int, rows: slice, *,
    beside: Path | None, shape: tuple[int, ...] | None = None,
) -> None:  # fmt: skip
    """Put images, or other values for each pixel, of some steps of an episode into a group of an HDF5 file.

    Args:
        group: of h5py.
        name: in the group.
        episodes: of the data set.
        series: which.
        episode: which.
        rows: of the episode: the first and the end.
        beside: the folder that the file is in, as the way to the shards is told from there; None: to copy. What lies
            compressed in its shards is copied always, since readers of others do not know the codec.
        shape: of a value as the file has it, with axes of one added at the end; None: as it is.
    """
    count, shape = rows.stop - rows.start, shape or series.shape
    pieces = list(episodes.in_shards(series.name, episode))
    if beside is None or any(offset is None for *_, offset in pieces):
        whole = episodes.dataset.array(series.field.path)
        first = episodes.rows(episode).start + rows.start
        target = group.create_dataset(name, (count, *shape), series.dtype, chunks=(1, *shape), track_times=False)
        for at in range(0, count, _COPIED_ROWS):
            block = whole[first + at : first + min(at + _COPIED_ROWS, count)]
            target[at : at + len(block)] = block.reshape(-1, *shape)
        return
    _refer(group, name, pieces, series, rows, shape, beside)


def put_values(group: Any, name: str, values: NDArray[Any], about: dict[str, Any]) -> None:
    """Put numbers into a group of an HDF5 file, with what they are as attributes."""
    dataset = group.create_dataset(name, data=values, track_times=False)
    for key, value in about.items():
        dataset.attrs[key] = value


def told(series: Series, place: int) -> dict[str, Any]:
    """What a series is, as attributes: in the first episode of a file, for all of them."""
    if place:
        return {}
    names = {"names": ", ".join(series.names)} if series.names else {}
    return {"unit": series.field.unit, "description": series.field.description, **names}


def flat(values: NDArray[Any]) -> NDArray[Any]:
    """A row of numbers for each step, [T, D]."""
    return values.reshape(len(values), int(np.prod(values.shape[1:], dtype=int)))


def _refer(
    group: Any, name: str, pieces: Any, series: Series, rows: slice, shape: tuple[int, ...], beside: Path
) -> None:
    """Make an array whose rows lie in shards; in h5py's own words for it, it would carry the time of day."""
    from h5py import h5d, h5p, h5s, h5t

    whole, step = h5s.create_simple((rows.stop - rows.start, *shape)), 0
    plan = h5p.create(h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    for path, first, end, _ in pieces:
        low, high = max(step, rows.start), min(step + end - first, rows.stop)
        if low < high:
            begin = first + low - step
            source = h5s.create_simple((end, *series.shape))
            source.select_hyperslab((begin, *(0,) * len(series.shape)), (high - low, *series.shape))
            whole.select_hyperslab((low - rows.start, *(0,) * len(shape)), (high - low, *shape))
            place = os.path.relpath(path.resolve(), beside.resolve())
            plan.set_virtual(whole, place.encode(), series.field.path.encode(), source)
        step += end - first
    whole.select_all()
    h5d.create(group.id, name.encode(), h5t.py_create(series.dtype), whole, plan)
