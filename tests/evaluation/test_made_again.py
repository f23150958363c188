"""Environments are made again of what a data set says, its files included; where these are gone, all say so first."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.places import PLACES
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.environments import make_env, settings_of
from embodied_ssl.evaluation.protocol import EvaluationSet
from embodied_ssl.evaluation.protocols.go_there import GoThere
from embodied_ssl.evaluation.protocols.grasping import Grasping
from embodied_ssl.evaluation.protocols.imitation import Imitation
from embodied_ssl.studies.verify import _told_data

KUKA = Path(__file__).parent.parent.parent / "examples" / "kuka.toml"
PROTOCOLS = {
    "grasp": Grasping(grasps=(10,), tables=2, candidates=4),
    "reach": Imitation(demonstrations=(2,), episodes=1, updates=2),
    "roam": GoThere(pairs=(20,), walks=4, looks=1),
}
COLLECTED = {
    "grasp": {"episodes": 12, "size": 32, "interactions": 4, "clutter": 4},
    "reach": {"episodes": 3, "size": 16, "cameras": ("scene",), "scene": {"image_size": 16}},
    "roam": {"episodes": 10, "size": 16, "length": 12, "scenes": "corridor,garage"},
}
FILES = {"grasp": ("body", "objects", "textures"), "reach": ("body", "objects", "textures"), "roam": ("textures",)}
CASES = [(kind, name) for kind, names in FILES.items() for name in names]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Data sets with their own robot, objects and textures."""
    root = tmp_path_factory.mktemp("made")
    for folder in ("objects", "textures"):
        (root / "files" / folder).mkdir(parents=True)
    shutil.copy(KUKA, root / "files" / "body.toml")
    for name, sides in (("brick", (0.05, 0.04, 0.06)), ("bar", (0.03, 0.12, 0.03)), ("slab", (0.12, 0.12, 0.03))):
        trimesh.creation.box(sides).export(root / "files" / "objects" / f"{name}.obj")
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert cv2.imwrite(str(root / "files" / "textures" / "noise.png"), image)
    for kind, settings in COLLECTED.items():
        files = {name: str(place_of(root / "files", name)) for name in FILES[kind]}
        collect(kind, root / kind, progress=False, **settings, **files)
    return root


def place_of(files: Path, name: str) -> Path:
    return files / ("body.toml" if name == "body" else name)


def prepared(folder: Path):
    on = EvaluationSet(images=image_set(folder), dataset=Dataset.open(folder))
    return PROTOCOLS[Dataset.open(folder).kind].prepare(on)


@pytest.mark.parametrize("kind", FILES)
def test_the_same_world_is_made_again_from_the_files(root, kind):
    dataset = Dataset.open(root / kind)
    assert all(str(dataset.spec["env"][name]).startswith("sha256:") for name in FILES[kind])
    env = make_env(kind, **settings_of(dataset))
    observation, _ = env.reset(seed=int(dataset.episodes["seed"][0]))
    stored = dataset.array("frames/rgb" if kind == "roam" else "interactions/rgb_before")[0]
    if kind != "reach":  # whose observations are what its cameras see
        np.testing.assert_array_equal(observation["rgb"], stored)
    env.close()
    assert prepared(root / kind) is not None
    (told,) = _told_data({"source": str(root / kind)})
    assert told["spec"]["env"] == settings_of(dataset)  # so that verify collects it again


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_files_that_are_gone_or_others_are_named_before_any_work(root, kind, name, tmp_path):
    place, away, folder = place_of(root / "files", name), tmp_path / "moved", root / kind
    told = json.loads((folder / PLACES).read_text())
    assert told[name] == str(place)
    place.rename(away)
    try:
        with pytest.raises(DataError, match=rf"{place}.*(not there|not exist); write where it lies into .*{PLACES}"):
            prepared(folder)
        shutil.copytree(away, place) if away.is_dir() else shutil.copy(away, place)
        changed = place if place.is_file() else min(place.iterdir())
        changed.write_bytes(changed.read_bytes() + b"\n# of another day")
        expected = Dataset.open(folder).spec["env"][name]
        with pytest.raises(DataError, match=rf"{place} as it was \({expected}\), and its content is another one"):
            prepared(folder)
        moved = folder / f"beside{place.suffix}"  # relative to the data set, as a copy of both has it
        away.rename(moved)
        (folder / PLACES).write_text(json.dumps({**told, name: moved.name}))
        assert settings_of(Dataset.open(folder))[name] == str(moved)
        assert prepared(folder) is not None
        (folder / PLACES).write_text(json.dumps({other: told[other] for other in told if other != name}))
        with pytest.raises(DataError, match=f"{expected}.*nothing says where"):
            prepared(folder)
    finally:
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        (moved if moved.exists() else away).rename(place)
        (folder / PLACES).write_text(json.dumps(told))


def test_what_is_made_of_no_files_says_nothing_of_files(tmp_path):
    collect("roam", tmp_path / "roam", 1, progress=False, size=16, length=2)
    assert not (tmp_path / "roam" / PLACES).exists()
    dataset = Dataset.open(tmp_path / "roam")
    assert settings_of(dataset) == dataset.spec["env"]
