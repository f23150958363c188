"""The standard data sets: who shares objects with whom, what is committed of them, and that a change is told.

`python tests/studies/test_data.py --sizes minute hour --out data` collects them, and renews the hashes.
"""

import argparse
import itertools
import json
import resource
import shlex
from pathlib import Path

import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.studies import data
from embodied_ssl.studies.data import CHOOSING, DATA, SIZES, TEST, TRAINING, collect_standard, standard


def test_what_is_measured_on_shares_no_object_and_no_room_with_what_learns():
    assert all(a[1] <= b[0] for a, b in itertools.pairwise((TRAINING, CHOOSING, TEST)))
    for name, one in DATA.items():
        assert one.settings["instances"] == (
            CHOOSING
            if name.endswith("_choose")
            else TEST
            if name.endswith("_test") or name == "yardstick"
            else TRAINING
        )
    assert len({one.seed for one in DATA.values()}) == len(DATA)


def test_what_is_committed_is_of_the_sets_that_there_are():
    for name, hashes in json.loads(data.HASHES.read_text()).items():
        assert hashes.keys() <= {str(standard(name).episodes_for(size)) for size in SIZES}


def test_a_set_is_collected_by_name_as_its_command_does(tmp_path, monkeypatch):
    small = data.StandardData("orbit", {"minute": 2, "hour": 3, "day": 4}, 7, {"size": 16, "length": 2,
                              "instances": (5000, 6000), "instance": True})  # fmt: skip
    monkeypatch.setitem(DATA, "small", small)
    found = collect_standard("small", "minute", tmp_path / "small", progress=False)
    assert (found.committed, found.differs) == (None, False)
    assert len(Dataset.open(tmp_path / "small").episodes["start"]) == 2
    assert main(shlex.split(small.command("minute", tmp_path / "again")[len("embodied-ssl ") :])) == 0
    assert data.data_sha256(tmp_path / "again") == found.sha256
    assert small.episodes_for("gpu") == 4


def test_settings_within_settings_are_options_with_a_dot():
    one = data.StandardData("press", {"minute": 2}, 7, {"wrist": {"target": (0.1, 0, 0), "image_size": 8}, "size": 16})
    told = (
        "embodied-ssl collect press --out D --episodes 2 --wrist.target 0.1,0,0 --wrist.image_size 8 --size 16 --seed 7"
    )
    assert one.command("minute", "D") == told


def test_other_bytes_than_the_committed_ones_are_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "hashes.json").write_text(json.dumps({"yardstick": {"1": "0" * 64}}))
    monkeypatch.setattr(data, "HASHES", tmp_path / "hashes.json")
    monkeypatch.setitem(DATA, "yardstick", data.StandardData("orbit", {"minute": 1}, 2, {"size": 16, "length": 2}))
    assert collect_standard("yardstick", "minute", tmp_path / "data", progress=False).differs
    assert "yardstick (minute): its bytes are others" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yardstick", "poke_test", "hold_choose"])
def test_the_committed_hashes_are_those_of_what_is_collected(name, tmp_path):
    """Where this fails and bytes are meant to change: `python tests/studies/test_data.py --out FOLDER`."""
    from tests.envs.contents import versions

    of_hashes = json.loads((Path(__file__).parent.parent / "envs" / "contents.json").read_text())["versions"]
    if versions() != of_hashes:
        pytest.skip(f"committed with {of_hashes}, here are {versions()}")
    found = collect_standard(name, "minute", tmp_path / name, progress=False)
    assert found.sha256 == found.committed


def test_an_unknown_name_or_size_names_those_known():
    with pytest.raises(DataError, match="yardstick"):
        standard("yardstik")
    with pytest.raises(DataError, match="minute"):
        standard("yardstick").episodes_for("week")


def core_seconds() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def write_committed() -> None:
    parser = argparse.ArgumentParser(description="Collect standard sets, and commit their hashes.")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["minute"])
    parser.add_argument("--names", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--out", type=Path, required=True, help="a folder; each set is a folder in it")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    for size, name in itertools.product(given.sizes, given.names):
        before = core_seconds()
        found = collect_standard(name, size, given.out / f"{name}-{size}", given.workers, progress=False)
        committed = json.loads(data.HASHES.read_text())
        committed.setdefault(name, {})[str(DATA[name].episodes_for(size))] = found.sha256
        data.HASHES.write_text(json.dumps(committed, indent=1, sort_keys=True) + "\n")
        print(f"{name} {size}: {found.sha256[:12]}, {core_seconds() - before:.0f} core seconds", flush=True)


if __name__ == "__main__":
    write_committed()
