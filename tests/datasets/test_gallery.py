"""Pages and videos of data sets: they show the data's own pixels and figures, and need nothing but themselves."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.episodes import episode_labels, spread, wall
from embodied_ssl.datasets.gallery.interactions import Interactions, cards, closing_line, pixels_per_metre, project
from embodied_ssl.datasets.gallery.maps import footprint
from embodied_ssl.datasets.gallery.page import view
from embodied_ssl.datasets.gallery.results import stiffness, stiffness_chart
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.envs.world.camera import Camera

VIDEO_KINDS, ACT_KINDS = ("roam", "orbit", "hold"), ("grasp", "push", "poke")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """A page as tags with attributes; fails on tags that do not match."""

    VOID = frozenset(["meta", "link", "img", "input", "br"])

    def __init__(self, path: Path):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)

    def all(self, tag: str, css: str = "") -> list[dict[str, str | None]]:
        """The attributes of every such tag that has the class."""
        found = [attributes for name, attributes in self.tags if name == tag]
        return [a for a in found if not css or css in (a.get("class") or "").split()]


def players_of(content: Page) -> list[dict[str, Any]]:
    """What the scripts of a page play."""
    return [json.loads(script) for script in content.scripts if script.lstrip().startswith("{")]


def decode(url: str) -> np.ndarray:
    """The RGB image of a data URL."""
    content = base64.b64decode(url.partition(",")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def same_image(shown: np.ndarray, stored: np.ndarray) -> bool:
    """Whether two images differ by no more than a lossy encoder's error: 8 levels of 255 in the mean."""
    return shown.shape == stored.shape and bool(np.abs(shown.astype(float) - stored).mean() < 8)


@pytest.fixture(scope="module")
def page(data, tmp_path_factory) -> Path:
    return view(list(data.values()), tmp_path_factory.mktemp("page") / "new" / "all.html")


def test_a_page_is_one_balanced_document_that_needs_nothing_else(page, data):
    content = Page(page)
    text = page.read_text()
    assert len(content.all("section", "data")) == len(data)
    for _, attributes in content.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    assert not re.search(r"https?://|\bfetch\(|@import|url\(|XMLHttpRequest|\bimport\(", text)
    identifiers = [a["id"] for _, a in content.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))


def test_images_are_as_many_as_there_are_interactions_and_episodes(page, data):
    content = Page(page)
    sets = {kind: Dataset.open(path) for kind, path in data.items()}
    interactions = sum(len(of) for kind, of in sets.items() if kind not in VIDEO_KINDS)
    tiles = sum(len(sets[kind].episodes["start"]) for kind in VIDEO_KINDS)
    films = sum(len(of) for of in sets.values() if "steps/time" in of.fields)
    legends = 3  # of depth, and twice of flow
    players = players_of(content)
    stills = sum(len(player["episodes"][0]["stills"]) for player in players if "cameras" in player)
    assert stills == 4
    assert len(content.all("img")) == 2 * interactions + films + stills + 2 * tiles + legends
    assert [len(player["episodes"]) for player in players] == [5, 4, 5, 4]
    assert players[0]["layers"] == ["rgb", "depth", "instance", "flow"]
    assert players[1]["layers"] == ["rgb", "instance"]


def test_a_scrubber_holds_the_frames_and_the_motion_of_its_episode(page, data):
    player = players_of(Page(page))[0]
    dataset = Dataset.open(data["roam"])
    episode = player["episodes"][2]
    index = int(episode["label"].rpartition(" ")[2])
    start, length = dataset.episodes["start"][index], dataset.episodes["length"][index]
    stored = dataset.frames[np.arange(start, start + length)]
    assert episode["frame"] == list(range(length))
    np.testing.assert_allclose(episode["time"], stored["time"], atol=1e-3)
    motor = np.array(episode["values"], float).T
    np.testing.assert_allclose(motor, stored["motor"], atol=1e-6)  # that of the last frame is no number
    assert episode["curves"].count("<svg") == len(dataset.motor_signals) == 2
    np.testing.assert_allclose(np.array(episode["place"])[:, :2], stored["pose"][:, :2, 3], atol=1e-4)
    rgb, instance = (decode(episode["sheets"][layer]) for layer in ("rgb", "instance"))
    side = stored["rgb"].shape[1]
    for frame in range(length):
        row, column = divmod(frame, episode["columns"])
        place = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
        assert same_image(rgb[place], stored["rgb"][frame])
        errors = np.abs(rgb[place].astype(float) - stored["rgb"]).mean(axis=(1, 2, 3))
        assert errors[frame] <= errors.min() + 0.5  # no other frame fits better
        np.testing.assert_array_equal(instance[place], thumbnails.instance_colours(stored["instance"][frame]))


