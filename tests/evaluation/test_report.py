"""The report: it shows the numbers of its results, needs nothing but itself, and trusts no name."""

import base64
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.evaluation import figures as computed
from embodied_ssl.evaluation.panels import equivariance_figures
from embodied_ssl.evaluation.results import Result
from embodied_ssl.method import Panel
from embodied_ssl.report.curves import few_label_curves
from embodied_ssl.report.drawings import clusters_chart
from embodied_ssl.report.figures import (
    Equivariance,
    FeatureMap,
    MotionClusters,
    Predictions,
    RetrievalWall,
    TaskPanels,
    Tile,
)
from embodied_ssl.report.page import _gain, write_report
from embodied_ssl.report.tables import cells, row_order, tables
from embodied_ssl.report.text import markdown_table, plain_tables

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EVIL = "<script>document.title='broken'</script>\"'&"


class Page(HTMLParser):
    """A page's tags, and the texts of table cells; fails on tags that do not match."""

    VOID = frozenset(["meta", "link", "img", "br"])

    def __init__(self, path: Path):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
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
        if data.strip():
            self.texts.append(data.strip())

    def count(self, tag: str, css: str = "") -> int:
        return sum(name == tag and (not css or css in (a.get("class") or "").split()) for name, a in self.tags)


def result(row: str, seed: int, value: float, protocol: str = "linear_probe", on: str = "orbit", **settings) -> Result:
    return Result(row, seed, on, protocol, "accuracy", value, settings)


def images_of(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 16, 16, 3), dtype=np.uint8)


def tiles(rows: list[list[tuple[str, bool | None]]]) -> tuple[tuple[Tile, ...], ...]:
    return tuple(tuple(Tile(image, *own) for image, own in zip(images_of(len(row)), row, strict=True)) for row in rows)


def every_figure(name: str = "mug") -> list:
    rng = np.random.default_rng(1)
    return [
        RetrievalWall(
            name,
            tiles([
                [(name, None), (name, True), ("b", False), (name, True)],
                [("cup", None), ("c", False), ("d", False), ("cup", True)],
            ]),
        ),
        FeatureMap("PCA", rng.normal(size=(30, 2)), np.arange(30) % 2, (name, "cup"), np.array([3, 4]), images_of(2)),
        MotionClusters(("forward (m)", "yaw (rad)"), rng.normal(size=(50, 2)), np.arange(50) % 3, (name, "b", "c")),
        Equivariance(
            ("random", name), ("left", "right"), np.array([True, False]),
            np.array([[0.9, 0.95], [0.5, np.nan]]), np.array([[0.1, np.nan], [0.05, np.nan]]),
        ),
        TaskPanels(tiles([[(name, None), ("90°", True), ("b", False)], [(name, None), ("", True), ("", None)]])),
        Predictions(name, tiles([[(name, None), ("depth", None), ("predicted", None)]])),
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "equivariance-0"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"method": "equivariance", "settings": {"margin": 1.0, "note": EVIL}}))
    rows = [f"{step},{2 - step / 100:.3f},{'' if step % 20 else step / 200}" for step in range(0, 100, 10)]
    (folder / "metrics.csv").write_text("\n".join(["step,loss,probe_accuracy", *rows, "100,nan,"]))
    return folder


@pytest.fixture
def results() -> list[Result]:
    found = []
    for seed in range(3):
        for row, value in {"random": 0.25, "equivariance": 0.5, "labels": 0.75}.items():
            found.append(result(row, seed, value + 0.01 * seed))
            found += [
                result(row, seed, value + 0.02 * k, "few_labels", labels_per_class=k, draws=20) for k in (1, 6, 20)
            ]
    return found


def test_the_numbers_are_those_of_the_results(tmp_path, results):
    texts = Page(write_report(tmp_path / "report.html", results)).texts
    # values v, v + 0.01, v + 0.02: deviation 0.01, and Student's t of two degrees of freedom is 4.302653
    half = 4.302653 * 0.01 / math.sqrt(3)
    for mean in ("0.260", "0.510", "0.760"):
        assert mean in texts
    assert texts.count(f"± {half:.3f}") == 3
    [table] = tables(results)
    assert [row for row, _ in table.rows] == ["random", "equivariance", "labels"]
    assert [column.label for column in table.columns] == [
        "accuracy", *(f"accuracy, labels per class = {k}" for k in (1, 6, 20)),
    ]  # fmt: skip


