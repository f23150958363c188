"""Rerun: a recording for each episode, with cameras in space, images, the gripper's way and curves of signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.exports.episodes import Series
from embodied_ssl.datasets.exports.target import Part, Target
from embodied_ssl.datasets.exports.virtual import flat

_PATH_M = 0.002  # how thick the way is drawn


@dataclass(frozen=True)
class Rerun(Target):
    """`episode-000000.rrd` and so on, with the timelines `step` and `time`; `rerun OUT/*.rrd` shows them."""

    name: ClassVar[str] = "rerun"
    needs: ClassVar[tuple[str, str] | None] = ("rerun", "rerun")
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "rerun-sdk", "opencv-python", "opencv-python-headless")

    def parts(self) -> Sequence[Part]:
        return [
            Part(f"episode-{number:06d}.rrd", partial(self._write, number), int(length))
            for number, length in enumerate(self.episodes.length)
        ]

    def _write(self, episode: int, path: Path) -> None:
        import rerun

        kind = self.episodes.dataset.kind
        recording = rerun.RecordingStream(
            f"embodied_ssl-{kind}", recording_id=f"{self.folder.name}-{episode:06d}", send_properties=False
        )
        recording.save(path)
        recording.send_recording_name(f"{episode}: {self.episodes.task(episode)}")
        recording.log("/", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        recording.log("about", rerun.AnyValues(**_told(self.episodes.about(episode))), static=True)
        for camera in self.episodes.cameras:
            self._log_lens(recording, camera)
        for series in self.episodes.all_series.values():
            self._log(recording, series, episode)
        recording.flush()
        recording.disconnect()

    def _log_lens(self, recording: Any, camera: str) -> None:
        """The pinhole of a camera, which images hang on to."""
        import rerun

        height, width = self.episodes.cameras[camera].shape[:2]
        if (matrix := self.episodes.intrinsics(camera)) is not None:
            recording.log(
                f"world/{camera}",
                rerun.Pinhole(
                    image_from_camera=matrix, resolution=[width, height], camera_xyz=rerun.ViewCoordinates.RDF
                ),
                static=True,
            )

    def _log(self, recording: Any, series: Series, episode: int) -> None:
        """A series over an episode, at its steps and times."""
        import rerun

        values = self.episodes.read(series.name, episode)
        times = self.episodes.read("time", episode)
        if series.leads_on:
            values, times = values[:-1], times[:-1]
        place, columns = _shown(series, values)
        if columns is None or not len(times):
            return
        index = [
            rerun.TimeColumn("step", sequence=np.arange(len(times))),
            rerun.TimeColumn("time", duration=times),
        ]
        if place.startswith("signals/"):
            recording.log(place, rerun.SeriesLines(names=list(series.names) or _numbered(series)), static=True)
        recording.send_columns(place, indexes=index, columns=columns)
        if series.name == "tip_pose":
            recording.log("world/way", rerun.LineStrips3D([values[:, :3]], radii=_PATH_M), static=True)


def _shown(series: Series, values: NDArray[Any]) -> tuple[str, Any]:
    """Where a series is, and its columns; None for one that Rerun has no picture of."""
    import rerun

    if series.is_image:
        pngs = [bytes(cv2.imencode(".png", np.ascontiguousarray(each[..., ::-1]))[1]) for each in values]
        columns = rerun.EncodedImage.columns(blob=pngs, media_type=["image/png"] * len(pngs))
        return f"world/{series.camera}/image", columns
    if series.what == "depth":
        return f"world/{series.camera}/depth", _pixels(rerun.DepthImage, values, meter=[1.0] * len(values))
    if series.what == "instance":
        return f"world/{series.camera}/instance", _pixels(rerun.SegmentationImage, values)
    if series.is_map:
        return "", None
    if series.shape == (4, 4):
        place = f"world/{series.camera or series.name.removesuffix('_pose')}"
        return place, rerun.Transform3D.columns(translation=values[:, :3, 3], mat3x3=values[:, :3, :3])
    if series.name == "tip_pose":
        return "world/tip", rerun.Transform3D.columns(translation=values[:, :3], quaternion=values[:, 3:])
    numbers = flat(values).astype("f8")
    return f"signals/{series.name}", rerun.Scalars.columns(scalars=numbers)


def _pixels(kind: Any, values: NDArray[Any], **others: Any) -> Any:
    """Columns of images of one number for each pixel."""
    import rerun

    height, width = values.shape[1:3]
    dtype = rerun.ChannelDatatype.from_np_dtype(values.dtype)
    form = rerun.components.ImageFormat(width=width, height=height, channel_datatype=dtype)
    buffers = values.reshape(len(values), -1).view(np.uint8)
    return kind.columns(buffer=buffers, format=[form] * len(values), **others)


def _numbered(series: Series) -> list[str]:
    return [f"{series.name} {number}" for number in range(int(np.prod(series.shape, dtype=int)))]


def _told(about: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in about.items() if value is not None}
