"""Colours that say what they should, sheets and embedding."""

import base64

import cv2
import numpy as np

from embodied_ssl.datasets.gallery import thumbnails


def test_colours_say_what_they_should():
    near, middle, far, nothing = thumbnails.depth_colours(np.array([[0.5, 1.5, 5.0, 0.0]]), 0.5, 5.0)[0].astype(int)
    assert near[0] > near[2] + 50  # red
    assert middle[1] > max(middle[0], middle[2])  # green
    assert far[2] > far[0] + 50  # blue
    assert nothing.max() < 40
    right, still, unknown = thumbnails.flow_colours(np.array([[[4.0, 0], [0, 0], [np.nan, np.nan]]]), 4.0)[0].astype(
        int
    )
    assert right[0] > 200
    assert right[1:].max() < 20
    assert still.min() > 200
    assert (unknown == still).all()
    assert len(np.unique(thumbnails.instance_colours(np.arange(60, dtype=np.uint8)), axis=0)) == 60


def test_sheets_are_read_row_by_row():
    tiles = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((2, 3, 3), np.uint8)
    whole = thumbnails.sheet(tiles, 3)
    assert whole.shape == (6, 9, 3)
    assert whole[::2, ::3, 0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 0, 0]]


def test_flat_colours_survive_embedding_exactly():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    kind, _, content = thumbnails.embed_exactly(image).partition(",")
    assert kind == "data:image/png;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], image)


def test_images_shrink_to_a_side_and_never_grow():
    assert thumbnails.shrink(np.zeros((2, 300, 150, 3), np.uint8), 100).shape == (2, 100, 50, 3)
    small = np.ones((1, 20, 20, 3), np.uint8)
    assert thumbnails.shrink(small, 100) is small