@pytest.mark.parametrize("kind", ACT_KINDS)
def test_cards_show_the_images_of_their_interaction(data, kind):
    dataset = Dataset.open(data[kind])
    interactions = Interactions.sample(dataset)
    shown = cards(interactions, budget=10**7)
    assert len(shown) == len(dataset)
    for i, card in enumerate(shown):
        stored = dataset.interactions[int(interactions.rows[i])]
        assert same_image(decode(card.before), stored["rgb_before"])
        assert same_image(decode(card.after), stored["rgb_after"])
        if kind == "grasp":
            assert card.outcome == ("success" if stored["success"] else "failure")


def test_wall_shows_first_and_middle_frames(data):
    dataset = Dataset.open(data["orbit"])
    rgb = dataset.array("frames/rgb")
    for tile in wall(dataset, episode_labels(dataset)):
        start, length = dataset.episodes["start"][tile.episode], dataset.episodes["length"][tile.episode]
        assert same_image(decode(tile.first), rgb[start])
        assert same_image(decode(tile.middle), rgb[start + length // 2])


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2, 2.8])
def test_closing_line_has_its_angle_length_and_middle(angle):
    first, second = closing_line((30.0, 12.5), angle, 9.0)
    along = second - first
    assert np.arctan2(along[1], along[0]) % np.pi == pytest.approx(angle)
    assert np.linalg.norm(along) == pytest.approx(9.0)
    np.testing.assert_allclose((first + second) / 2, (30.0, 12.5))


def test_the_drawn_grasp_is_that_of_the_record(data):
    dataset = Dataset.open(data["grasp"])
    interactions = Interactions.sample(dataset)
    for i, card in enumerate(cards(interactions, 10**7)):
        start, end = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", str(card.drawn_before))[:2]
        along = np.subtract(np.array(end, float), np.array(start, float))
        record = dataset.interactions[int(interactions.rows[i])]
        turned = (np.arctan2(along[1], along[0]) - record["angle"] + np.pi / 2) % np.pi - np.pi / 2
        assert abs(turned) < 0.01
        middle = np.add(np.array(start, float), np.array(end, float)) / 2
        np.testing.assert_allclose(middle, record["pixel"], atol=0.02)


def test_world_places_land_where_the_camera_projects_them(data):
    dataset = Dataset.open(data["push"])
    side = dataset.array("interactions/rgb_before").shape[1]
    camera, pose = Camera(side, side, dataset.camera["intrinsics"]), dataset.camera["pose"].astype("f8")
    places = np.random.default_rng(0).uniform((-0.2, -0.2, 0), (0.2, 0.2, 0.1), (20, 3))
    np.testing.assert_allclose(project(dataset, places), camera.project(places, pose)[0], atol=1e-3)
    ends = project(dataset, [(0, 0, 0), (0.1, 0, 0)])
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(0.1 * pixels_per_metre(dataset), rel=0.01)


def test_the_same_data_give_the_same_page(data, page, tmp_path):
    again = view(list(data.values()), tmp_path / "again.html")
    assert again.read_bytes() == page.read_bytes()


def test_a_page_keeps_to_its_size_and_shows_something_still(data, tmp_path):
    large = view(data["roam"], tmp_path / "large.html")
    small = view(data["roam"], tmp_path / "small.html", megabytes=0.0)
    player = players_of(Page(small))[0]
    assert len(player["episodes"]) == 1
    assert small.stat().st_size < large.stat().st_size < 1e6


def test_a_page_goes_beside_its_data_by_default(data, tmp_path):
    shutil.copytree(data["poke"], tmp_path / "poke")
    assert view(tmp_path / "poke") == tmp_path / "poke.html"


