"""Videos of episodes: the data's frames at the data's rate, or one clear error and no file."""

import cv2
import numpy as np
import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.datasets.videos import enlarge, frame_rate, video


@pytest.mark.parametrize("kind", ["roam", "orbit"])
def test_a_video_has_the_frames_of_its_episode(data, kind, tmp_path):
    dataset = Dataset.open(data[kind])
    path = video(data[kind], 2, tmp_path / "episode.mp4")
    start, length = dataset.episodes["start"][2], dataset.episodes["length"][2]
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    shown = [capture.read()[1] for _ in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))]
    capture.release()
    assert len(shown) == length
    for picture, stored in zip(shown, dataset.array("frames/rgb")[start + np.arange(length)], strict=True):
        small = cv2.resize(picture[..., ::-1], stored.shape[:2], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(float) - stored).mean() < 8  # the codec's error
    assert [file.name for file in tmp_path.iterdir()] == ["episode.mp4"]


def test_videos_that_cannot_be_made_are_refused_and_leave_nothing(data, tmp_path):
    with pytest.raises(DataError, match="single acts"):
        video(data["grasp"], 0, tmp_path / "a.mp4")
    for wrong in (-1, 5):
        with pytest.raises(DataError, match=r"no episode -?\d; it has 0 to 4"):
            video(data["roam"], wrong, tmp_path / "a.mp4")
    with pytest.raises(DataError, match=r"ends in \.mp4"):
        video(data["roam"], 0, tmp_path / "a.avi")
    with pytest.raises(DataError, match="no such directory"):
        video(data["roam"], 0, tmp_path / "absent" / "a.mp4")
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        video(data["roam"], 0, tmp_path / "taken.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["taken.mp4"]


def test_enlarging_keeps_the_proportions_and_ends_even():
    assert enlarge(np.zeros((96, 96, 3), np.uint8)).shape == (384, 384, 3)
    assert enlarge(np.zeros((401, 517, 3), np.uint8)).shape == (402, 518, 3)
    assert frame_rate(np.array([0.0])) == 10
    assert frame_rate(np.array([0.0, 0.05, 0.1])) == pytest.approx(20)
