"""Whose numbers are averaged, what they are called, and what a run has learned from: end to end on images of noise."""

import csv
import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from embodied_ssl.comparison import compare
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.evaluation import imagenet
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.names import named_sets, shortest
from embodied_ssl.evaluation.results import Result, read_results, told_apart, write_results
from embodied_ssl.evaluation.settings import USUAL
from embodied_ssl.methods import make_method
from embodied_ssl.report.page import write_report
from embodied_ssl.report.tables import tables
from embodied_ssl.report.text import markdown_table, print_tables
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train


def noise(folder, seed=0, parts=("train", "test"), classes=("a", "b"), count=12):
    """A folder of class folders, `count` images of 16 px in each."""
    rng = np.random.default_rng(seed)
    for part in parts:
        for name in classes:
            place = folder / part / name
            place.mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(place / f"{i:03d}.png"), rng.integers(0, 256, (16, 16, 3), np.uint8))
    return folder


def learned(out, data, seed=0, method="labels", size=16, steps=2, **settings):
    """A run of a few updates."""
    made = make_method(method, "conv4", size, seed, **settings)
    stream = {"labels": "labelled"}.get(method, "frames")
    recipe = replace(made.recipe, steps=steps, batch_size=8)
    return train(made, out, {stream: data}, recipe, TrainingSettings(seed=seed, progress=False), Hardware("cpu"))


@pytest.fixture(autouse=True)
def _no_large_network(monkeypatch):
    """The row of ImageNet, at 224 px, takes long, and nothing here depends on it."""
    monkeypatch.setattr(imagenet, "is_installed", lambda: False)


def measured(runs, on, **settings):
    return evaluate(runs, on, ("knn",), device="cpu", progress=False, **settings)


def test_names_are_the_shortest_ends_that_tell_apart():
    places = [("s1", "orbit"), ("s2", "orbit"), ("s2", "roam")]
    assert shortest(places) == ["s1/orbit", "s2/orbit", "roam"]
    assert shortest([("a", "b"), ("x", "a", "b"), ("c",)]) == ["a/b", "x/a/b", "c"]
    assert shortest([("set.v1",), ("set.v2",)]) == ["set.v1", "set.v2"]
    assert shortest([("a", "b")]) == ["b"]


def test_sets_are_told_apart_by_name_and_by_content(tmp_path):
    places = ["s1/set", "s2/set", "set.v1", "set.v2", "other"]
    folders = [noise(tmp_path / place, seed, parts=("",), count=2) for seed, place in enumerate(places)]
    archive = shutil.make_archive(str(tmp_path / "zipped.v1"), "zip", noise(tmp_path / "z", 9, parts=("",), count=2))
    sets = named_sets([*folders, archive])
    assert [images.name for images in sets] == [*places, "zipped.v1"]
    assert [images.name for images in named_sets(folders[:1])] == ["set"]
    shutil.copytree(folders[0], tmp_path / "copy")
    with pytest.raises(DataError, match=r"copy: holds the same as set; name it once"):
        named_sets([folders[0], tmp_path / "copy"])


def test_sets_of_one_name_are_no_seeds(tmp_path):
    run = learned(tmp_path / "labels-0", noise(tmp_path / "data"))
    sets = [noise(tmp_path / place / "set", seed) for seed, place in ((1, "s1"), (2, "s2"))]
    found = measured([run], sets)
    write_results(found, tmp_path / "results.json")
    assert {(one.set, one.set_sha256) for one in found} == {(one.name, one.fingerprint) for one in named_sets(sets)}
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["set"] for row in rows} == {"s1/set", "s2/set"}
    assert len({row["set_sha256"] for row in rows}) == 2
    for results in (found, measured([run], sets[:1]) + measured([run], sets[1:])):  # in one evaluation, and in two
        shown = tables(results)
        assert len(shown) == 2
        assert all(cell.seeds == 1 for table in shown for _, cells in table.rows for cell in cells if cell)
    both = compare(["rotation"], tmp_path / "c", sets[:1], sets, 1, "conv4", 16, 1, "cpu", batch_size=8,
                   protocols=("knn",), labels=False, progress=False)  # fmt: skip
    assert {one.set for one in both} == {"s1/set", "s2/set"}
    with pytest.raises(DataError, match=r"rotation-0: holds a run whose recipe\.steps is 1, not 2; name another --out"):
        compare(["rotation"], tmp_path / "c", sets[:1], sets, 1, "conv4", 16, 2, "cpu", batch_size=8,
                protocols=("knn",), labels=False, progress=False)  # fmt: skip


