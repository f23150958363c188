"""What the declaration of a kind of data says; nothing else in the package knows a kind by its name.

A kind has one file, which ends in `KIND = Kind(...)`: in this folder, or anywhere outside of the package (`--plugin`).
What is heavy is named as `module:Name`, or imported inside of functions: reading a data set needs neither the
simulator nor what draws pages.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.schema import INTERACTIONS, TABLE_CAMERA, TABLES, TRAJECTORY, Field, camera_fields

if TYPE_CHECKING:
    from markupsafe import Markup

    from embodied_ssl.datasets.gallery.interactions import Interactions
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.read.tables import Table

Rows = NDArray[np.int64]
Poses = NDArray[np.floating]
Motion = Callable[[Poses, Poses], NDArray[np.float32]]
"""From the states of two frames (poses [..., 4, 4] or, of several `states`, [..., K, 4, 4]) to a motion [..., A]."""
Figures = list[tuple[str, "Markup", str]]
"""Charts of a page: title, drawing, what it shows in words."""


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of data: what is logged, by which environment, and how it is read, told and shown."""

    name: str
    """What it is called, on the command line and in `dataset.json`."""
    rows: Literal["frames", "interactions"]
    """The table of what happens: frames of a video, or single interactions."""
    fields: tuple[Field, ...]
    """The fields of `rows`, the optional ones included, and what `camera` has besides `intrinsics`."""
    page: "VideoPage | InteractionPage"
    """What its pages say and show."""
    facts: "Callable[[Dataset, Rows, NDArray[np.uint8]], list[Facts]]"
    """What is known of some rows and of the images that captions go with, uint8 [B, H, W, 3]."""
    env_id: str = ""
    """Its environment's name in Gymnasium's registry; none of what others recorded, which is imported."""
    env: str = ""
    """Its environment's class, as `module:Class`; the signature of its constructor is the list of its settings."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """What acts in it, as `module:Class` by name; the first one is the default."""
    words: tuple[str, ...] = ()
    """Words of its captions that are no names of objects, materials or scenes, and not among those of our kinds."""
    labels: tuple[str, ...] = ("category", "material")
    """What its images can be labelled by, the default first: a column of `objects`, or `scene`."""
    motor_signals: tuple[str, ...] = ()
    """Of a video: the names of the A motor signals with their units; none where each data set names its own."""
    states: tuple[str, ...] = ("frames/pose",)
    """Of a video: the poses that say how body and object stand to each other, or others, of which motions are made."""
    visits: str = ""
    """Of a video whose episodes go on elsewhere: the field that changes where they do; no motion leads there."""
    motion: Motion | None = None
    """Of a video: the motion between any two frames of an episode."""
    measured: Motion | None = None
    """Of a video: what perfect sensors would measure of one step, where that is not `motion`."""
    walks: bool = False
    """Whether its environment has `stand` (puts the body somewhere on the floor), `walk` (sends it) and `see`."""
    one_object: bool = False
    """Whether an episode of a video shows one object in its middle, so that its frames are views of it."""
    closed_loop: bool = False
    """Of interactions: whether each is a whole episode of its environment, of many steps, and is a trajectory."""
    collected: Mapping[str, Any] = field(default_factory=dict)
    """Settings that collecting has other defaults for than its environment."""
    batch: str | None = None
    """Of interactions: the class of batches, as `module:Class`, whose fields are read by their names."""

    @property
    def is_video(self) -> bool:
        """Whether its rows are the frames of videos."""
        return self.rows == "frames"

    @property
    def is_collected(self) -> bool:
        """Whether an environment makes it; else it is imported."""
        return bool(self.env)

    @property
    def streams(self) -> tuple[str, ...]:
        """What a data set of it can be cut into: methods of `Dataset`."""
        if self.is_video:
            return ("images", "captions", "pairs", "clips", "tracks", *(("object_pairs",) if self.one_object else ()))
        return ("images", "captions", "object_pairs", *(("trials",) if self.batch else ()))

    @property
    def rows_setting(self) -> str:
        """The setting of its environment that says how many rows an episode has; none where it is always one."""
        return "" if self.closed_loop else "length" if self.is_video else "interactions"

    def rows_of_episode(self, settings: Mapping[str, Any]) -> int:
        """Rows of an episode at most, of the settings of its environment."""
        return 1 if self.closed_loop else int(settings[self.rows_setting])

    @property
    def image_paths(self) -> tuple[str, ...]:
        """The fields that are images in colour."""
        return tuple(each.path for each in self.fields if each.image and each.unit == "sRGB")

    @property
    def mask_path(self) -> str:
        """The field that holds instance masks, where they are asked for."""
        return next((each.path for each in self.fields if each.option == "instance"), "")

    @property
    def all_fields(self) -> dict[str, Field]:
        """Every field that a shard can have, by path, the optional ones included."""
        rows = [each for each in self.fields if each.table == self.rows]
        others = [each for each in self.fields if each.table != self.rows]
        return {each.path: each for each in (*rows, *TABLES, *others)}

    def fields_for(self, options: Collection[str], cameras: Sequence[str] = ()) -> dict[str, Field]:
        """The fields of a shard when these `options` (`depth`, `instance`, `flow`, `trajectory`) are on, by path.

        cameras: that a trajectory has images of.
        """
        every = self.all_fields | {each.path: each for name in cameras for each in camera_fields(name)}
        return {path: each for path, each in every.items() if each.is_on(options)}

    def between(self, first: Poses, second: Poses) -> NDArray[np.float32]:
        """The motion from `first` to `second`, as `Dataset.states` gives them, float32 [..., A]; else ValueError."""
        if self.motion is None:
            raise ValueError(f"{self.name}: its frames are not told apart by a motion")
        return self.motion(np.asarray(first, "f8"), np.asarray(second, "f8"))

    def sensed(self, first: Poses, second: Poses) -> NDArray[np.float32]:
        """What perfect motor sensors would have measured of one step from `first` to `second`, float32 [..., A]."""
        if self.measured is None:
            return self.between(first, second)
        return self.measured(np.asarray(first, "f8"), np.asarray(second, "f8"))


@dataclass(frozen=True)
class VideoPage:
    """What the page of a video shows besides its frames."""

    about: str
    """A sentence on what the body does."""
    map_caption: str
    """What the map of an episode shows."""
    places: "Callable[[Dataset, Rows], NDArray[np.float64]]"
    """Where the body is on the map, [T, 3] (x, y, degrees), at all rows of an episode."""
    map: "Callable[[Dataset, Rows, Table], str]"
    """The map of an episode as SVG, of all its rows and of the objects there."""
    note: "Callable[[Table], str]"
    """A word on the objects of an episode."""
    figures: "Callable[[Dataset, Rows, Rows, list[str]], Figures]"
    """The charts, of the rows and the episodes that they count, and of what each episode shows."""


def _by_success(interactions: "Interactions", i: int) -> str:
    return "success" if interactions.values["success"][i] else "failure"


def _ring(interactions: "Interactions", i: int) -> tuple[Any, Any, str]:
    from embodied_ssl.datasets.gallery.interactions import ring

    return ring(interactions, i), "", interactions.outcome(i)


def _rate(interactions: "Interactions") -> list[tuple[str, str]]:
    from embodied_ssl.datasets.gallery.results import success_rate

    return success_rate(interactions)


def _rates(interactions: "Interactions") -> Figures:
    from embodied_ssl.datasets.gallery.results import success_figures

    return success_figures(interactions)


@dataclass(frozen=True)
class InteractionPage:
    """What the page of interactions shows besides their images before and after."""

    about: str
    """A sentence on what is done."""
    caption: str = ""
    """What is drawn on the images, as HTML."""
    outcomes: tuple[str, ...] = ("success", "failure")
    """The words for what came of an interaction."""
    outcome: "Callable[[Interactions, int], str]" = _by_success
    """The word for interaction number i of those shown."""
    draw: "Callable[[Interactions, int], tuple[Markup, Markup, str]]" = _ring
    """What is drawn on its images before and after, and a word on it."""
    summary: "Callable[[Interactions], list[tuple[str, str]]]" = _rate
    """The result in a few figures: what, and how much."""
    figures: "Callable[[Interactions], Figures]" = _rates
    """The charts."""


def table_fields(*own: Field) -> tuple[Field, ...]:
    """The fields of interactions on a table under an overhead camera, and one's own."""
    return (*INTERACTIONS, *own, *TRAJECTORY, TABLE_CAMERA)
