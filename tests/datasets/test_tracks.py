"""Both ends of tracks are the same object, or the same point: by masks, by geometry, by shifts that are known."""

import cv2
import h5py
import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports.hdf5 import Hdf5
from embodied_ssl.datasets.imports.importing import import_recordings
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.tracks import LEAST_SEEN


def all_of(dataset, gap_s):
    """All tracks of a data set, and the rows of the frames at their beginning and where they would end."""
    stream = dataset.tracks(gap_s)
    batch = stream.batch(np.arange(len(stream)), np.random.default_rng(0))
    start, length = dataset.episodes["start"], dataset.episodes["length"]
    first = np.concatenate([at + np.arange(count - 1) for at, count in zip(start, length, strict=True)])
    end = np.repeat(start + length, length - 1)
    gap = int(gap_s / 0.1 + 1e-6)
    np.testing.assert_array_equal(batch.first.permute(0, 2, 3, 1), dataset.array("frames/rgb")[first])
    assert torch.equal(batch.episode, torch.from_numpy(np.repeat(np.arange(len(start)), length - 1)))
    return batch, first, np.minimum(first + gap, end - 1)


def without(dataset, *names):
    for name in names:
        dataset.fields.pop(f"frames/{name}")
    return dataset


@pytest.mark.parametrize("kind", ["roam", "orbit"])
def test_by_masks_both_ends_are_the_middle_of_one_object(data, kind):
    dataset = Dataset.open(data[kind])
    batch, first, last = all_of(dataset, 0.3)
    masks, rgb = dataset.array("frames/instance"), dataset.array("frames/rgb")
    followed = 0
    for i, (one, other) in enumerate(zip(first, last, strict=True)):
        ends = masks[one], masks[other]
        seen = [m for m in np.unique(ends[0]) if m and all((end == m).sum() >= LEAST_SEEN * end.size for end in ends)]
        if not seen:
            continue  # followed by flow
        followed += 1
        middles = [[np.argwhere(end == number).mean(0)[::-1] for end in ends] for number in seen]
        found = np.stack([batch.first_pixel[i], batch.second_pixel[i]])
        assert min(np.abs(found - middle).max() for middle in middles) < 1e-3
        np.testing.assert_array_equal(batch.second[i].permute(1, 2, 0), rgb[other])
    assert followed > 0.8 * len(first)


def test_by_logged_flow_both_ends_are_one_point_of_the_room(data):
    """By depth and poses, which the flow says nothing of but for what hides the point."""
    dataset = without(Dataset.open(data["roam"]), "instance")
    batch, first, last = all_of(dataset, 0.3)
    intrinsics = dataset.camera["intrinsics"]
    pose, depth, rgb = (dataset.array(f"frames/{name}") for name in ("pose", "depth", "rgb"))
    errors, moved = [], []
    for i, row in enumerate(first):
        ends = np.flatnonzero(
            (rgb[np.arange(row, last[i] + 1)] == batch.second[i].permute(1, 2, 0).numpy()).all((1, 2, 3))
        )
        other = row + ends[-1]
        u, v = pixel = batch.first_pixel[i].numpy().astype("f8")
        ray = np.linalg.inv(intrinsics) @ [u, v, 1] * float(depth[row][round(v), round(u)])
        point = pose[row].astype("f8") @ [*ray, 1]
        seen = intrinsics @ (np.linalg.inv(pose[other].astype("f8")) @ point)[:3]
        errors.append(np.linalg.norm(seen[:2] / seen[2] - batch.second_pixel[i].numpy()))
        moved.append(np.linalg.norm(batch.second_pixel[i].numpy() - pixel))
    assert np.median(errors) < 0.3 < 1 < np.median(moved)
    assert np.quantile(errors, 0.8) < 1.5


@pytest.fixture(scope="module")
def sliding(tmp_path_factory):
    """Videos of a window that slides over a smooth texture by so many pixels a frame."""
    root, rng = tmp_path_factory.mktemp("sliding"), np.random.default_rng(0)
    shifts = [(2, 1), (-3, 0), (0, 2)]  # of what is seen, (right, down)
    with h5py.File(root / "videos.h5", "w") as file:
        for number, (right, down) in enumerate(shifts):
            texture = cv2.GaussianBlur(rng.uniform(0, 255, (120, 120, 3)), (0, 0), 1.5)
            texture = ((texture - texture.mean()) * 4 + 128).clip(0, 255).astype(np.uint8)
            frames = [texture[36 - t * down :, 36 - t * right :][:48, :48] for t in range(8)]
            file[f"data/demo_{number}/image"] = np.stack(frames)
            file[f"data/demo_{number}/motor"] = np.zeros((8, 1), np.float32)
    return root, shifts


def test_without_either_a_corner_is_followed_by_the_flow_of_the_images(sliding, tmp_path):
    root, shifts = sliding
    source = Hdf5([root / "videos.h5"], frames="data/*/image", motor=["data/*/motor"], rate=10.0)
    import_recordings(source, tmp_path / "set", size=48, length=8, progress=False)
    dataset = Dataset.open(tmp_path / "set")
    batch, first, last = all_of(dataset, 0.3)
    moved = (batch.second_pixel - batch.first_pixel).numpy()
    expected = np.array(shifts)[batch.episode.numpy()] * (last - first)[:, None]
    assert np.median(np.abs(moved - expected)) < 0.01
    assert np.abs(moved - expected).max() < 1  # where a window reaches beyond the image
    assert ((batch.first_pixel >= 12) & (batch.first_pixel < 36)).all()


def test_a_track_ends_where_its_point_leaves_the_image(data):
    dataset = without(Dataset.open(data["roam"]), "instance", "flow")
    stream = dataset.tracks(0.8)
    batch = stream.batch(np.arange(len(stream)), np.random.default_rng(0))
    assert ((batch.second_pixel >= 0) & (batch.second_pixel <= 23)).all()
    again = stream.batch(np.arange(len(stream)), np.random.default_rng(0))
    other = stream.batch(np.arange(len(stream)), np.random.default_rng(1))
    assert torch.equal(batch.second_pixel, again.second_pixel)
    assert not torch.equal(batch.first_pixel, other.first_pixel)


def test_what_has_no_tracks_is_refused(data):
    with pytest.raises(DataError, match="a grasp data set has no tracks"):
        Dataset.open(data["grasp"]).tracks()
    with pytest.raises(DataError, match="tracks: the largest gap is too short, no two frames"):
        Dataset.open(data["roam"]).tracks(0.01)
