"""The pages of findings: their numbers are those of the committed results, their sentences follow from them."""

import csv
import math
import re
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from embodied_ssl.evaluation.results import Result, write_results
from embodied_ssl.report.tables import Cell, difference
from embodied_ssl.studies import study_named

sys.path.append(str(Path(__file__).parent.parent / "docs"))

import findings
from findings import body, committed, headline, lecture
from findings.words import NOT, PARTLY, SHOWN, Comparison, compare, verdict

NUMBER = re.compile(r"−?\d+\.\d{3} ± \d+\.\d{3}")
PAGES = ("findings/lecture.md", "findings/body.md")


def numbers(study):
    """Each mean with its interval that a study of a size, `touch-hour`, has found, by NumPy and SciPy alone."""
    groups = defaultdict(dict)
    with (committed.RESULTS / study / "results.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            groups[line["row"], line["set"], line["protocol"], line["metric"]][line["seed"]] = float(line["value"])
    found = set()
    for values in groups.values():
        own = np.array([*values.values()])
        half = stats.sem(own) * stats.t.ppf(0.975, len(own) - 1) if len(own) > 1 else math.nan
        found.add(f"{own.mean():.3f} ± {half:.3f}".replace("-", "−"))
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_number_on_a_page_is_one_of_the_results_that_its_section_names(name):
    page = findings.pages()[name].replace("\N{NO-BREAK SPACE}", " ")
    for section in page.split("\n## ")[1:]:
        studies = re.findall(r"\.\./results/(\w+-\w+)/tables\.md", section)
        shown = {*NUMBER.findall(section)}
        assert studies
        assert len(shown) > 2, section[:60]
        assert shown <= set().union(*map(numbers, studies)), section[:60]


def test_the_figure_of_the_readme_is_that_of_the_committed_results():
    drawn = Path(findings.__file__).parent.parent / "body.svg"
    assert drawn.read_text(encoding="utf-8") == headline.svg(), "newer results: draw it by python docs/headline.py"
    shown = {*NUMBER.findall(drawn.read_text(encoding="utf-8"))}
    used = [committed.committed(name) for name in ("positives", "carousel", "touch", "attention")]
    known = set().union(*(numbers(f"{each.name}-{each.size}") for each in used))
    assert len(shown - known) == 2 < len(shown)  # means of four methods, by their own and by another's motor signals


@pytest.mark.parametrize(
    ("claims", "kind", "said"),
    [
        ([(0.5, 0.1, 0.2, 0.1)], SHOWN, "ahead, with intervals apart"),
        ([(0.5, 0.1, 0.2, 0.1), (0.5, 0.1, 0.2, 0.1), (0.5, 0.1, 0.45, 0.1)], SHOWN, "in 3 of 3 comparisons"),
        ([(0.5, 0.1, 0.2, 0.1), (0.5, 0.1, 0.45, 0.1)], PARTLY, "Ahead, but not apart: a against b (c1)"),
        ([(0.5, 0.1, 0.45, 0.1)], NOT, "with intervals apart in none"),
        ([(0.4, 0.1, 0.45, 0.1)], NOT, "Behind, but not apart: a against b (c0)"),
        ([(0.5, 0.1, 0.2, 0.1), (0.2, 0.1, 0.5, 0.1)], NOT, "Behind, with intervals apart: a against b (c1)"),
        ([(0.5, math.nan, 0.2, math.nan)], NOT, "with intervals apart in none"),
    ],
)
def test_a_sentence_says_what_the_intervals_say(claims, kind, said):
    made = [
        Comparison("a", "b", f"c{i}", Cell(mine, half, 3), Cell(other, around, 3))
        for i, (mine, half, other, around) in enumerate(claims)
    ]
    found = verdict(made)
    assert found.kind == kind
    assert said in found.words
    if kind == SHOWN:
        turned = [replace(claim, mine=claim.theirs, theirs=claim.mine) for claim in made]
        assert verdict(turned).kind == NOT


def test_a_lead_shows_seed_by_seed_where_divisions_move_both_rows_alike():
    divisions = np.array([0.0, 0.1, 0.25, 0.4])

    def row(name, values):
        return [Result(name, seed, "x", "knn", "accuracy", float(value)) for seed, value in enumerate(values)]

    ahead = 0.03 + 0.01 * np.array([1, -1, 0, 1])
    measured = committed.Measured((*row("a", divisions + ahead), *row("b", divisions), *row("c", divisions[::-1])))
    (claim,) = compare(measured, "a", "b", "x")
    assert not claim.is_apart
    assert claim.is_ahead_by_seed
    interval = stats.ttest_rel(divisions + ahead, divisions).confidence_interval()
    found = difference(claim.mine, claim.theirs)
    assert [found.mean - found.half, found.mean + found.half] == pytest.approx(list(interval))
    assert verdict([claim]).kind == SHOWN
    assert "intervals apart in none, seed by seed in 1." in verdict([claim]).words
    (other,) = compare(measured, "b", "a", "x")
    assert not other.is_ahead_by_seed
    (unclear,) = compare(measured, "a", "c", "x")
    assert not unclear.is_ahead_by_seed


def test_results_come_back_from_their_table(tmp_path):
    told = Result("a", 1, "x by y", "knn", "accuracy", 0.25, {"k": 5}, "s", "r", 0.5, True, "m", "w", 64)
    write_results([told], tmp_path / "results.json")
    assert committed.read(tmp_path / "results.csv") == (told,)


def written(folder, name, size, results):
    (folder / f"{name}-{size}").mkdir()
    write_results(results, folder / f"{name}-{size}" / "results.json")


def whole(name):
    """The results of a study as if all of its rows had been run: those that were not as another that was."""
    found = [*committed.committed(name).results]
    learned = [row.name for row in study_named(name).rows]
    there = {one.row for one in found}
    like = next(row for row in learned if row in there)
    found += [replace(one, row=row) for row in learned if row not in there for one in found if one.row == like]
    return found


@pytest.fixture
def run_whole(tmp_path, monkeypatch):
    """Results of all studies, at the length of a day and with all rows, beside those that are committed."""
    longer = {name: whole(name) for name in ("positives", "carousel", "touch", "attention", "lecture")}
    some = [one for one in longer["lecture"] if one.set.startswith("yardstick") and one.protocol == "linear_probe"]
    clip = [replace(one, protocol="zero_shot") for one in some if one.row == "clip"]
    probed = [one for one in some if one.row == "simclr"]
    named = [replace(one, protocol="classifier", set=on) for on in ("cifar10", "roam_test") for one in probed]
    acted = [
        replace(one, protocol="imitation", set=f"{on}_shown", metric=metric)
        for on in ("press", "pick_place")
        for metric in ("success@50", "success@200", "success by state@50", "success by state@200")
        for one in probed
    ]
    longer["lecture"] += clip
    curve = [replace(one, metric=f"accuracy@{n}", set="cifar10") for n in (20, 100, 400) for one in probed]
    photographs = [replace(one, protocol=way) for way in ("semi_supervised", "few_labels") for one in curve]
    others = {"batch_size": probed, "semi_supervised": named, "photographs": photographs, "imitation": acted}
    for name, like in others.items():
        rows = ["raw pixels", f"random {study_named(name).encoder}", *(row.name for row in study_named(name).rows)]
        longer[name] = [replace(one, row=row, value=one.value + 0.01 * i) for i, row in enumerate(rows) for one in like]
    for name, results in longer.items():
        written(tmp_path, name, "day", results)
    for name in ("few_labels", "one_learner", "touch", "transfer"):
        written(tmp_path, name, "hour", committed.committed(name).results)
    begun = [one for one in committed.committed("one_learner").results if one.row != "all of them"]
    written(tmp_path, "one_learner", "day", begun)
    monkeypatch.setattr(committed, "RESULTS", tmp_path)


def test_a_section_comes_with_its_results_of_the_longest_run(run_whole):
    pages = findings.pages()
    for name, makers in {PAGES[0]: lecture.SECTIONS, PAGES[1]: body.SECTIONS}.items():
        assert [title for title in makers if f"\n## {title} {{" not in pages[name]] == []
        assert "Not run yet" not in pages[name]
    assert "results/lecture-day/tables.md" in pages[PAGES[0]]
    assert "results/one_learner-hour/tables.md" in pages[PAGES[1]]


def test_a_section_without_results_is_left_out_and_its_study_named(tmp_path, monkeypatch):
    touch = committed.committed("touch").results
    monkeypatch.setattr(committed, "RESULTS", tmp_path)
    written(tmp_path, "touch", "hour", [one for one in touch if one.row != "all senses"])  # not yet run
    page = findings.pages()[PAGES[1]]
    assert "\n## " not in page
    assert "Touch (study `touch`)" in page
