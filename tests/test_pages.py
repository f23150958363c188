"""What makes the pages of docs/: links are followed, and cards say all that the code says. `make docs` builds them."""

import re
import sys
from pathlib import Path

import pytest

from embodied_ssl.datasets.collect.settings import environment_class
from embodied_ssl.datasets.kinds import collected_kinds
from embodied_ssl.envs.world.furniture.catalogue import FURNITURE
from embodied_ssl.envs.world.textures.families import FAMILIES
from embodied_ssl.method import settings_of
from embodied_ssl.methods import method_class, method_names

sys.path.append(str(Path(__file__).parent.parent / "docs"))

from links import problems

from cards import environments, methods

GOOD = '<h1 id="top">A</h1><a href="b/">b</a><a href="#top">up</a><a href="https://elsewhere.example/">out</a>'


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<a href="c/">c</a>', "c/: is not there"),
        ('<a href="b/#nowhere">b</a>', "b/#nowhere: no such place"),
        ('<img src="b/picture.png">', "b/picture.png: is not there"),
        ('<script src="https://elsewhere.example/x.js"></script>', "x.js: is fetched from elsewhere"),
        ('<link rel="stylesheet" href="//elsewhere.example/x.css">', "x.css: is fetched from elsewhere"),
    ],
)
def test_links_that_lead_nowhere_and_what_is_fetched_from_elsewhere_are_told(tmp_path, page, said):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text('<h1 id="b">B</h1><a href="../">a</a><img src="data:image/png;base64,">')
    (tmp_path / "index.html").write_text(GOOD)
    assert problems(tmp_path) == []
    (tmp_path / "index.html").write_text(GOOD + page)
    [problem] = problems(tmp_path)
    assert problem.startswith("index.html: ")
    assert problem.endswith(said)


@pytest.fixture(scope="module")
def cards():
    return methods.pages({})


@pytest.mark.parametrize("name", method_names())
def test_the_card_of_a_method_has_its_idea_its_loss_and_every_setting(name, cards):
    card = cards[f"methods/{name}.md"]
    assert "**Idea.**" in card
    assert 'class="formula"' in card
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*) \|$", card, re.MULTILINE)
    assert all(said for _, said in rows), "a setting without a word on it"
    assert {setting.partition(".")[0] for setting, _ in rows} == set(settings_of(method_class(name)))


@pytest.mark.parametrize("kind", collected_kinds())
def test_every_setting_of_an_environment_has_a_word_on_it(kind):
    environment = environment_class(kind)
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*) \|$", environments.settings(environment), re.MULTILINE)
    assert [name for name, said in rows if not said] == []
    if "wrist.position" in dict(rows):
        assert "frame of the tip" in dict(rows)["wrist.position"]
        assert "middle of the table" in dict(rows)["overhead.position"]


def test_pages_count_what_there_is():
    root = Path(__file__).parent.parent
    counted = {"kinds of furniture": len(FURNITURE), "texture families": len(FAMILIES)}
    for page in ("README.md", "CHANGELOG.md"):
        text = (root / page).read_text(encoding="utf-8")
        told = {what: re.findall(rf"(\d+) {what}", text) for what in counted}
        assert all(int(each) == counted[what] for what, every in told.items() for each in every)
    assert all(told.values())
