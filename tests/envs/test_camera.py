"""The camera against OpenCV's projection, its own inverse, and exact flow against tracked points."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied_ssl.envs.world.camera import Camera, look_at, optical_flow


@given(st.integers(0, 10**6))
def test_projection_agrees_with_opencv(seed):
    rng = np.random.default_rng(seed)
    camera = Camera.from_fov(int(rng.integers(8, 300)), int(rng.integers(8, 300)), rng.uniform(0.2, 2.5))
    pose = look_at(rng.normal(size=3) * 3, rng.normal(size=3))
    points = rng.normal(size=(20, 3))
    world_to_camera = np.linalg.inv(pose)
    expected, _ = cv2.projectPoints(
        points, cv2.Rodrigues(world_to_camera[:3, :3])[0], world_to_camera[:3, 3], camera.intrinsics, None
    )
    pixels, depth = camera.project(points, pose)
    ahead = depth > 0.05
    np.testing.assert_allclose(pixels[ahead], expected[ahead, 0], atol=1e-4)
    np.testing.assert_allclose(camera.unproject(pixels[ahead], depth[ahead], pose), points[ahead], atol=1e-9)


def test_pose_is_a_rotation_with_opencv_axes():
    pose = look_at([1, 2, 3], [4, 4, 3])
    np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert pose[2, 1] < 0  # y runs down


def test_enlarged_keeps_the_view():
    camera, pose, point = Camera.from_fov(96, 64, 1.0), look_at([2, 0, 1], [0, 0, 0]), [0.2, 0.3, 0.1]
    small, large = camera.project(point, pose)[0], camera.enlarged(4).project(point, pose)[0]
    np.testing.assert_allclose((small + 0.5) * 4 - 0.5, large)


def test_flow_follows_points():
    camera, before, after = (
        Camera.from_fov(48, 32, 1.0),
        look_at([3, 0, 1], [0, 0, 0]),
        look_at([2.9, 0.2, 1.1], [0, 0.1, 0]),
    )
    depth = np.random.default_rng(0).uniform(2, 4, (32, 48))
    flow = optical_flow(camera, depth, before, after)
    point = camera.unproject([20, 10], depth[10, 20], before)
    np.testing.assert_allclose(flow[10, 20], camera.project(point, after)[0] - [20, 10], atol=1e-4)
    assert np.abs(optical_flow(camera, depth, before, before)).max() < 1e-4


@pytest.mark.parametrize("fov", [0.0, -1.0, np.pi, np.nan])
def test_impossible_fields_of_view_are_refused(fov):
    with pytest.raises(ValueError, match="field of view"):
        Camera.from_fov(10, 10, fov)


def test_looking_straight_up_with_up_upwards_is_refused():
    with pytest.raises(ValueError, match="coincide"):
        look_at([0, 0, 0], [0, 0, 1])