def test_the_best_is_the_best_of_those_that_saw_no_labels():
    values = {"raw pixels": 0.2, "random": 0.3, "drlim": 0.5, "labels": 0.9, "imagenet": 0.95}
    seen = [result(row, seed, value + 0.01 * seed) for row, value in values.items() for seed in range(2)]
    [table] = tables(seen)  # of two seeds that differ by 0.01: ± 12.7062 · 0.01 / 2 = 0.0635
    assert [row for row, [cell] in table.rows if cell.best] == ["drlim"]
    assert table.first_reference == "labels"
    lower = [replace(one, metric="rho", lower_is_better=True) for one in seen]
    assert [row for row, [cell] in tables(lower)[0].rows if cell.best] == []  # 0.205 and 0.305: too near
    far = [replace(one, value=one.value / (2 if one.row == "raw pixels" else 1)) for one in lower]
    assert [row for row, [cell] in tables(far)[0].rows if cell.best] == ["raw pixels"]  # 0.1025 ± 0.032 and ± 0.0635
    [alone] = tables([one for one in seen if one.seed == 0])
    assert not any(cell.best for _, [cell] in alone.rows)  # one seed has no interval, and tells nothing apart


def test_what_learned_from_few_labels_is_told_from_what_learned_from_none():
    values = {"raw pixels": 0.2, "drlim": 0.5, "fixmatch": 0.7, "labels, 1 %": 0.8}
    seen = [
        replace(result(row, seed, value + 0.001 * seed), from_labels=row in ("fixmatch", "labels, 1 %"))
        for row, value in values.items()
        for seed in range(2)
    ]
    assert [row for row, [cell] in tables(seen)[0].rows if cell.best] == ["drlim"]
    taught = [one for one in seen if one.row != "drlim"]  # nothing has learned without labels: the best of all
    assert [row for row, [cell] in tables(taught)[0].rows if cell.best] == ["labels, 1 %"]


def test_tables_say_how_many_samples_a_row_has_seen(tmp_path):
    seen = {"raw pixels": 0, "drlim": 1_280, "simclr": 128_000}
    found = [replace(result(row, 0, 0.5), samples=samples) for row, samples in seen.items()]
    assert tables(found)[0].samples == seen
    assert markdown_table(found).splitlines()[-1].startswith("| simclr | 128,000 | 0.500")
    assert {"samples seen", "1,280", "128,000"} <= {*Page(write_report(tmp_path / "report.html", found)).texts}
    assert "samples seen" not in markdown_table([result("drlim", 0, 0.5)])


def test_rows_stand_in_the_order_of_what_they_know():
    names = ["imagenet", "labels", "rotation", "random init", "curious_robot", "raw pixels"]
    assert sorted(names, key=row_order) == [
        "raw pixels",
        "random init",
        "rotation",
        "curious_robot",
        "labels",
        "imagenet",
    ]


def test_what_a_row_is_goes_by_the_words_it_begins_with():
    """Not by letters within a name: `simclr_imagenette` is a method, and nobody's baseline."""
    values = {"random": 0.3, "rotation": 0.4, "simclr": 0.5, "simclr_imagenette": 0.6, "random_crops": 0.2,
              "simclr without colours": 0.45, "label_smoothing": 0.35}  # fmt: skip
    seen = [result(row, seed, value + 0.001 * seed) for row, value in values.items() for seed in range(3)]
    (table,) = tables(seen)
    assert {row for row, _ in table.rows} == set(values)
    assert [row for row, [cell] in table.rows if cell.best] == ["simclr_imagenette"]
    assert [row for row in values if row_order(row)[0] != 1] == ["random"]
    assert row_order("ImageNet labels (another architecture)")[0] == row_order("labels, 1 %")[0] == 2


def test_the_gain_is_over_the_best_of_the_random_encoders():
    values = {"random resnet8": 0.25, "random split/resnet8": 0.4, "drlim": 0.5, "fixmatch": 0.9}
    seen = [replace(result(row, 0, value), from_labels=row == "fixmatch") for row, value in values.items()]
    _what, gain, note = _gain(tables(seen)[0])
    assert (gain, note) == ("1.25 × random", "drlim, 0.500 against 0.400")


def test_heads_of_a_terminals_table_are_whole():
    metrics = ("R² of actions by state@50", "R² of actions by state@200")
    text = plain_tables([replace(result("drlim", 0, 0.5), metric=metric) for metric in metrics])
    assert "state@50" in text
    assert "state@200" in text
    assert len({len(line) for line in text.splitlines()[1:] if line.strip()}) == 1  # as wide as one another


def test_few_labels_of_objects_have_a_curve_of_their_own():
    of = [
        replace(result("drlim", 0, 0.1 * k), protocol="few_labels", metric=f"accuracy@{k} {what}")
        for k in (1, 5) for what in ("objects", "images")
    ]  # fmt: skip
    assert [figure.title.rpartition(", ")[2] for figure in few_label_curves(of, {})] == ["objects", "images"]