def test_requests_that_cannot_be_met_are_refused(data, tmp_path):
    with pytest.raises(DataError, match="no such directory"):
        view(tmp_path / "absent")
    with pytest.raises(DataError, match="at least one"):
        view([])
    with pytest.raises(DataError, match="a directory"):
        view(data["poke"], tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be made"):
        view(data["poke"], tmp_path / "file" / "page.html")


_PRESSES_KEYS = """<script>
for (const key of ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"])
  document.querySelector(".scrubber").dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const act = [...document.querySelectorAll(".scrubber")].at(-1);
const chart = act.querySelector(".curve-panel svg");
const clientX = chart.getBoundingClientRect().right - 1;
chart.dispatchEvent(new PointerEvent("pointerdown", { clientX, buttons: 1, bubbles: true }));
act.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
document.title = document.querySelector(".scrubber select").selectedOptions[0].textContent;
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_runs_without_errors_and_goes_where_it_is_told(page, tmp_path):
    moving = tmp_path / "moving.html"  # the page, with a reader who presses keys
    moving.write_text(page.read_text().replace("</body>", _PRESSES_KEYS + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom"]
    first, *_, last = players_of(Page(page))
    episodes = first["episodes"]
    number = next(one["number"] for place, one in enumerate(episodes) if one["number"] != place)
    place = f"{moving.as_uri()}#section=roam-0&episode={number}&frame=5&outcome=success"
    done = subprocess.run([*command, place], capture_output=True, text=True, timeout=600, check=True)  # type: ignore[list-item]
    assert "CONSOLE" not in done.stderr
    assert f", episode {number}</title>" in done.stdout
    assert "frame 7 of 9 · 0.70 s" in done.stdout
    assert "frame 0 of 8 · 0.00 s" in done.stdout  # the orbit stays at its start
    shown_act = last["episodes"][0]  # dragged to the right end of its curves, and a step back
    frame = len(shown_act["frame"]) - 2
    u, v, *_ = shown_act["ways"]["before"][frame]
    assert f"frame {frame} of {frame + 2} · " in done.stdout
    assert re.search(rf'<circle class="tip" r="[^"]*" transform="translate\({u:g} {v:g}\)"', done.stdout)
    assert f'transform="translate({shown_act["across"][frame]:g} 0)"' in done.stdout
    hidden = re.findall(r'<figure class="interaction card failure"[^>]*hidden', done.stdout)
    shown = re.findall(r'<figure class="interaction card failure"(?![^>]*hidden)', done.stdout)
    assert hidden
    assert not shown


def test_stiffness_is_that_of_a_spring_until_it_saturates():
    depth = np.arange(-5, 40) * 1e-4
    force = np.clip(5000 * depth + 2, 0, 12) * (depth >= 0)
    assert stiffness(force, depth) == pytest.approx(5000, rel=1e-3)
    assert np.isnan(stiffness(np.zeros(45), depth))


def test_what_gives_way_or_holds_still_has_no_dot_for_its_stiffness(data):
    """On a logarithmic axis: a force that falls as the finger goes down has a slope below nothing."""
    pokes = Interactions.sample(Dataset.open(data["poke"]))
    force, depth = pokes.values["force"], pokes.values["depth_travelled"]
    depth[:] = np.linspace(1e-3, 1e-2, depth.shape[1])  # [N, T], m
    force[:] = np.linspace(1.0, 5.0, force.shape[1])  # [N, T], N
    assert stiffness_chart(pokes, 0.05).count(" kN/m</title>") == len(pokes.rows)
    depth[0] = depth[0, ::-1]
    assert stiffness(force[0], depth[0]) < 0
    force[1] = 1.0
    assert stiffness_chart(pokes, 0.05).count(" kN/m</title>") == len(pokes.rows) - 2


def test_spread_takes_every_label_before_any_twice():
    labels = ["a"] * 50 + ["b"] * 3 + ["c"]
    order = spread(labels)
    assert sorted(order) == list(range(54))
    assert {labels[i] for i in order[:3]} == {"a", "b", "c"}
    assert sorted(labels[i] for i in order[3:5]) == ["a", "b"]


def test_footprints_turn_with_their_object():
    half = np.pi / 12
    corners = footprint((1.0, 2.0, 0.5), (0, 0, np.sin(half), np.cos(half)), (0.4, 0.2, 1.0))
    side = corners[1] - corners[0]
    np.testing.assert_allclose(corners.mean(axis=0), (1, 2))
    assert np.arctan2(side[1], side[0]) == pytest.approx(np.pi / 6)
    assert np.linalg.norm(side) == pytest.approx(0.4)
