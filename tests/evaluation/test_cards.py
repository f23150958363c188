"""What notebooks show of data sets, image sets, runs and results: complete in itself, with the right numbers."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import embodied_ssl as es
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.evaluation.results import Result, Results, read_results, write_results

EVIL = "<script>alert(1)</script>"


class Card(HTMLParser):
    """The tags and texts of a card; fails on tags that do not match."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open
        assert all((attributes.get("src") or "data:").startswith("data:") for _, attributes in self.tags)
        assert not re.search(r"https?://|@import|url\(|<script", text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.mark.parametrize("kind", ["roam", "orbit", "grasp", "push", "poke"])
def test_a_data_set_shows_how_much_it_holds_and_all_of_its_fields(data, kind):
    dataset = es.open(data[kind])
    card = Card(dataset._repr_html_())
    assert f"{len(dataset):,}" in card.texts
    assert f"{dataset.manifest.count('episodes')}" in card.texts
    assert card.count("img") == min(12, len(dataset))
    assert {path for path, field in dataset.fields.items() if field.table != "camera"} <= set(card.texts)
    place = card.texts.index("objects/size")
    count = dataset.manifest.count("objects")
    assert card.texts[place + 1] == f"float32 [{count}, 3], m: sides of its bounding box in its own axes"
    assert f"{len(dataset):,}" in repr(dataset)


def test_an_image_set_shows_an_image_of_each_class(data):
    images = image_set(data["orbit"])
    card = Card(images._repr_html_())
    count = np.bincount(images.label, minlength=len(images.classes))
    titles = [attributes["title"] for tag, attributes in card.tags if tag == "img"]
    assert titles == [images.classes[each].replace("_", " ") for each in np.flatnonzero(count)]
    for each in np.flatnonzero(count):
        place = card.texts.index(images.classes[each].replace("_", " "))
        assert card.texts[place + 1] == f"{count[each]:,} images"
    assert repr(images) == f"ImageSet({images.name!r}: {len(images)} images of {len(images.classes)} classes)"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "rotation-0"
    folder.mkdir()
    encoder = {"name": "conv4", "image_size": 48}
    (folder / "run.json").write_text(json.dumps({"method": "rotation", "settings": {"note": EVIL}, "encoder": encoder}))
    rows = [f"{step},{2 - step / 100:.3f},{step / 200}" for step in range(0, 100, 10)]
    (folder / "metrics.csv").write_text("\n".join(["step,loss,probe_accuracy", *rows]))
    return folder


def test_a_run_shows_how_far_it_is(run):
    opened = es.load_run(run)
    assert repr(opened) == f"Run({str(run)!r}: rotation, not finished)"
    assert opened.metrics["loss"] == (
        list(range(0, 100, 10)),
        pytest.approx([2 - step / 100 for step in range(0, 100, 10)]),
    )
    card = Card(opened._repr_html_())
    assert {"rotation-0", "not finished", "90", "0.45", "conv4, 48 px"} <= set(card.texts)
    assert card.count("svg") == 2
    (run / "encoder.safetensors").touch()
    assert "finished" in Card(opened._repr_html_()).texts
    with pytest.raises(DataError, match="no run of embodied-ssl train"):
        es.load_run(run.parent)


def test_to_look_at_a_run_takes_no_torch(run):
    code = f"import sys, embodied_ssl as es; es.load_run({str(run)!r})._repr_html_(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_results_show_their_tables(tmp_path):
    values = {"random": (0.2, 0.3), EVIL: (0.5, 0.7)}
    found = Results(
        Result(row, seed, "rooms", "linear_probe", "accuracy", value)
        for row, own in values.items()
        for seed, value in enumerate(own)
    )
    card = Card(found._repr_html_())
    halves = [12.7062 * np.std(own, ddof=1) / np.sqrt(2) for own in values.values()]  # Student's t of one degree
    assert {"0.250", "0.600", *(f"± {half:.3f}" for half in halves)} <= set(card.texts)
    assert card.count("table") == 1
    lines = repr(found).splitlines()
    assert lines[0] == "rooms"
    assert re.search(r"random +0\.250 ± 0\.635", lines[3])
    write_results(found, tmp_path / "results.json")
    again = read_results(tmp_path / "results.json")
    assert isinstance(again, Results)
    assert again == found
    assert repr(Results()) == "no results"


def test_names_from_files_are_text(run):
    assert EVIL not in es.load_run(run)._repr_html_()
