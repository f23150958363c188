"""`import embodied_ssl as es`: everything that the package offers, found when asked for, with its real signature."""

import ast
import inspect
import pkgutil
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import embodied_ssl as es
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset

DOORS = list(es._DOORS)


@pytest.mark.parametrize("name", DOORS)
def test_every_door_leads_to_a_documented_function(name):
    door = getattr(es, name)
    assert name in dir(es)
    if is_dataclass(door):  # its fields raise the same, of the limits in their types
        assert inspect.getdoc(door)
    else:
        assert "Raises DataError" in inspect.getdoc(door)
        assert inspect.signature(door).return_annotation is not inspect.Signature.empty


def test_no_folder_or_file_has_the_name_of_a_door():
    """Once imported, it would stand in the place of the function."""
    assert not {module.name for module in pkgutil.iter_modules(es.__path__)} & set(DOORS)


def test_a_type_checker_sees_the_same_doors():
    """What it makes of them is asserted in typed_doors.py, which `make types` checks."""
    tree = ast.parse(Path(es.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imported = {a.asname: f"{n.module}:{a.name}" for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assigned = {ast.unparse(n.targets[0]): ast.unparse(n.value) for n in block.body if isinstance(n, ast.Assign)}
    seen = {}
    for name, value in assigned.items():
        base, _, rest = value.partition(".")
        seen[name] = f"{imported.pop(base)}.{rest}"
    seen |= imported
    assert seen == {name: f"embodied_ssl.{path}" for name, path in es._DOORS.items()}


def test_open_gives_the_data_set(data):
    dataset = es.open(data["roam"])
    assert isinstance(dataset, Dataset)
    assert dataset.kind == "roam"
    with pytest.raises(DataError, match="nowhere"):
        es.open("nowhere")


@pytest.mark.simulator
def test_environments_are_made_by_kind_and_by_id():
    for name in ("orbit", "embodied_ssl/Orbit-v0"):
        env = es.make_env(name, size=16, depth=True, render_mode="rgb_array")
        observation, _ = env.reset(seed=3)
        assert observation["rgb"].shape == (16, 16, 3)
        assert observation["depth"].shape == (16, 16)
        assert env.render().shape == (64, 64, 3)
        env.close()
    for given, said in [
        (("roem", {}), "did you mean 'roam'"),
        (("embodied_ssl/Roan-v0", {}), "did you mean 'embodied_ssl/Roam-v0'"),
        (("roam", {"sise": 3}), "did you mean 'size'"),
        (("roam", {"slip": 3}), "slip: 3; give at least 0 and at most 1"),
    ]:
        with pytest.raises(DataError, match=said):
            es.make_env(given[0], **given[1])


@pytest.mark.parametrize(
    ("door", "given", "name"),
    [
        (es.evaluate, ("runs/simclr-0", ["held_out"]), "runs"),
        (es.evaluate, (["runs/simclr-0"], Path("held_out")), "on"),
        (es.evaluate, (["runs/simclr-0"], ["held_out"], "knn"), "protocols"),
        (es.compare, ("simclr", "out", ["data"], ["held_out"]), "methods"),
        (es.make_method, ("joint", None, 64, 0, None, "drlim"), "methods"),
        (es.TrainingSettings, (0, 1, None, False, None, 200, 200, "csv"), "logger"),
    ],
)
def test_one_name_where_a_list_is_asked_for_is_not_taken_by_its_letters(door, given, name):
    settings = {} if door is not es.make_method else {"methods": given[-1]}
    with pytest.raises(DataError, match=f"^{name}: .*; give a list"):
        door(*given[:5] if settings else given, **settings)


def test_studies_and_their_data_are_behind_the_same_door():
    assert "yardstick" in es.studies.data.DATA
    assert "positives" in es.studies.study_names()
