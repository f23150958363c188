"""Reading: the same values as h5py, by any process; pairs and batches that are functions of (seed, step, rank)."""

import pickle

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.sampling import permuted, rows
from embodied_ssl.datasets.read.streams import Batches


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
    import embodied_ssl.datasets.read.readers as readers

    monkeypatch.setattr(readers, "OpenShard", lambda *a: pytest.fail("opened a shard"))
    dataset = Dataset.open(data["roam"])
    assert len(dataset) == 45
    assert dataset.array("frames/rgb").shape == (45, 24, 24, 3)


def test_pairs_have_the_motion_of_their_poses(data):
    dataset = Dataset.open(data["roam"])
    batch = Batches(dataset.pairs(max_gap=1), batch_size=16, seed=3)[0]
    assert batch.first.dtype == torch.uint8
    assert batch.first.shape == (16, 3, 24, 24)
    motor = dataset.array("frames/motor")[:]
    finite = motor[np.isfinite(motor).all(axis=1)]
    for motion in batch.motion.numpy():  # each is near something that the odometry measured
        assert np.abs(finite - motion).sum(axis=1).min() < 0.02


def test_a_motion_is_where_the_second_camera_is_seen_from_the_first(data):
    """Against the relative pose matrix: ahead of a level camera is its z axis, and yaw turns x towards -z."""
    dataset = Dataset.open(data["roam"])
    batch = Batches(dataset.pairs(max_gap=5), batch_size=64, seed=1)[2]
    pose = dataset.array("frames/pose")[:].astype(float)
    relative = np.linalg.inv(pose)[:, None] @ pose  # [N, N, 4, 4]
    motions = np.stack([relative[..., 2, 3], -np.arctan2(relative[..., 0, 2], relative[..., 2, 2])], axis=-1)
    for motion, gap in zip(batch.motion.numpy(), batch.gap.tolist(), strict=True):
        at_gap = np.stack([motions[row, row + gap] for row in range(len(pose) - gap)])
        assert np.abs(at_gap - motion).max(axis=1).min() < 1e-4
    assert set(batch.gap.tolist()) == {1, 2, 3, 4, 5}


def test_motions_of_an_orbit_add_up_along_the_way(data):
    dataset = Dataset.open(data["orbit"])
    batch = Batches(dataset.clips(length=8), batch_size=4, seed=0)[0]
    motor = dataset.array("frames/motor")[:].reshape(4, 8, 2)[:, :-1]
    ways = {tuple(np.round(way, 1)) for way in motor.sum(axis=1)}
    assert {tuple(np.round(way, 1)) for way in batch.motion.numpy().sum(axis=1)} <= ways | {
        tuple(np.round(way + nudge, 1)) for way in motor.sum(axis=1) for nudge in ([0.04, 0.04], [-0.04, -0.04])
    }


def test_pairs_by_seconds_are_pairs_by_frames(data):
    dataset = Dataset.open(data["roam"])
    by_time, by_frames = dataset.pairs(max_gap_s=0.3), dataset.pairs(max_gap=3)
    assert len(by_time) == len(by_frames)
    batch = Batches(by_time, batch_size=32)[0]
    assert torch.equal(batch.first, Batches(by_frames, batch_size=32)[0].first)
    torch.testing.assert_close(batch.gap_s, batch.gap / 10)


