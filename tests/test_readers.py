"""Reading: the same values as h5py, by any process; pairs and batches that are functions of (seed, step, rank)."""

import pickle

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.datasets.sampling import permuted, rows
from embodied_ssl.datasets.streams import Batches


@pytest.mark.parametrize("kind", ["roam", "orbit", "grasp", "push", "poke"])
def test_values_are_those_that_h5py_reads(data, kind):
    dataset = Dataset.open(data[kind])
    files = [h5py.File(data[kind] / shard.file) for shard in dataset.manifest.shards]
    for path, field in dataset.fields.items():
        if field.table == "camera" or field.refers_to:
            continue
        expected = np.concatenate([file[path][:] for file in files])
        np.testing.assert_array_equal(dataset.array(path)[:], expected)
        if len(expected):
            np.testing.assert_array_equal(dataset.array(path)[[-1, 0]], expected[[-1, 0]])


def test_indices_count_over_all_shards(data):
    dataset = Dataset.open(data["roam"])
    episodes, objects = dataset.episodes, dataset.objects
    assert (np.diff(episodes["start"]) == episodes["length"][:-1]).all()
    for episode in range(len(episodes["start"])):
        first, count = episodes["objects_start"][episode], episodes["objects_count"][episode]
        assert (objects["episode"][first : first + count] == episode).all()


def test_rows_out_of_range_are_refused(data):
    frames = Dataset.open(data["roam"]).frames
    for wrong in (len(frames), -len(frames) - 1, [0, 10**9], 0.5):
        with pytest.raises(IndexError):
            frames[wrong]


def test_opening_reads_no_shard(data, monkeypatch):
    import embodied_ssl.datasets.readers as readers

    monkeypatch.setattr(readers, "OpenShard", lambda *a: pytest.fail("opened a shard"))
    dataset = Dataset.open(data["roam"])
    assert len(dataset) == 45
    assert len(dataset.pairs(max_gap=3)) > 0


def test_pairs_have_the_motion_of_their_poses(data):
    dataset = Dataset.open(data["roam"])
    batch = Batches(dataset.pairs(max_gap=1), batch_size=16, seed=3)[0]
    assert batch.first.dtype == torch.uint8
    assert batch.first.shape == (16, 3, 24, 24)
    motor = dataset.array("frames/motor")[:]
    finite = motor[np.isfinite(motor).all(axis=1)]
    for motion in batch.motion.numpy():  # each is near something that the odometry measured
        assert np.abs(finite - motion).sum(axis=1).min() < 0.02


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_loader_workers_read_what_one_process_reads(data, method):
    dataset = Dataset.open(data["roam"])
    batches = Batches(dataset.images(), batch_size=8, seed=0)
    expected = [batches[step].images for step in range(4)]
    loader = torch.utils.data.DataLoader(
        batches,  # type: ignore[arg-type]
        batch_size=None,
        sampler=range(4),
        num_workers=2,
        multiprocessing_context=method,
    )
    for got, wanted in zip(loader, expected, strict=True):
        assert torch.equal(got.images, wanted)


def test_a_pickled_data_set_carries_no_handles(data):
    dataset = Dataset.open(data["roam"])
    first = dataset.frames[3]["rgb"]
    again = pickle.loads(pickle.dumps(dataset))
    assert len(pickle.dumps(dataset)) < 100_000
    np.testing.assert_array_equal(again.frames[3]["rgb"], first)


@given(st.integers(1, 3000), st.integers(0, 2**31))
def test_permutations_are_permutations(length, key):
    assert sorted(permuted(np.arange(length), length, (key, 1))) == list(range(length))


@given(st.integers(1, 200), st.integers(1, 16), st.integers(1, 4), st.integers(0, 1000))
def test_an_epoch_takes_every_row_once_over_all_ranks(length, batch, ranks, seed):
    steps = -(-length // (batch * ranks))
    drawn = np.concatenate([rows(seed, s, r, ranks, batch, length) for s in range(steps) for r in range(ranks)])
    assert sorted(drawn[:length]) == list(range(length))