def test_one_signal_alone_has_its_chart_of_patterns():
    motion = np.array([[-0.0092], [0.0011], [0.0012], [0.0093]])
    clusters = computed.motion_clusters(("forward (m)",), motion, motion[[0, 1, 3]])
    assert clusters.names == ("−0.0092 m", "+0.0011 m", "+0.0093 m")
    chart, key = clusters_chart(clusters)
    assert str(chart).count("<circle") == 4
    assert len(key) == 3


def test_one_seed_has_no_interval_and_what_is_no_number_is_a_dash(tmp_path):
    found = [result("random", 0, 0.25), result("drlim", 0, math.nan), result("equivariance", 0, 0.5)]
    texts = Page(write_report(tmp_path / "report.html", found)).texts
    assert "0.250" in texts
    assert "0.500" in texts
    assert "–" in texts
    assert not [text for text in texts if re.fullmatch(r"± .*", text)]
    assert "nan" not in " ".join(texts).lower().split()


def test_seeds_that_differ_in_a_setting_share_a_column():
    chosen = cells([result("random", seed, 0.1 * seed, regularisation=10.0**seed) for seed in range(3)])
    [(column, cell)] = chosen["random"].items()
    assert (column.settings, cell.seeds) == ((), 3)


def test_a_page_is_balanced_and_needs_nothing_else(tmp_path, results, run):
    page = write_report(tmp_path / "new" / "report.html", results, [run], {"random": every_figure()})
    content, text = Page(page), page.read_text()
    for _, attributes in content.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    assert not re.search(r"https?://|\bfetch\(|@import|url\(|<script", text)
    identifiers = [a["id"] for _, a in content.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {"results", "few", "tasks", "predictions", "wall", "map", "motions", "equivariance"} <= set(identifiers)
    assert {"curves", "runs"} <= set(identifiers)


def test_every_figure_is_drawn_in_full(tmp_path):
    content = Page(write_report(tmp_path / "report.html", figures={"drlim-0": every_figure()}))
    assert (content.count("figure", "right"), content.count("figure", "wrong")) == (3 + 2, 3 + 1)
    assert content.count("rect", "own") == 3  # of four bars one is no number
    assert content.count("image") == 2


def test_names_from_files_are_text_and_never_markup(tmp_path, results, run):
    found = results + [
        Result(EVIL, 0, EVIL, EVIL, EVIL, 0.5, {EVIL: EVIL}),
        Result(EVIL, 0, EVIL, EVIL, EVIL, 0.4, {EVIL: "b"}),
    ]
    (run / "metrics.csv").write_text(f"step,loss,{EVIL.split(chr(34))[0]}\n0,1,2\n10,0.5,1\n20,0.4,1\n")
    page = write_report(tmp_path / "report.html", found, [run], {EVIL: every_figure(EVIL)}, title=EVIL)
    assert "<script" not in page.read_text().lower()
    assert Page(page).count("script") == 0


def test_the_same_results_give_the_same_bytes(tmp_path, results, run):
    def page(name):
        return write_report(tmp_path / name, results, [run], {run.name: every_figure()}).read_bytes()

    assert page("a.html") == page("b.html")


@pytest.mark.parametrize("missing", ["metrics", "figures", "both"])
def test_what_is_missing_is_left_out(tmp_path, run, missing):
    if missing != "figures":
        (run / "metrics.csv").unlink()
    figures = {run.name: every_figure()} if missing == "metrics" else None
    content = Page(write_report(tmp_path / "report.html", runs=[run], figures=figures))
    identifiers = {a["id"] for _, a in content.tags if "id" in a}
    assert ("curves" in identifiers) == (missing == "figures")
    assert ("wall" in identifiers) == (missing == "metrics")
    assert "results" not in identifiers


def test_an_empty_report_says_so(tmp_path):
    assert "There is nothing to report yet." in Page(write_report(tmp_path / "report.html")).texts


@pytest.mark.parametrize(("name", "content"), [("run.json", b"{"), ("metrics.csv", b"step,loss\n1,x")])
def test_a_damaged_file_is_named(tmp_path, run, name, content):
    (run / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(run / name))) as caught:
        write_report(tmp_path / "report.html", runs=[run])
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1300, 500])
def test_a_browser_shows_the_page_without_complaint(tmp_path, results, run, width):
    page = write_report(tmp_path / "report.html", results, [run], {run.name: every_figure()})
    screenshot = tmp_path / "page.png"
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1500", f"--screenshot={screenshot}",
            page.as_uri(),
        ],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    shown = cv2.imread(str(screenshot))
    assert shown.shape[1] == width
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 50


