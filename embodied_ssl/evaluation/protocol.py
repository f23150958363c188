"""What a protocol is: one way to measure encoders, declared in one file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.evaluation.splits import Rows, Split, split
from embodied_ssl.limits import hold_fields


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """A set of images to measure on, and how it is divided for the runs of a seed."""

    images: ImageSet
    seed: int = 0
    """Of the division, and of all that a protocol draws. Runs of one seed are measured alike."""
    settings: Settings = USUAL
    dataset: Dataset | None = None
    """Where the images are a data set of ours: its episodes, poses and motions; the images are its frames, in order."""

    @cached_property
    def split(self) -> Split:
        """Training, validation and test rows that share no object and no room. Raises DataError where they cannot."""
        return split(self.images, self.seed, self.settings)


@dataclass(frozen=True, kw_only=True)
class EncodedSet(EvaluationSet):
    """An evaluation set as one encoder sees it."""

    features_of: Callable[[Rows | None], Features]
    """Of rows of the set, float32 [N, D] with theirs at their places; None: of all, as `features`. Each is computed
    once for all protocols, when one first asks."""
    encoder: Encoder
    """At rest; a protocol leaves it as it was."""
    untrained: bool = False
    """Whether the encoder is the one before any training, a row to compare with."""
    run: Path | None = None
    """The directory of the run that it was learned in, for what is measured of its heads; None: it was not."""
    device: str = "cpu"
    """To compute on."""
    prepared: Any = None
    """What `Protocol.prepare` returned."""

    @property
    def features(self) -> Features:
        """float32 [N, D], of every image, in the order of the set."""
        return self.features_of(None)


@dataclass(frozen=True)
class Protocol:
    """One way to measure encoders. A subclass is a frozen dataclass with a `measure`; its docstring is its help.

    Its fields are its settings: each has a default, a type with its limits, and a docstring, and becomes an option of
    the command line. The name of its file in `evaluation/protocols/` is its name; one from outside is called as it is
    (`plugins`). Whatever else there is to know of it, the class variables say.
    """

    usual: ClassVar[bool] = True
    """Whether it is taken where no protocol is named; those that take long are not."""
    divides: ClassVar[bool] = True
    """Whether it needs the parts of the set (`EvaluationSet.split`), and so labels of two classes at least."""
    needs_weights: ClassVar[bool] = False
    """Whether it takes the encoder apart or trains it on; rows without weights to train, as raw pixels, have none."""
    lower_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = ""
    """Of its numbers; nothing for shares and ratios."""
    wants: ClassVar[str] = ""
    """What a set must have, in words, where it is to be said that one was skipped."""

    def __post_init__(self) -> None:
        """Raises DataError for a setting that is outside its limits, and for a list of values that has none."""
        hold_fields(self)
        for name, value in vars(self).items():
            if value == ():
                raise DataError(f"{name}: none; give at least one")

    def takes(self, dataset: Dataset | None) -> bool:
        """Whether it measures on a data set, and on images that are none of ours (None); other sets are skipped."""
        return True

    def takes_images(self, images: ImageSet) -> bool:
        """Whether it measures on a set of images, whosever; other sets are skipped."""
        return True

    def prepare(self, on: EvaluationSet) -> Any:
        """What it needs to know of a set, once for each seed, before any image is encoded.

        Raises DataError where the set will not do.
        """
        return None

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        """The numbers of one encoder on one set, each with all that it depends on."""
        raise DataError(f"{type(self).__name__} has no measure(encoded); it gives a list of Measure")