def test_runs_of_one_name_with_other_settings_or_data_are_no_seeds(tmp_path):
    data, other = noise(tmp_path / "data"), noise(tmp_path / "other", 5)
    on = [noise(tmp_path / "on", 1)]
    runs = [
        learned(tmp_path / "x/rotation-0", data, 0, "rotation"),
        learned(tmp_path / "x/rotation-1", data, 1, "rotation"),  # a seed of the first
        learned(tmp_path / "y/rotation-1", data, 1, "rotation", steps=3),
        learned(tmp_path / "z/rotation-1", other, 1, "rotation"),
        learned(tmp_path / "z/rotation-2", other, 2, "rotation", size=24),  # of the same folder as the one before
    ]
    results = measured(runs, on)
    learned_rows = [(one.row, one.seed) for one in results if one.row_sha256 and not one.row.startswith("random")]
    assert learned_rows == [
        ("x/rotation", 0), ("x/rotation", 1), ("y/rotation", 1), ("rotation-1", 1), ("rotation-2", 2),
    ]  # fmt: skip
    assert len({one.row_sha256 for one in results if "rotation" in one.row}) == 4
    assert {one.row for one in results if one.row.startswith("random")} == {
        "random conv4 image_size 16", "random conv4 image_size 24",
    }  # fmt: skip
    (table,) = tables(results)
    assert {row: cell.seeds for row, (cell,) in table.rows if "rotation" in row}["x/rotation"] == 2
    assert [one.row for one in measured(runs[:2], on, baselines=False)] == ["rotation", "rotation"]
    with pytest.raises(DataError, match="a second run of the row rotation with seed 0"):
        measured([runs[0], runs[0]], on)


def test_a_row_rescaled_to_what_is_learned_from_stands_beside_the_untrained_one(tmp_path):
    """It has seen no more of what is measured on than the runs have; in `compare` as in `evaluate`."""
    run = learned(tmp_path / "rotation-0", noise(tmp_path / "data"), method="rotation")
    sets = [noise(tmp_path / "first", 1), noise(tmp_path / "second", 2)]
    rows = {each.row: each for each in measured([run], sets[:1], rescaled=True)}
    assert list(rows) == ["raw pixels", "random conv4", "random conv4 rescaled", "rotation"]
    found = [each for each in measured([run], sets, rescaled=True) if each.row.startswith("random")]
    assert len({each.weights_sha256 for each in found if each.row == "random conv4"}) == 1
    rescaled = [each for each in found if each.row == "random conv4 rescaled"]
    assert len({each.weights_sha256 for each in rescaled}) == 1
    assert {each.set: each.learned_from for each in rescaled} == {"first": 0.0, "second": 0.0}
    other = learned(tmp_path / "other-0", noise(tmp_path / "third", 3), method="rotation")
    both = [each for each in measured([run, other], sets[:1], rescaled=True) if each.row == "random conv4 rescaled"]
    assert both[0].weights_sha256 != rescaled[0].weights_sha256  # of what both runs have learned from
    of_own = [each for each in measured([run], [tmp_path / "data"], rescaled=True) if each.row == rescaled[0].row]
    assert of_own[0].weights_sha256 == rescaled[0].weights_sha256
    assert of_own[0].learned_from == 0.0  # of the part that is for testing it sees nothing
    of_train = measured([run], [tmp_path / "data/train"], rescaled=True)
    assert {each.row: each.learned_from for each in of_train}[rescaled[0].row] == 1.0
    both = compare(["rotation"], tmp_path / "c", [tmp_path / "data"], sets[1:], 1, "conv4", 16, 1, "cpu", batch_size=8,
                   protocols=("knn",), labels=False, progress=False, rescaled=True)  # fmt: skip
    again = {each.row: each for each in both}
    alone = next(each for each in found if each.row.endswith("rescaled") and each.set == "second")
    assert again["random conv4 rescaled"].weights_sha256 == alone.weights_sha256
    assert again["random conv4 rescaled"].value == alone.value


def test_results_of_several_evaluations_are_told_apart():
    one = Result("a", 0, "set", "knn", "accuracy", 0.5, set_sha256="1" * 64, row_sha256="2" * 64)
    same, seed = replace(one, metric="other"), replace(one, seed=1)
    other_set, other_row = replace(one, set_sha256="3" * 64), replace(one, row_sha256="4" * 64)
    assert told_apart([one, same, seed]) == [one, same, seed]
    found = told_apart([one, seed, other_set, other_row])
    assert [(each.row, each.set) for each in found] == [
        ("a (2222222)", "set (1111111)"), ("a (2222222)", "set (1111111)"), ("a", "set (3333333)"),
        ("a (4444444)", "set (1111111)"),
    ]  # fmt: skip
    assert told_apart(found) == found
    assert {cell.seeds for table in tables([one, seed, other_row]) for _, (cell,) in table.rows} == {1, 2}


