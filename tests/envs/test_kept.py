"""What is kept on disk: made once, by content, whole or not at all, and never executed."""

import os
import pickle

import numpy as np
import pytest

from embodied_ssl.envs.bodies import looks
from embodied_ssl.envs.bodies.panda import Panda
from embodied_ssl.envs.world.kept import VARIABLE, folder, kept


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A folder that nothing is kept in yet."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def made(calls: list[int], value: float = 1.5):
    def make():
        calls.append(1)
        return {"a": np.full((2, 3), value)}

    return make


def test_things_are_made_once_for_what_they_are_made_of(empty):
    calls: list[int] = []
    for _ in range(2):
        assert (kept("things", ("one", b"\x00"), made(calls))["a"] == 1.5).all()
    assert len(calls) == 1
    for other in (("one", b"\x01"), ("one\x00",), ("on", b"e\x00"), ("one", b"\x00", "")):
        kept("things", other, made(calls))
    assert len(calls) == 5, "where one part ends and the next begins counts too"
    assert not list(empty.rglob(".*")), "nothing half written is left"


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ[VARIABLE] + "/executed",)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "pickle", "pickled array"])
def test_a_damaged_file_is_made_again_and_none_is_executed(empty, damage):
    calls: list[int] = []
    kept("things", ("one",), made(calls))
    (file,) = empty.rglob("*.npz")
    if damage == "pickled array":
        np.savez(file, a=np.array([Bomb()], dtype=object))
    else:
        content = file.read_bytes()
        file.write_bytes(
            {"cut": content[:-40], "empty": b"", "other": b"hello", "pickle": pickle.dumps(Bomb())}[damage]
        )
    assert (kept("things", ("one",), made(calls))["a"] == 1.5).all()
    assert len(calls) == 2
    kept("things", ("one",), made(calls))
    assert len(calls) == 2, "what was damaged is whole again"
    assert not (empty / "executed").exists()


def test_where_nothing_can_be_written_all_is_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    calls: list[int] = []
    for _ in range(2):
        assert (kept("things", ("one",), made(calls))["a"] == 1.5).all()
    assert len(calls) == 2


def test_it_lies_where_caches_of_a_user_do(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder() == tmp_path / "embodied_ssl"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder() == tmp_path / ".cache" / "embodied_ssl"


def test_the_meshes_of_a_robot_are_coarsened_once(empty, monkeypatch):
    def triangles() -> int:
        looks._look.cache_clear()  # as in another process
        return sum(len(part.mesh.triangles) for _, asset in Panda()._looks for part in asset.parts)

    found = triangles()
    assert found > 1000

    def refuse(*_: object) -> None:
        raise AssertionError("a mesh was coarsened")

    monkeypatch.setattr(looks, "coarsened", refuse)
    assert triangles() == found
