"""WebDataset: tar files with a sample for each step."""

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.exports.description import DESCRIPTION, describe, plain
from embodied_ssl.datasets.exports.episodes import Series
from embodied_ssl.datasets.exports.target import Part, Target, grouped

_SHARD_BYTES = 5e8  # of the data set, for each tar file


@dataclass(frozen=True)
class WebDataset(Target):
    """`shard-000000.tar` and so on, of whole episodes in order; a sample `000003-000017` is step 17 of episode 3.

    Images and masks are PNG (`wrist_image.png`), other values for each pixel NumPy arrays (`wrist_depth.npy`), all else
    is in one JSON file (`json`), with null for what the last step has not.
    """

    name: ClassVar[str] = "webdataset"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "opencv-python", "opencv-python-headless")

    def parts(self) -> Sequence[Part]:
        step = sum(int(np.prod(each.shape)) * each.dtype.itemsize for each in self.episodes.all_series.values())
        lengths = self.episodes.length
        shards = [
            Part(f"shard-{number:06d}.tar", partial(self._write, group), int(lengths[group.start : group.stop].sum()))
            for number, group in enumerate(grouped((lengths * step).tolist(), _SHARD_BYTES))
        ]
        return [*shards, Part(DESCRIPTION, partial(describe, self.episodes))]

    def _write(self, group: range, path: Path) -> None:
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for episode in group:
                for name, content in self._files(episode):
                    info = tarfile.TarInfo(name)  # its time is 0: the same bytes every time
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))

    def _files(self, episode: int) -> Iterator[tuple[str, bytes]]:
        """The files of all samples of an episode, those of a sample one after the other."""
        episodes = self.episodes
        series = episodes.all_series.values()
        values = {each.name: episodes.read(each.name, episode) for each in series}
        common = {"episode": episode, "task": episodes.task(episode), **episodes.about(episode)}
        rewards = {} if "reward" in values else {"reward": episodes.reward(episode)}
        last = int(episodes.length[episode]) - 1
        for step in range(last + 1):
            key = f"{episode:06d}-{step:06d}"
            told = {**common, "step": step, **{name: each[step].tolist() for name, each in rewards.items()}}
            for each in series:
                if each.is_map:
                    yield f"{key}.{each.name}.{_ending(each)}", _encoded(each, values[each.name][step])
                else:
                    has = step < last or not each.leads_on
                    told[each.name] = values[each.name][step].tolist() if has else None
            yield f"{key}.json", json.dumps(plain(told)).encode()


def _ending(series: Series) -> str:
    return "png" if series.dtype == np.uint8 else "npy"


def _encoded(series: Series, value: NDArray[Any]) -> bytes:
    if series.dtype == np.uint8:
        pixels = value[..., ::-1] if series.is_image else value  # OpenCV has blue first
        return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels))[1])
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()