@pytest.mark.parametrize(("learns", "share"), [("train", 0.0), ("test", 1.0), ("half", 0.5)])
def test_who_has_learned_from_what_is_measured_on_is_marked_everywhere(tmp_path, capsys, learns, share):
    """By content: the images have other names and another place there."""
    folder, half = noise(tmp_path / "noise", count=10), tmp_path / "half"
    shutil.copytree(folder / "test", half)
    for path in half.glob("*/00[5-9].png"):
        path.unlink()
    for path in half.glob("*/*.png"):
        path.rename(path.with_stem(f"renamed {path.stem}"))
    data = {"train": folder, "test": folder / "test", "half": half}[learns]
    runs = [learned(tmp_path / f"labels-{seed}", data, seed) for seed in (0, 1)]
    capsys.readouterr()
    results = evaluate(runs, [folder], ("knn", "linear_probe"), device="cpu", progress=False)
    print_tables(results)
    printed = capsys.readouterr()
    write_results(results, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == results
    assert {one.learned_from for one in results if one.row == "labels"} == {share}
    assert {one.learned_from for one in results if one.row != "labels"} == {0.0}
    assert {one.row for one in results if one.from_labels} - {imagenet.ROW} == {"labels"}
    with (tmp_path / "results.csv").open(newline="") as file:
        assert {float(row["learned_from"]) for row in csv.DictReader(file) if row["row"] == "labels"} == {share}
    warning = f"learned from {100 * share:.0f} % of the test images"
    said = [
        f"⚠ labels: {warning}" in printed.out,
        f"{runs[1]} has learned from {20 * share:.0f} of 20 test images of noise (knn, linear_probe)" in printed.err,
        f"| labels ⚠ {warning} |" in markdown_table(results),
        warning in re.sub(r"<[^>]*>", "", write_report(tmp_path / "page.html", results).read_text()),
    ]
    assert said == [share > 0] * 4
    assert (printed.out + printed.err).count("learned from") == (3 if share else 0)


def test_who_learned_from_the_test_is_never_the_best(tmp_path):
    found = [
        Result(row, seed, "set", "knn", "accuracy", value, learned_from=share)
        for row, value, share in (("random", 0.2, 0.0), ("drlim", 0.5, 0.0), ("simclr", 0.9, 0.25))
        for seed in range(2)
    ]
    (table,) = tables(found)
    assert [row for row, (cell,) in table.rows if cell.best] == ["drlim"]
    assert "drlim, 0.500 against 0.200" in write_report(tmp_path / "page.html", found).read_text()


def refusals(folder):
    """What is wrong, how it is asked for, and what is said of it."""
    good = noise(folder / "good")
    one = noise(folder / "one", classes=("a",))
    rare = noise(folder / "rare", parts=("",), count=2)
    return [
        ({"on": [good, one]}, r"one: 1 of its classes has at least 3 objects or rooms \(a: 12\)"),
        ({"on": [good, rare]}, r"rare: 0 of its classes have at least 3 .*\(a: 2, b: 2\)"),
        ({"on": [good, folder / "absent"]}, "absent: no data set, folder, zip or tar archive"),
        ({"protocols": ["knn", "k-nn"]}, "unknown protocol 'k-nn': did you mean 'knn'"),
        ({"device": "cuda:77"}, "no device 'cuda:77'"),
        ({"device": "gpu"}, "no device 'gpu'"),
    ]


def test_what_can_not_be_measured_is_refused_before_any_work(tmp_path, monkeypatch):
    """By evaluate before an image is encoded, by compare before an update is made."""
    run = learned(tmp_path / "labels-0", noise(tmp_path / "data"))

    def work(*given, **named):
        raise AssertionError("work was begun")

    monkeypatch.setattr("embodied_ssl.evaluation.features.extract", work)
    monkeypatch.setattr("embodied_ssl.studies.cells.train", work)
    good = {"on": [tmp_path / "good"], "protocols": ["knn"], "device": "cpu"}
    for wrong, told in refusals(tmp_path):
        with pytest.raises(DataError, match=told):
            evaluate([run], **(good | wrong), progress=False)
        with pytest.raises(DataError, match=told):
            compare(["rotation"], tmp_path / "out", [tmp_path / "data"], **(good | wrong), progress=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="no run of embodied-ssl train"):
        evaluate([tmp_path / "good"], **good, progress=False)
    (run / "samples.npy").unlink()
    with pytest.raises(DataError, match=r"samples.npy: missing"):
        evaluate([run], **good, progress=False)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"most": 0}, "most: 0; give at least 1"),
        ({"least_groups": 2}, "least_groups: 2; give at least 3"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong, told):
    with pytest.raises(DataError, match=told):
        replace(USUAL, **wrong)


def test_a_class_that_is_left_out_is_told_and_recorded(tmp_path, capsys):
    run = learned(tmp_path / "labels-0", noise(tmp_path / "data"))
    folder = noise(tmp_path / "set", 3, parts=("",))
    noise(folder, 4, parts=("",), classes=("rare",), count=2)
    capsys.readouterr()
    results = measured([run], [folder])
    told = "embodied-ssl: set: left out rare (2): fewer than 3 objects or rooms (--least_groups)\n"
    assert told in capsys.readouterr().err
    assert {tuple(one.settings["left_out"]) for one in results} == {("rare",)}
