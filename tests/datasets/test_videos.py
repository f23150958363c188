"""Videos of episodes: the data's frames at the data's rate, in what browsers play, or one clear error and no file."""

import re
import shutil
import subprocess
import threading

import av
import cv2
import numpy as np
import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery import videos
from embodied_ssl.datasets.gallery.videos import enlarge, frame_rate, video
from embodied_ssl.datasets.read.readers import Dataset

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def has_encoder(name: str) -> bool:
    try:
        return bool(av.Codec(name, "w"))
    except av.codec.codec.UnknownCodecError:
        return False


def decoded(path) -> tuple[object, np.ndarray]:
    """The stream of a video and its images, uint8 [T, H, W, 3]."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return container.streams.video[0], np.stack(pictures)


@pytest.mark.parametrize("kind", ["roam", "orbit"])
def test_a_video_has_the_frames_of_its_episode(data, kind, tmp_path):
    dataset = Dataset.open(data[kind])
    path = video(data[kind], 2, tmp_path / "episode.mp4")
    start, length = dataset.episodes["start"][2], dataset.episodes["length"][2]
    stream, shown = decoded(path)
    assert stream.average_rate == 10
    assert stream.codec_context.name in ("h264", "vp9")
    assert stream.pix_fmt == "yuv420p"
    assert (stream.codec_context.colorspace, stream.codec_context.color_range) == videos._BT601  # nothing to guess
    assert len(shown) == length
    for image, stored in zip(shown, dataset.array("frames/rgb")[start + np.arange(length)], strict=True):
        small = cv2.resize(image, stored.shape[:2], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(float) - stored).mean() < 8  # the codec's error
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a player on a network starts at once
    assert [file.name for file in tmp_path.iterdir()] == ["episode.mp4"]
    assert video(data[kind], 2, tmp_path / "again.mp4").read_bytes() == content


@pytest.mark.parametrize("encoder", [name for name in videos._ENCODERS if has_encoder(name)])
@pytest.mark.parametrize("size", [(96, 96), (61, 97), (385, 1), (401, 720)])
def test_every_encoder_takes_every_size(encoder, size, tmp_path, monkeypatch):
    height, width = size
    slope = np.linspace(0, 255, height)[:, None], np.linspace(255, 0, width)[None]
    pictures = np.stack([np.stack(np.broadcast_arrays(*slope, 50.0 * time), -1) for time in range(3)]).astype(np.uint8)
    monkeypatch.setattr(videos, "_ENCODERS", {encoder: videos._ENCODERS[encoder]})
    videos._write(tmp_path / "a.mp4", pictures, 30.0)
    _, shown = decoded(tmp_path / "a.mp4")
    expected = np.stack([enlarge(image) for image in pictures])
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(float) - expected).mean() < 8


PLAYER = """<video muted autoplay src="a.mp4"></video><script>
const video = document.querySelector("video");
video.onerror = () => console.log("PLAYER refused", video.error.message);
video.onended = () => {
  createImageBitmap(video).then(bitmap => console.log("PLAYER ended", video.currentTime, bitmap.width, bitmap.height));
};
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_plays_a_video_to_its_end(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 96, 96, 3), np.uint8)
    videos._write(tmp_path / "a.mp4", pictures, 10.0)
    (tmp_path / "page.html").write_text(PLAYER)
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
               "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
               f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "page.html").as_uri()]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as browser:
        watch = threading.Timer(60, browser.kill)  # it says something, or is ended and has said nothing
        watch.start()
        said = next((line for line in browser.stderr or () if "PLAYER" in line), "nothing")
        watch.cancel()
        browser.terminate()
    assert re.search(r"PLAYER ended 0\.[56]\d* 384 384", said), said


def test_videos_that_cannot_be_made_are_refused_and_leave_nothing(data, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="single interactions"):
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
    monkeypatch.setattr(videos, "_ENCODERS", {"an_encoder_of_the_future": {}})
    with pytest.raises(DataError, match="no encoder that browsers play"):
        video(data["roam"], 0, tmp_path / "a.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["taken.mp4"]


def test_enlarging_keeps_the_proportions_and_ends_even():
    assert enlarge(np.zeros((96, 96, 3), np.uint8)).shape == (384, 384, 3)
    assert enlarge(np.zeros((401, 517, 3), np.uint8)).shape == (402, 518, 3)
    assert frame_rate(np.array([0.0])) == 10
    assert frame_rate(np.array([0.0, 0.05, 0.1])) == pytest.approx(20)
