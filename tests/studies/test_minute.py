"""Every study of the package at its smallest size: collected, learned, measured, shown."""

import csv
import html
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embodied_ssl.cli.demo import STUDY
from embodied_ssl.studies import study_named, study_names
from embodied_ssl.studies.data import DATA
from embodied_ssl.studies.run import study


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder of data sets that studies share, and one of images that nobody can collect."""
    folder = tmp_path_factory.mktemp("standard")
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 10)):
        for label in range(3):
            place = folder / "images" / part / f"class{label}"
            place.mkdir(parents=True)
            for i in range(count):  # classes that differ in brightness
                Image.fromarray(rng.integers(0, 100 + 70 * label, (32, 32, 3), np.uint8)).save(place / f"{i}.png")
    return folder


@pytest.mark.slow
@pytest.mark.simulator
@pytest.mark.parametrize("name", sorted({*study_names()} - {STUDY}))  # which is the demonstration
def test_a_study_runs_from_nothing_to_its_page(name, shared, tmp_path):
    """Of its rows the first and the last, which learned from labels; on all its sets, by all its protocols."""
    asked = study_named(name)
    given = {each: shared / "images" for each in asked.data_of() if each not in DATA and each not in asked.data}
    rows = [asked.rows[0].name, asked.rows[-1].name]
    found = study(name, tmp_path, "minute", rows, sets=given, data=shared, progress=False)
    assert {*rows, "raw pixels"} <= {one.row for one in found}
    with Path(tmp_path / "results.csv").open() as file:
        numbers = list(csv.DictReader(file))
    assert len(numbers) == len(found) > len(asked.on)
    measured = {one.set.partition(" by ")[0] for one in found}
    assert measured == {on.data for on in asked.on}
    assert asked.question in html.unescape((tmp_path / "report.html").read_text())
    assert len(list((tmp_path / "figures").iterdir())) >= len(asked.figures) > 0
