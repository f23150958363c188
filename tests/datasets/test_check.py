"""What is wrong with a data set is said exactly; nothing wrong goes unsaid, and nothing brings the reader down."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check
from embodied_ssl.datasets.store.manifest import Manifest, read_manifest, write_manifest
from embodied_ssl.datasets.store.shards import OpenShard, write_shard


def rewrite(source: Path, target: Path, path: str, change) -> Path:
    """A copy whose first shard has one array changed, with hashes that are right for it."""
    shutil.copytree(source, target)
    manifest = read_manifest(target)
    entry = manifest.shards[0]
    shard = OpenShard(target, entry, manifest.fields)
    arrays = {name: np.array(shard.array(name)) for name in manifest.fields}
    change(arrays[path])
    (target / entry.file).unlink()
    attributes = {
        "schema_version": 1,
        "package_version": "0",
        "kind": manifest.kind,
        "spec": "{}",
        "seed": 0,
        "shard": 0,
    }
    new = write_shard(target / entry.file, manifest.fields, arrays, attributes, "0")
    shards = (new, *manifest.shards[1:])
    write_manifest(target, Manifest(manifest.kind, manifest.spec, manifest.package_version, shards))
    return target


def set_row(row, value):
    def change(array):
        array[row] = value

    return change


@pytest.mark.parametrize(
    ("kind", "path", "row", "value", "said"),
    [
        ("roam", "frames/time", 3, 0.0, "not later"),
        ("roam", "frames/motor", 4, [0.2, 0.4], "the poses say"),
        ("roam", "frames/motor", 2, np.nan, "not a finite number"),
        ("roam", "frames/motor", 8, 0.0, "should be NaN"),
        ("roam", "frames/pose", 5, np.eye(4) * 2, "not a rotation"),
        ("roam", "frames/depth", 6, -1.0, "outside of"),
        ("roam", "frames/instance", 7, 255, "no object of episode"),
        ("roam", "objects/quaternion", 1, [0, 0, 0, 0.5], "unit length"),
        ("grasp", "objects/mass", 2, -0.1, "outside of"),
        ("orbit", "objects/restitution", 0, 1.5, "outside of"),
        ("hold", "objects/stiffness", 1, np.nan, "not a finite number"),
        ("roam", "episodes/scene", 1, 9, "no such row of scenes"),
        ("roam", "episodes/length", 0, 5, "do not tile"),
        ("roam", "objects/index", 0, 0, "outside of"),
        ("orbit", "frames/motor", 1, [0.3, 0.3], "the poses say"),
        ("grasp", "interactions/angle", 1, 4.0, "outside of"),
        ("grasp", "interactions/object", 0, 10_000, "no such row of objects"),
        ("push", "interactions/start", 2, np.inf, "outside of"),
        ("poke", "interactions/force", 0, -5.0, "outside of"),
    ],
)
def test_what_is_wrong_is_said_with_file_field_and_row(data, tmp_path, kind, path, row, value, said):
    problems = check(rewrite(data[kind], tmp_path / kind, path, set_row(row, value)))
    assert problems
    assert any(said in problem and path in problem and "shard-00000.h5" in problem for problem in problems), problems


@pytest.mark.parametrize("kind", ["roam", "grasp"])
def test_altered_cut_and_missing_shards_are_named(data, tmp_path, kind):
    folder = tmp_path / kind
    shutil.copytree(data[kind], folder)
    shard = folder / "shard-00001.h5"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + b" ")
    assert any("altered" in problem and str(shard) in problem for problem in check(folder))
    shard.write_bytes(content[:-1])
    with pytest.raises(DataError, match="cut"):
        check(folder)
    shard.unlink()
    with pytest.raises(DataError, match=r"shard-00001.h5: missing"):
        Dataset.open(folder)


def test_directories_that_are_none(data, tmp_path):
    with pytest.raises(DataError, match="no such directory"):
        Dataset.open(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no data set"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text('{"name": "somebody else\'s"}')
    with pytest.raises(DataError, match="not of embodied_ssl"):
        Dataset.open(tmp_path)
    content = json.loads((data["roam"] / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(DataError, match=r"version 99.*upgrade"):
        Dataset.open(tmp_path)


def use(folder: Path) -> list[str]:
    """Open, read everything, check: problems, or a DataError. Anything else is a fault of ours."""
    try:
        dataset = Dataset.open(folder)
        rows = dataset.frames if dataset.kind in ("roam", "orbit") else dataset.interactions
        rows[:]
        _ = dataset.episodes, dataset.objects, dataset.camera
        return check(folder)
    except DataError as error:
        return [str(error)]


@pytest.fixture(scope="module")
def victims(data, tmp_path_factory):
    from embodied_ssl.datasets.collect.collection import collect

    root = tmp_path_factory.mktemp("victims")
    collect("roam", root / "packed", episodes=2, size=16, length=4, compression="lz4", progress=False)
    shutil.copytree(data["roam"], root / "roam")
    shutil.copytree(data["poke"], root / "poke")
    return root


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_hundreds_of_mutations_are_all_noticed(victims, draw):
    folder = victims / draw.draw(st.sampled_from(["roam", "poke", "packed"]))
    path = draw.draw(st.sampled_from(sorted(folder.iterdir())))
    content = path.read_bytes()
    kind = draw.draw(st.sampled_from(["flip", "cut", "grow", "zero", "swap"]))
    place = draw.draw(st.integers(0, len(content) - 1))
    mutated = bytearray(content)
    if kind == "flip":
        mutated[place] ^= draw.draw(st.integers(1, 255))
    elif kind == "cut":
        del mutated[place:]
    elif kind == "grow":
        mutated[place:place] = draw.draw(st.binary(min_size=1, max_size=64))
    elif kind == "zero":
        mutated[place : place + 512] = bytes(len(mutated[place : place + 512]))
    else:
        mutated[place:], mutated[: len(mutated) - place] = mutated[: len(mutated) - place], mutated[place:]
        mutated = mutated[: len(content)]
    if bytes(mutated) == content:
        return
    path.write_bytes(mutated)
    try:
        problems = use(folder)
        harmless = path.name == "dataset.json" and _same_meaning(bytes(mutated), content)
        assert problems or harmless
        assert all(str(folder) in problem and "\n" not in problem for problem in problems)
    finally:
        path.write_bytes(content)


def _same_meaning(a: bytes, b: bytes) -> bool:
    """White space in JSON means nothing."""
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False