@pytest.mark.parametrize("first", ["fast", "slow"])
def test_seconds_are_seconds_at_the_rate_of_each_recording(data, first):
    """One at 24 frames per second, one at two, one whose frames come when they come; then each frame by hand."""
    dataset = Dataset.open(data["roam"])
    times = {
        "fast": np.arange(9) / 24,
        "slow": np.arange(9) / 2,
        "any": np.array([0, 0.1, 0.9, 1.0, 2, 3, 3.4, 3.5, 9]),
    }
    order = ["fast", "slow", "any", "fast", "any"] if first == "fast" else ["slow", "any", "fast", "slow", "fast"]
    time = np.concatenate([times[name] for name in order])
    array = dataset.array
    dataset.array = lambda path: time if path == "frames/time" else array(path)
    pairs = dataset.pairs(max_gap_s=0.5)
    near = [(row, then) for row in range(45) for then in range(row + 1, 9 * (row // 9 + 1))
            if time[then] - time[row] <= 0.5 + 1e-9]  # fmt: skip
    assert len(pairs) == len({row for row, _ in near})
    index = np.repeat(np.arange(len(pairs)), 200)
    drawn = pairs.draw(index, np.random.default_rng(0))
    assert set(zip(*(each.tolist() for each in drawn), strict=True)) == set(near)
    tracks = dataset.tracks(max_gap_s=0.5)
    assert dict(zip(tracks._first.tolist(), tracks._last.tolist(), strict=True)) == dict(near)
    with pytest.raises(DataError, match=r"^pairs: the largest gap is too short, no two frames are within 0.01 s; give"):
        dataset.pairs(max_gap_s=0.01)
    with pytest.raises(DataError, match=r"^pairs: the largest gap is too short, it is less than one frame; give"):
        dataset.pairs(max_gap=0)


def test_clips_stay_within_their_episode(data):
    dataset = Dataset.open(data["roam"])
    clips = dataset.clips(length=3, stride=2)
    assert len(clips) == 5 * (9 - 4)
    batch = clips.batch(np.arange(len(clips)), np.random.default_rng(0))
    assert batch.images.shape == (25, 3, 3, 24, 24)
    torch.testing.assert_close(batch.time_s, torch.tensor([0.0, 0.2, 0.4]).expand(25, 3))
    with pytest.raises(DataError, match="too short"):
        dataset.clips(length=10)


@pytest.mark.parametrize(("kind", "shown"), [("grasp", "images"), ("push", "before"), ("poke", "images")])
def test_acts_are_the_rows_of_their_data_set(data, kind, shown):
    dataset = Dataset.open(data[kind])
    batch = dataset.trials().batch(np.array([3, 0]), np.random.default_rng(0))
    row = dataset.interactions[[3, 0]]
    np.testing.assert_array_equal(getattr(batch, shown).permute(0, 2, 3, 1), row["rgb_before"])
    for name in set(vars(batch)) & set(row):
        np.testing.assert_array_equal(getattr(batch, name), row[name])


def test_images_of_acts_are_those_before_and_those_after(data):
    dataset = Dataset.open(data["push"])
    images = dataset.images()
    assert len(images) == 2 * len(dataset)
    batch = images.batch(np.array([len(dataset) + 1, 1]), np.random.default_rng(0))
    row = dataset.interactions[1]
    np.testing.assert_array_equal(batch.images[0].permute(1, 2, 0), row["rgb_after"])
    np.testing.assert_array_equal(batch.images[1].permute(1, 2, 0), row["rgb_before"])


def test_object_pairs_of_an_orbit_are_two_views_of_its_object(data):
    dataset = Dataset.open(data["orbit"])
    pairs = dataset.object_pairs()
    batch = pairs.batch(np.arange(len(pairs)), np.random.default_rng(0))
    np.testing.assert_allclose(batch.first_pixel[0], dataset.camera["intrinsics"][:2, 2])
    objects = dataset.objects
    first_of = dataset.object_numbers[dataset.episodes["objects_start"]]
    assert set(batch.object.tolist()) <= set(first_of.tolist())
    assert len(objects["index"]) == len(dataset.object_numbers)
    with pytest.raises(DataError, match="follows no object"):
        Dataset.open(data["roam"]).object_pairs()


def test_object_pairs_of_a_table_are_one_thing_on_two_tables(tmp_path):
    """The instance masks tell what lies at the pixels: the same object, in images of two episodes."""
    few = {"categories": "cup,ball,book,mug", "instances": (0, 1), "clutter": 3}
    collect("push", tmp_path / "push", episodes=6, size=64, instance=True, progress=False, **few)
    dataset = Dataset.open(tmp_path / "push")
    pairs = dataset.object_pairs()
    batch = pairs.batch(np.arange(len(pairs)), np.random.default_rng(0))
    before = torch.from_numpy(dataset.array("interactions/rgb_before")[:]).movedim(-1, -3)
    masks, objects = dataset.array("interactions/instance_before")[:], dataset.objects
    right = []
    for n in range(len(pairs)):
        episodes = []
        for pictures, pixels in ((batch.first, batch.first_pixel), (batch.second, batch.second_pixel)):
            (episode,) = np.flatnonzero((before == pictures[n]).flatten(1).all(1))
            column, row = np.round(pixels[n].numpy()).astype(int)
            thing = np.flatnonzero((objects["episode"] == episode) & (dataset.object_numbers == int(batch.object[n])))
            right.append(masks[episode, row, column] in objects["index"][thing])
            episodes.append(episode)
        assert episodes[0] != episodes[1]
    assert np.mean(right) > 0.8  # of a cup one may look into, the middle is its ground, of a tall object its foot
    collect("push", tmp_path / "one", episodes=1, size=32, clutter=2, progress=False)
    with pytest.raises(DataError, match="no object is on two tables"):
        Dataset.open(tmp_path / "one").object_pairs()


def test_a_request_for_what_a_data_set_has_not_says_what_it_has(data):
    roam, push = Dataset.open(data["roam"]), Dataset.open(data["push"])
    for request, said in (
        (lambda: roam.interactions, "has frames"),
        (lambda: push.frames, "has interactions"),
        (lambda: push.pairs(max_gap=1), "take roam, video, hold or orbit"),
        (lambda: roam.trials(), "take grasp, poke, push"),
        (lambda: roam.array("frames/rbg"), "did you mean 'frames/rgb'"),
        (lambda: roam.pairs(), "either max_gap"),
    ):
        with pytest.raises(DataError, match=said):
            request()


def test_few_open_shards_are_enough(data, monkeypatch):
    import embodied_ssl.datasets.read.readers as readers

    expected = Dataset.open(data["roam"]).frames[:]["rgb"]
    monkeypatch.setattr(readers, "MOST_OPEN_SHARDS", 1)
    dataset = Dataset.open(data["roam"])
    rows = np.random.default_rng(0).integers(0, len(dataset), 50)
    out = np.empty((50, 24, 24, 3), np.uint8)
    np.testing.assert_array_equal(dataset.array("frames/rgb").read(rows, out), expected[rows])
    assert len(dataset._open) == 1


@pytest.mark.parametrize("path", ["frames/motor", "frames/rgb", "frames/flow"])
@pytest.mark.parametrize("rows", [[], [3], [5, 1, 5], [40, 2, 28, 2, 44], [[1, 44], [30, 0]]])
def test_rows_land_in_their_order_wherever_they_come_from(data, path, rows):
    """Rows small and large, of no shard, one and two; into memory of the reader's and of any other layout."""
    array = Dataset.open(data["roam"]).array(path)
    expected = array[:][np.array(rows, int)]
    np.testing.assert_array_equal(array[rows], expected)
    flat, expected = np.ravel(rows), expected.reshape(-1, *array.shape[1:])
    room = array.room(len(flat))
    assert not len(flat) or room.ctypes.data % 64 == 0
    assert array.read(flat, room) is room
    strided = np.empty((2 * len(flat), *array.shape[1:]), array.dtype)[::2]
    for out in (room, array.read(flat, strided)):
        np.testing.assert_array_equal(out, expected)


def test_a_batch_moves_as_a_whole(data):
    batch = Batches(Dataset.open(data["roam"]).pairs(max_gap=2), batch_size=4)[0].to("meta")
    assert len(batch) == 4
    assert all(tensor.device.type == "meta" for tensor in vars(batch).values())


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


@pytest.mark.parametrize(("kind", "across"), [("hold", "scenes"), ("hold", "episodes"), ("orbit", "episodes")])
def test_two_views_of_an_object_lie_where_they_were_asked_to(tmp_path, kind, across):
    settings = {"categories": "mug", "instances": (0, 2), "size": 16}
    collect(kind, tmp_path / "set", episodes=6, length=6, shard_episodes=4, progress=False, **settings)
    dataset = Dataset.open(tmp_path / "set")
    pairs = dataset.object_pairs(across)
    first, second = pairs._views.draw(np.tile(np.arange(len(pairs)), 20), np.random.default_rng(0))
    episodes = dataset.episodes
    episode = [np.searchsorted(episodes["start"], rows, side="right") - 1 for rows in (first, second)]
    held = [dataset.object_numbers[episodes["objects_start"][each]] for each in episode]
    np.testing.assert_array_equal(held[0], held[1])
    if across == "episodes":
        assert (episode[0] != episode[1]).all()
    else:
        visit = dataset.array("frames/visit")[:]
        np.testing.assert_array_equal(episode[0], episode[1])
        assert (visit[first] != visit[second]).all()
    partners = {tuple(pair) for pair in np.stack([first, second], 1).tolist()}
    mean = len(partners) / len(np.unique(first))
    assert mean > 2  # they are drawn anew each time


def test_several_pairs_of_an_object_in_a_batch_are_each_from_scenes_of_their_own(tmp_path):
    collect("hold", tmp_path / "set", episodes=5, length=12, visits=6, size=16, progress=False)
    dataset = Dataset.open(tmp_path / "set")
    pairs = dataset.object_pairs("scenes", together=3)
    first, second = pairs._views.draw(np.arange(len(pairs))[::5], np.random.default_rng(0))
    assert len(first) == len(second) == len(dataset) / 5  # also where the last object has fewer pairs than three
    episode, visit = np.searchsorted(dataset.episodes["start"], first, side="right") - 1, dataset.array("frames/visit")
    for at in range(0, len(first) - 3, 3):
        rows = np.concatenate([first[at : at + 3], second[at : at + 3]])
        assert (np.searchsorted(dataset.episodes["start"], rows, side="right") - 1 == episode[at]).all()
        assert sorted(visit[rows]) == list(range(6))
    with pytest.raises(DataError, match="8 scenes"):
        dataset.object_pairs("scenes", together=4)
    with pytest.raises(DataError, match="across scenes, not tables"):
        dataset.object_pairs("tables", together=2)


@pytest.mark.parametrize(("kind", "across"), [("hold", "scenes"), ("orbit", "tables"), ("grasp", "tables"),
                                              ("push", "interaction")])  # fmt: skip
def test_a_masked_background_leaves_the_object_and_nothing_else(tmp_path, kind, across):
    settings: dict = {"length": 6} if kind in ("hold", "orbit") else {"trajectory": across != "tables"}
    collect(
        kind,
        tmp_path / "set",
        5,
        seed=3,
        size=32,
        instance=True,
        categories="mug",
        instances=(0, 3),
        progress=False,
        **settings,
    )
    dataset = Dataset.open(tmp_path / "set")
    index = np.arange(len(dataset.object_pairs(across)))[:6]
    kept, masked = (
        dataset.object_pairs(across, background=background).batch(index, np.random.default_rng(0))
        for background in ("kept", "masked")
    )
    shares = []
    for one, other, pixel in (
        (kept.first, masked.first, masked.first_pixel),
        (kept.second, masked.second, masked.second_pixel),
    ):
        grey = (other == 128).all(1)  # [B, H, W]
        shown = ~grey
        assert torch.equal(other.movedim(1, -1)[shown], one.movedim(1, -1)[shown])
        shares.append(shown.float().mean((1, 2)))
        for image, (u, v) in zip(shown, pixel.round().long().tolist(), strict=True):
            near = image[max(v - 8, 0) : v + 9, max(u - 8, 0) : u + 9]
            assert near.sum() > 0.6 * image.sum()  # the mask is where the object is
    shares = torch.stack(shares)
    assert (shares > 0).float().mean() > 0.8  # some are hidden by others
    assert shares.max() < 0.7


def test_a_background_is_masked_only_by_masks(tmp_path):
    collect("orbit", tmp_path / "set", 2, length=2, size=16, progress=False)
    with pytest.raises(
        DataError, match="has no frames/instance to mask backgrounds by; collect it with --instance true"
    ):
        Dataset.open(tmp_path / "set").object_pairs(background="masked")
    with pytest.raises(DataError, match="unknown background 'gone'"):
        Dataset.open(tmp_path / "set").object_pairs(background="gone")


def test_fewer_shards_stay_open_where_a_process_may_have_few_files(data, monkeypatch):
    resource = pytest.importorskip("resource")
    dataset = Dataset.open(data["roam"])
    monkeypatch.setattr(resource, "getrlimit", lambda which: (4, 4))
    assert len(dataset.manifest.shards) > 1
    for row in range(0, len(dataset), 5):
        dataset.array("frames/rgb")[row]
        assert len(dataset._open) == 1