def features_of_classes() -> tuple[np.ndarray, SimpleNamespace]:
    """Ten objects of two images each; the features tell the class and nothing else."""
    group = np.repeat(np.arange(10), 2)
    label = group % 2
    features = np.stack([1 - label, label], 1).astype("f4")
    return features, SimpleNamespace(name="objects", images=images_of(20), label=label, classes=("a", "b"), group=group)


def test_neighbours_are_of_other_objects_and_judged_by_class():
    features, images = features_of_classes()
    wall = computed.retrieval_wall(features, images, queries=4, neighbours=6)
    assert [[tile.right for tile in row] for row in wall.rows] == [[None] + [True] * 4 + [False] * 2] * 4
    of = {image.tobytes(): group for image, group in zip(images.images, images.group, strict=True)}
    for query, *near in wall.rows:
        groups = [of[tile.image.tobytes()] for tile in near]
        assert len(set(groups)) == len(groups)
        assert of[query.image.tobytes()] not in groups


def test_a_map_keeps_what_is_near_near():
    features, images = features_of_classes()
    noisy = features * 10 + np.random.default_rng(0).normal(size=features.shape).astype("f4")
    shown = computed.feature_map(noisy, images)
    middle = np.stack([shown.point[shown.label == c].mean(axis=0) for c in (0, 1)])
    nearest = np.linalg.norm(shown.point[:, None] - middle[None], axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, shown.label)
    np.testing.assert_array_equal(shown.thumbnail, images.images[shown.shown])


def test_patterns_are_the_nearest_centres():
    motion = np.array([[0.1, 0.0], [0.0, 0.5], [0.11, 0.02], [0.0, -0.5]])
    clusters = computed.motion_clusters(("forward (m)", "yaw (rad)"), motion, motion[[0, 1, 3]])
    assert clusters.cluster.tolist() == [0, 1, 0, 2]


def test_errors_get_students_interval():
    shown = computed.equivariance({"random": {"left": [0.9, 1.0, 1.1], "up": [0.5]}}, {"left": "+1"})
    assert shown.motions == ("+1", "up")
    np.testing.assert_allclose(shown.rho, [[1.0, 0.5]])
    np.testing.assert_allclose(shown.half, [[4.302653 * 0.1 / math.sqrt(3), np.nan]], rtol=1e-6)
    assert shown.seen.tolist() == [True, False]


def test_motions_of_a_set_have_a_chart_and_no_column():
    motions = [{"motion": [0.1, -0.5]}, {"motion": [0.3, -0.7]}]
    found = [
        Result(row, seed, "rooms by scene", "equivariance", metric, value, about)
        for row, values in (("random", (0.9, 1.0)), ("drlim", (0.7, 0.8)))
        for seed, (value, about) in enumerate(zip(values, motions, strict=True))
        for metric, about in (("ρ", {}), ("ρ of motion 1", about), ("ρ composed", {}))
    ]
    (chart,) = equivariance_figures(found)["rooms by scene"]
    assert chart.motions == ("+0.2, −0.6", "composed")
    assert chart.seen.tolist() == [True, False]
    np.testing.assert_allclose(chart.rho, [[0.95, 0.95], [0.75, 0.75]])
    (table,) = tables(found)
    assert [column.metric for column in table.columns] == ["ρ", "ρ composed"]


def test_panels_of_any_size_keep_their_colours():
    rng = torch.Generator().manual_seed(0)
    rows = [[Panel(torch.rand(3, side, side, generator=rng), f"{side} px", True) for side in (8, 300)]]
    ((small, large),) = computed.task_panels(rows).rows
    for tile, panel in zip((small, large), rows[0], strict=True):
        np.testing.assert_allclose(tile.image / 255, panel.image.movedim(0, -1), atol=0.5 / 255 + 1e-6)
        assert (tile.text, tile.right) == (panel.text, True)


def test_images_on_the_page_are_those_of_the_figures(tmp_path):
    flat = np.full((1, 16, 16, 3), (200, 30, 60), np.uint8)
    wall = RetrievalWall("objects", ((Tile(flat[0], "mug"), Tile(255 - flat[0], "mug", True)),))
    page = write_report(tmp_path / "report.html", figures={"random": [wall]})
    urls = [a["src"] for name, a in Page(page).tags if name == "img"]
    assert len(urls) == 2
    for url, expected in zip(urls, (flat[0], 255 - flat[0]), strict=True):
        content = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
        shown = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(shown.astype(float) - expected[0, 0]).mean() < 8
