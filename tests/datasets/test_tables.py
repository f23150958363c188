"""Tables as pandas takes them: one dimension a column, rows of the whole data set, strings as str."""

import h5py
import numpy as np
import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset

pandas = pytest.importorskip("pandas", exc_type=ImportError)  # or one that refuses this NumPy

KINDS = ["roam", "orbit", "grasp", "push", "poke"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_is_a_frame_of_pandas(data, kind):
    dataset = Dataset.open(data[kind])
    rows = "frames" if kind in ("roam", "orbit") else "interactions"
    for name, count in (
        (rows, len(dataset)),
        ("episodes", len(dataset.episodes["seed"])),
        ("objects", len(dataset.object_numbers)),
    ):
        frame = pandas.DataFrame(dataset.table(name))
        assert len(frame) == count
        assert not any("rgb" in column or "depth_before" in column or "instance_" in column for column in frame)
        for column in frame:
            assert frame[column].map(type).isin([int, float, bool, str, np.float32, np.float64]).all(), column
    frame = pandas.DataFrame(dataset.objects)
    np.testing.assert_array_equal(frame[["position_x", "position_y", "position_z"]], dataset.objects["position"])
    with pytest.raises(DataError, match=f"valid are episodes, {rows}, objects|valid are episodes, objects, {rows}"):
        dataset.table("pictures")


@pytest.mark.parametrize("kind", KINDS)
def test_indices_are_rows_of_the_whole_set(data, kind):
    """Read shard by shard by h5py, as one would by hand, and shifted: the data lie in two shards."""
    dataset = Dataset.open(data[kind])
    assert len(dataset.manifest.shards) == 2
    expected, episodes, things = [], 0, 0
    for shard in dataset.manifest.shards:
        with h5py.File(data[kind] / shard.file) as file:
            category = file["objects/category"][:].astype(str)
            expected += list(zip(file["objects/episode"][:] + episodes, category, strict=True))
            if kind == "push":
                own = file["interactions/object"][:]
                aimed = [(category[i] if i >= 0 else None) for i in own]
                table = dataset.table("interactions")
                found = table["object"][table["episode"] >= episodes][: len(own)]
                names = dataset.table("objects")["category"]
                assert [(names[i] if i >= 0 else None) for i in found] == aimed
            episodes += len(file["episodes/seed"])
            things += len(category)
    table = dataset.table("objects")
    assert list(zip(table["episode"], table["category"], strict=True)) == expected
    frame = pandas.DataFrame(dataset.table("episodes"))
    assert frame["objects_start"].max() < things
    assert frame["scene_type"].map(type).eq(str).all()
    joined = pandas.DataFrame(table).merge(frame, left_on="episode", right_index=True)
    assert len(joined) == things


def test_what_a_column_is_of_is_in_its_name(data):
    poke = Dataset.open(data["poke"]).table("interactions")
    assert {"pixel_u", "pixel_v", "pose_before_x", "pose_before_qw", "force_0", "object"} <= set(poke)
    np.testing.assert_array_equal(poke["force"][:, 3], poke["force_3"])
    assert {"pose_0_0", "pose_3_3", "time"} <= set(Dataset.open(data["roam"]).table("frames"))
    with pytest.raises(KeyError, match=r"there are .*pixel"):
        poke["pixels"]
    half = Dataset.open(data["poke"]).objects.at(slice(2, 4))
    assert half["position"].shape == (2, 3)
    assert len(half["position_x"]) == 2
