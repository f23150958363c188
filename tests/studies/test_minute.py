"""Every study of the package, smaller than its smallest size: collected, learned, measured, shown."""

import csv
import html
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from embodied_ssl.cli.demo import STUDY
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.evaluation.protocols.attention import Attention
from embodied_ssl.evaluation.protocols.depth import Depth
from embodied_ssl.evaluation.protocols.detection import Detection
from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.go_there import GoThere
from embodied_ssl.evaluation.protocols.grasping import Grasping
from embodied_ssl.evaluation.protocols.imitation import Imitation
from embodied_ssl.evaluation.protocols.multi_label import MultiLabel
from embodied_ssl.evaluation.protocols.normals import Normals
from embodied_ssl.evaluation.protocols.relative_motion import RelativeMotion
from embodied_ssl.evaluation.protocols.segmentation import Segmentation
from embodied_ssl.evaluation.protocols.semi_supervised import SemiSupervised
from embodied_ssl.studies import Study, study_named, study_names
from embodied_ssl.studies.data import DATA, StandardData, collect_standard
from embodied_ssl.studies.run import study

FEW_PICTURES = {"pictures": 30}
FEWER: dict[type[Protocol], dict[str, Any]] = {
    Attention: {"pictures": 100},
    FewLabels: {"draws": 1},
    GoThere: {"pairs": (100,), "walks": 10},
    Grasping: {"grasps": (20,), "tables": 5, "candidates": 20},
    Imitation: {"demonstrations": (2,), "episodes": 2, "updates": 20},
    RelativeMotion: {"pairs": 500},
    Depth: FEW_PICTURES,
    Normals: FEW_PICTURES,
    Detection: {**FEW_PICTURES, "updates": 3},
    Segmentation: {**FEW_PICTURES, "updates": 3},
    MultiLabel: {**FEW_PICTURES, "updates": 3},
    SemiSupervised: {"updates": 3, "per_class": (20,)},
}
"""What protocols that take their time do less of here; their own tests hold what they measure."""


def smaller(asked: Study) -> Study:
    """As many rows, sets, protocols and choices, on fewer samples, smaller sets and one division of them."""

    def fewer(protocol: Protocol) -> Protocol:
        return replace(protocol, **FEWER.get(type(protocol), {}))

    on = (replace(one, splits=1, protocols=tuple(map(fewer, one.protocols))) for one in asked.on)
    sizes = {"minute": replace(asked.sizes["minute"], samples=256)}
    data = {name: fifth(one) for name, one in asked.data.items()}
    return replace(asked, on=tuple(on), sizes=sizes, data=data)


def fifth(one: StandardData) -> StandardData:
    """A set with a fifth of the episodes of its smallest size."""
    return replace(one, episodes={"minute": one.episodes["minute"] // 5})


@pytest.fixture(scope="module", autouse=True)
def small_sets():
    with pytest.MonkeyPatch.context() as patch:
        for name, one in DATA.items():
            patch.setitem(DATA, name, fifth(one))
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A set of images as nobody can collect it."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 10)):
        for label in range(3):
            place = folder / part / f"class{label}"
            place.mkdir(parents=True)
            for i in range(count):  # classes that differ in brightness
                Image.fromarray(rng.integers(0, 100 + 70 * label, (32, 32, 3), np.uint8)).save(place / f"{i}.png")
    return folder


def collected(asked: Study, shared: Path, folder: Path) -> Path:
    """A folder with the standard sets of a study; each is collected once, by whoever needs it first."""
    for name in asked.data_of():
        if name in DATA:
            place = shared / f"{name}-minute"
            with FileLock(f"{place}.lock"):
                collect_standard(name, "minute", place, progress=False)
            shutil.copytree(place, folder / place.name)
    return folder


@pytest.mark.slow
@pytest.mark.simulator
@pytest.mark.parametrize("name", sorted({*study_names()} - {STUDY}))  # which is the demonstration
def test_a_study_runs_from_nothing_to_its_page(name, together, images, tmp_path):
    """Of its rows the first and the last, which learned from labels; on all its sets, by all its protocols."""
    asked = smaller(study_named(name))
    asked = replace(asked, rows=(asked.rows[0], asked.rows[-1]))
    given = {each: images for each in asked.data_of() if each not in DATA and each not in asked.data}
    data = collected(asked, together, tmp_path / "data")
    found = study(asked, tmp_path / "out", "minute", sets=given, data=data, progress=False)
    assert {*(row.name for row in asked.rows), "raw pixels"} <= {one.row for one in found}
    with Path(tmp_path / "out/results.csv").open() as file:
        numbers = list(csv.DictReader(file))
    assert len(numbers) == len(found) > len(asked.on)
    measured = {one.set.partition(" by ")[0] for one in found}
    assert measured == {on.data for on in asked.on}
    assert asked.question in html.unescape((tmp_path / "out/report.html").read_text())
    known = {(one.protocol, one.metric) for one in found}  # of so small sets not as many labels as figures ask for
    drawn = [each for each in asked.figures if each.over or (each.protocol, each.metric) in known]
    assert len(list((tmp_path / "out/figures").iterdir())) >= len(drawn) >= len(asked.figures) - 1
    assert str(tmp_path.parent.parent) not in (tmp_path / "out/tables.md").read_text(), "where it lay says nothing"
    pictured = {path.parent.name for path in (tmp_path / "out/measured").glob("*/*.npz")}
    if {Depth, Segmentation} & {type(protocol) for on in asked.on for protocol in on.protocols}:
        assert {"raw_pixels-0", "labels-0"} < pictured  # what is true, and what is predicted
