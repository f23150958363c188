"""One shard: the same bytes for the same content, refused where it does not fit the schema, safe when damaged."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import built_in_kinds, kind_of
from embodied_ssl.datasets.schema import SCHEMA_VERSION
from embodied_ssl.datasets.store.files import file_sha256
from embodied_ssl.datasets.store.shards import ForeignShard, OpenShard, _Image, read_entry, write_shard

ROOT = Path(__file__).parent.parent.parent
SIZES = {
    "N": 6,
    "H": 5,
    "W": 7,
    "A": 2,
    "T": 4,
    "E": 2,
    "O": 3,
    "S": 1,
    "P": 5,
    "J": 4,
    "F": 2,
    "K": 3,
    "G": 3,
    "D": 9,
    "U": 5,
}
ATTRIBUTES = {"schema_version": SCHEMA_VERSION, "kind": "roam", "spec": '{"Δ": "…"}', "seed": 3, "shard": 0}


def contents(kind: str, rows: int = 6) -> dict[str, np.ndarray]:
    """Arrays of every field of a kind, of arbitrary values."""
    rng = np.random.default_rng(0)
    sizes = {**SIZES, "N": rows}
    arrays = {}
    for path, field in kind_of(kind).all_fields.items():
        raw = rng.integers(0, 100, field.resolve(sizes))
        arrays[path] = raw.astype(field.dtype)
    return arrays


@pytest.mark.parametrize("kind", built_in_kinds())
@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_what_is_written_is_read(tmp_path, kind, compression):
    arrays, fields = contents(kind), kind_of(kind).all_fields
    entry = write_shard(tmp_path / "a.h5", fields, arrays, ATTRIBUTES, "me", compression)
    assert entry == read_entry(tmp_path / "a.h5", "me")
    assert entry.sha256 == file_sha256(tmp_path / "a.h5")
    shard = OpenShard(tmp_path, entry, fields)
    with h5py.File(tmp_path / "a.h5") as file:
        for path, values in arrays.items():
            np.testing.assert_array_equal(shard.array(path), values)
            np.testing.assert_array_equal(file[path][()], values)
            assert shard.array(path).dtype == file[path].dtype == values.dtype


def test_the_same_content_gives_the_same_bytes_in_another_process(tmp_path):
    entry = write_shard(tmp_path / "a.h5", kind_of("poke").all_fields, contents("poke"), ATTRIBUTES, "me", "lz4")
    target = str(tmp_path / "b.h5")
    code = (
        "import sys; sys.path.insert(0, 'tests/datasets'); from pathlib import Path; from test_shards import *;"
        f"entry = write_shard(Path({target!r}), kind_of('poke').all_fields, contents('poke'), ATTRIBUTES, 'me', 'lz4');"
        "print(entry.sha256)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == entry.sha256


def test_empty_tables_are_stored(tmp_path):
    fields = kind_of("roam").fields_for(set())
    arrays = {path: array[:0] if path.startswith("objects/") else array for path, array in contents("roam").items()}
    entry = write_shard(tmp_path / "a.h5", fields, {path: arrays[path] for path in fields}, ATTRIBUTES, "me", "zstd")
    assert OpenShard(tmp_path, entry, fields).array("objects/position").shape == (0, 3)


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("frames/pose", lambda array: array.astype("f8"), "dtype float64"),
        ("frames/time", lambda array: array[:-1], "N = 6"),
        ("frames/rgb", lambda array: array[..., :2], "schema says"),
        ("objects/size", lambda array: array[:, 0], "schema says"),
    ],
)
def test_what_does_not_fit_the_schema_is_not_written(tmp_path, path, change, said):
    arrays = contents("roam")
    arrays[path] = change(arrays[path])
    with pytest.raises(DataError, match=said) as error:
        write_shard(tmp_path / "a.h5", kind_of("roam").all_fields, arrays, ATTRIBUTES, "me")
    assert path in str(error.value)
    del arrays[path]
    with pytest.raises(DataError, match=path):
        write_shard(tmp_path / "a.h5", kind_of("roam").all_fields, arrays, ATTRIBUTES, "me")
    assert not list(tmp_path.iterdir())


def test_a_shard_of_somebody_else_is_told_from_a_damaged_one(tmp_path):
    write_shard(tmp_path / "a.h5", kind_of("roam").all_fields, contents("roam"), ATTRIBUTES, "me")
    with pytest.raises(ForeignShard):
        read_entry(tmp_path / "a.h5", "you")
    with h5py.File(tmp_path / "b.h5", "w") as file:  # no footer
        file["frames/rgb"] = np.zeros((2, 2, 2, 3), "u1")
    with pytest.raises(DataError, match=r"b\.h5.*no shard"):
        read_entry(tmp_path / "b.h5", "me")


@settings(max_examples=200)
@given(st.data())
def test_no_damage_gets_past_the_footer(tmp_path_factory, draw):
    folder = tmp_path_factory.getbasetemp() / "damage"
    folder.mkdir(exist_ok=True)
    path = folder / "a.h5"
    write_shard(path, kind_of("push").all_fields, contents("push"), ATTRIBUTES, "me")
    content = bytearray(path.read_bytes())
    place = draw.draw(st.integers(0, len(content) - 1))
    if draw.draw(st.booleans()):
        content[place] ^= draw.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.h5"):
        read_entry(path, "me")


def test_a_file_in_memory_grows_with_what_is_written():
    """More than was thought at first, as many small compressed images come to: HDF5 dies where a write fails."""
    image = _Image(4)
    for text in (b"abcdef", b"gh" * 20):
        assert image.write(text) == len(text)
    image.seek(60)
    image.write(b"end")
    assert image.size == 63
    assert bytes(image.between(0, 70)) == b"abcdef" + b"gh" * 20 + bytes(14) + b"end" + bytes(7)
