"""Declarations of studies: what is refused, and that they are found by name, also from outside."""

import os
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image

from embodied_ssl import plugins, studies
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.studies import On, Row, Size, Study, study_named, study_names
from embodied_ssl.studies.data import DATA
from embodied_ssl.studies.experiment import Experiment
from embodied_ssl.studies.run import rows_named
from embodied_ssl.studies.study import file_name

ROW = Row("rotation", "rotation", {"frames": "roam"})
ON = On("roam_test", (KNN(),))
SIZES = {"minute": Size(samples=100, seeds=1)}


def test_every_file_is_a_study_or_known_to_be_none():
    for module in iter_modules(studies.__path__):
        if module.name not in studies._MACHINERY:
            assert isinstance(import_module(f"embodied_ssl.studies.{module.name}").STUDY, Study), module.name


@pytest.mark.parametrize("name", studies.built_in_studies())
def test_rows_of_a_study_are_methods_settings_and_data_that_there_are(name, tmp_path):
    study = study_named(name)
    assert {"minute", "hour", "day"} <= set(study.sizes)
    assert {name for size in study.sizes.values() for name in size.rows} <= {row.name for row in study.rows}
    assert any(row.name.startswith("labels") for row in study.rows), "the bound that rows without labels stand beside"
    rng = np.random.default_rng(0)
    for i in range(24):  # what stands for sets of images that the user gives
        place = tmp_path / "images" / ("test" if i % 3 else "train") / f"class{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(place / f"{i}.png")
    given = {each: tmp_path / "images" for each in study.data_of() if each not in DATA and each not in study.data}
    Experiment(study, "minute", study.sizes["minute"], tmp_path, tmp_path, given).check()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rows": ()}, "at least one row"),
        ({"on": ()}, "at least one set"),
        ({"rows": (ROW, Row("rotation", "jigsaw", {}))}, "two rows are called rotation"),
        ({"rows": (Row("r", "rotation", {}, choices=("--lr 1",)),)}, "the row r has choices; say with chosen_on"),
        ({"chosen_on": ON}, "roam_test: is measured on, so that nothing may be chosen on it"),
        ({"image_size": 0}, "image_size: 0; give at least 1"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(wrong, told):
    with pytest.raises(DataError, match=told):
        Study(**({"question": "?", "rows": (ROW,), "on": (ON,), "sizes": SIZES} | wrong))


def test_one_from_outside_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv(plugins.VARIABLE, "")
    text = """
        from embodied_ssl.evaluation.protocols.knn import KNN
        from embodied_ssl.studies import On, Row, Size, Study

        def declared(name):
            row = Row("rotation", "rotation", {"frames": "roam"})
            return Study("?", (row,), (On("roam_test", (KNN(),)),), {"minute": Size(100, 1)}, name=name)

        STUDY, UNNAMED = declared("of_mine"), declared("")
    """
    (tmp_path / "my_studies.py").write_text(dedent(text))
    assert study_named("my_studies:STUDY").name == "of_mine"
    assert "of_mine" in study_names()
    assert os.environ[plugins.VARIABLE] == "my_studies:STUDY"
    assert study_named("of_mine").rows[0] == ROW
    for wrong, told in (
        ("my_studies:UNNAMED", "needs a name"),
        ("my_studies:KNN", "is no study"),
        ("of_min", "of_mine"),
    ):
        with pytest.raises(DataError, match=told):
            study_named(wrong)


def test_rows_are_found_by_name_by_file_and_in_the_pieces_of_a_list():
    names = ("simclr: hold", "simclr: hold, across scenes", "moco: orbit, 2 views")
    study = Study("?", tuple(Row(name, "simclr", {"frames": "hold"}) for name in names), (ON,), SIZES)
    for asked in (names, [file_name(name) for name in names], [piece for name in names for piece in name.split(",")]):
        assert tuple(row.name for row in rows_named(study, asked)) == names
    assert rows_named(study, ()) == study.rows
    with pytest.raises(DataError, match="unknown row of  'simclr: hald': did you mean 'simclr: hold'"):
        rows_named(study, ["simclr: hald"])


def test_the_study_of_the_guide_is_one(tmp_path):
    guide = Path(__file__).parents[2] / "docs" / "guide" / "studies.md"
    told: dict[str, object] = {}
    exec(guide.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0], told)
    asked = told["STUDY"]
    assert isinstance(asked, Study)
    Experiment(asked, "hour", asked.sizes["hour"], tmp_path, tmp_path).check()
    assert [row.name for row in asked.rows] == ["τ 0.05", "τ 0.1", "τ 0.2", "τ 0.5"]
