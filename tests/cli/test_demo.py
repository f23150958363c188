"""The demonstration's own part; the study that it runs is held by its own tests."""

from embodied_ssl.cli.demo import grasp_once
from embodied_ssl.datasets.gallery.page import view
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check


def test_one_grasp_is_shown_from_beside_the_table_and_from_the_hand(tmp_path):
    folder = grasp_once(tmp_path)
    assert grasp_once(tmp_path) == folder  # a second demonstration finds it
    assert check(folder) == []
    dataset = Dataset.open(folder)
    assert dataset.cameras == ("scene", "wrist")
    assert dataset.array("interactions/success")[:].tolist() == [True]  # what people see first is a grasp that holds
    page = view([folder], tmp_path / "data.html").read_text()
    assert all(f"rgb/{camera}" in page for camera in dataset.cameras)
    assert "Joint torque" in page
