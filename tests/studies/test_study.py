"""A small study from outside the package: killed and gone on with, by one worker and by two, made again, in the zoo."""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from embodied_ssl import plugins, zoo
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.results import Result, read_results
from embodied_ssl.evaluation.settings import USUAL
from embodied_ssl.studies import study_named
from embodied_ssl.studies.cells import Learning, MeasuredOn, Measuring, Try, best_of, mean_over_splits, split_seeds
from embodied_ssl.studies.experiment import Experiment
from embodied_ssl.studies.progress import Progress
from embodied_ssl.studies.run import in_order, study
from embodied_ssl.studies.study import Size
from embodied_ssl.studies.verify import verify
from embodied_ssl.training.runs.checkpoint import load_encoder
from embodied_ssl.zoo.adding import add

TURNING = '''
    from embodied_ssl.evaluation.protocols.few_labels import FewLabels
    from embodied_ssl.evaluation.protocols.knn import KNN
    from embodied_ssl.studies import Figure, On, Row, Size, Study
    from embodied_ssl.studies.data import StandardData


    def orbits(episodes, seed, instances):
        settings = {"size": 16, "length": 2, "instances": instances, "categories": "mug,book"}
        return StandardData("orbit", {"minute": episodes}, seed, settings)


    STUDY = Study(
        question="Does turning an object teach more than its name?",
        rows=(
            Row("turned, twice", "simclr --source body", {"pairs": "turns"}, ("--blur 0", "--temperature 0.5"), 2),
            Row("labels", "labels --lr 0.01", {"labelled": "turns"}),
        ),
        on=(On("others", (KNN(neighbours=3), FewLabels((1, 2), 2)), splits=2),),
        sizes={"minute": Size(samples=400, seeds=2, choosing=0.25)},
        figures=(Figure("New objects", "knn", "accuracy"), Figure("Few", "few_labels", "accuracy", over="labels")),
        image_size=16,
        batch_size=8,
        chosen_on=On("choosing", (KNN(neighbours=3),)),
        data={name: orbits(12, seed, (100 * seed, 100 * seed + 100))
              for seed, name in enumerate(("turns", "choosing", "others"))},
        name="turning",
    )
'''  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with the study in it, known as a plugin."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "turning_study.py").write_text(dedent(TURNING))
    monkeypatch.setenv(plugins.VARIABLE, "turning_study")
    yield tmp_path
    sys.modules.pop("turning_study", None)


def goes_on_elsewhere(numbers):
    """From what it keeps a study goes on elsewhere without learning again, and with one seed more."""
    shutil.copytree("killed/data", "moved")
    asked = {"size": "minute", "data": "moved", "begun": Path("two/cells.zip"), "progress": False}
    study("turning", "elsewhere", **asked)
    assert Path("elsewhere/results.csv").read_bytes() == numbers
    assert Path("elsewhere/cells.zip").read_bytes() == Path("two/cells.zip").read_bytes()
    assert Path("elsewhere/tables.md").read_bytes() == Path("two/tables.md").read_bytes()
    more = study("turning", "elsewhere", rows=["labels"], seeds=3, **asked)
    assert {path.parent.name for path in Path("elsewhere").glob("runs/*/encoder.safetensors")} == {"labels-2"}
    assert {(one.row, one.seed) for one in more if one.samples} == {("labels", seed) for seed in range(3)}
    all_so_far = study("turning", "elsewhere", seeds=3, so_far=True, **asked)
    assert {(one.row, one.seed) for one in all_so_far if one.samples} == {
        *(("labels", seed) for seed in range(3)), *(("turned, twice", seed) for seed in range(2)),
    }  # fmt: skip
    longer = replace(asked_for := study_named("turning"), sizes={"minute": Size(samples=800, seeds=2)})
    with pytest.raises(DataError, match=r"has learned elsewhere by .*--steps"):
        study(longer, "elsewhere", rows=["labels"], **asked)
    with zipfile.ZipFile("two/cells.zip") as kept, zipfile.ZipFile("other.zip", "w") as other:
        for name in kept.namelist():
            content = kept.read(name)
            hashed = json.loads(content) if name == "data.json" else {}
            other.writestr(name, content.replace(hashed["turns"]["sha256"].encode(), b"0" * 64) if hashed else content)
    with pytest.raises(DataError, match=r"turns-minute: .* has learned elsewhere from other data called turns"):
        study("turning", "fifth", **asked | {"begun": Path("other.zip")})
    with pytest.raises(DataError, match="of the study turning at minute, not other at minute"):
        study(replace(asked_for, name="other"), "third", **asked)
    with pytest.raises(DataError, match="nothing was measured yet"):
        study("turning", "fourth", "minute", data="moved", so_far=True, progress=False)


def stands_in_the_zoo(here, monkeypatch, capsys):
    """An encoder is put into the zoo, from where it is loaded, measured, learned on from, and made again."""
    monkeypatch.setattr(zoo, "FOLDER", here / "zoo")
    zoo.FOLDER.mkdir()
    add("two", "turned, twice", "turned")
    monkeypatch.chdir(here / "two")  # in `here` the name is that of a folder
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(load_encoder("zoo/turned")(images), load_encoder("runs/turned_twice-0")(images))
    seen, unseen = here / "killed/data/turns-minute", here / "killed/data/others-minute"
    by = {"protocols": [KNN(neighbours=3)], "baselines": False, "progress": False}
    of_zoo, of_run = (evaluate([run], [seen, unseen], **by) for run in ("zoo/turned", "runs/turned_twice-0"))
    assert [one.learned_from for one in of_zoo] == [1, 0]
    assert [(one.value, one.weights_sha256) for one in of_zoo] == [(one.value, one.weights_sha256) for one in of_run]
    asked = ["evaluate", "zoo/turned", "--on", str(unseen), "--protocol", "knn", "--out", "page", "--progress", "false"]
    assert main(asked) == 0  # with a page, but for the task of heads that it has not
    assert main(["export", "zoo/turned", "--to", "huggingface", "--out", "hub"]) == 0
    more = ["train", "rotation", "--frames", str(unseen), "--init", "zoo/turned", "--image_size", "16", "--steps", "2"]
    assert main([*more, "--out", "more", "--progress", "false"]) == 0
    (share,) = {one.learned_from for one in evaluate(["more"], [seen], **by)}
    assert share == 1  # what the encoder had learned from before counts
    assert main(["zoo"]) == 0
    assert "zoo/turned" in capsys.readouterr().out
    assert [str(one) for one in verify("zoo/turned", scratch="anew", progress=False)] == [
        "data of pairs: equal (12 shards)", "zoo/turned: equal (24 tensors)",
    ]  # fmt: skip
    with pytest.raises(DataError, match="did you mean 'turned'"):
        load_encoder("zoo/turnd")
    monkeypatch.setattr(zoo, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="the zoo would have"):
        add(here / "two", "turned, twice", "turned")


@pytest.mark.slow
@pytest.mark.simulator
def test_a_study_that_is_killed_goes_on_and_ends_as_by_two_workers(here, monkeypatch, capsys):
    command = [sys.executable, "-m", "embodied_ssl.cli", "study", "turning", "--plugin", "turning_study"]
    command += ["--size", "minute", "--out", "killed", "--progress", "false"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as begun:
        while not list(Path("killed").glob("runs/*/state.pt")):  # a run has begun, the choice is made
            assert begun.poll() is None
            time.sleep(0.02)
        begun.kill()
    chosen = [path.stat().st_mtime_ns for path in Path("killed").glob("choosing/*/*.json")]
    assert len(chosen) == 2
    assert main([*command[3:], "--sets", ""]) == 2  # which is no NAME=PATH
    assert main(command[3:]) == 0
    assert "others by category" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in Path("killed").glob("choosing/*/*.json")] == chosen
    Path("two/figures").mkdir(parents=True)
    Path("two/figures/9_of_another_declaration.svg").touch()
    study("turning", "two", "minute", data="killed/data", workers=2, progress=False)
    numbers = Path("killed/results.csv").read_bytes()
    assert numbers == Path("two/results.csv").read_bytes()
    found = read_results("two/results.json")
    assert {one.row: one.samples for one in found} == {
        "raw pixels": 0, "random conv4": 0, "turned, twice": 800, "labels": 400,
    }  # fmt: skip
    assert {one.seed for one in found} == {0, 1}
    assert all(len(one.weights_sha256) == 64 for one in found if one.row != "raw pixels")
    told = Path("two/tables.md").read_text()
    assert "| turned, twice | 800 |" in told
    asked = study_named("turning")
    tries = Experiment(asked, "minute", asked.sizes["minute"], Path("two"), Path("killed/data")).tries()
    assert f"`{best_of(tries)}` is the best of 2" in told
    assert sorted(path.name for path in Path("two/figures").iterdir()) == ["1_New_objects.svg", "2_Few.svg"]
    assert "Does turning an object teach more" in Path("two/report.html").read_text()

    goes_on_elsewhere(numbers)

    # Made again it is equal, until something is changed that it was made of.
    asked = [
        "verify",
        "two",
        "--plugin",
        "turning_study",
        "--row",
        "turned_twice",
        "--seeds",
        "1",
        "--scratch",
        "again",
    ]
    assert main([*asked, "--progress", "false"]) == 0
    assert "7 of 7 are equal" in capsys.readouterr().out
    changed = json.loads(Path("two/results.json").read_text())
    for one in changed:
        one["value"] += 0.5 * (one["row"] == "turned, twice")
    Path("two/results.json").write_text(json.dumps(changed))
    assert main([*asked, "--progress", "false"]) == 1
    assert (
        "numbers of turned, twice on others by category: DEPARTS at knn accuracy of seed 0" in capsys.readouterr().out
    )

    stands_in_the_zoo(here, monkeypatch, capsys)


@pytest.mark.simulator
def test_what_does_not_fit_is_refused_before_any_work(here):
    for wrong, told in [
        ({"size": "week"}, "unknown size of turning 'week'"),
        ({"rows": ["turnd"]}, "unknown row of turning 'turnd': did you mean"),
        ({"sets": {"cifar": "x"}}, "unknown set 'cifar'|nothing is there"),
        ({"engine": "lokky"}, "did you mean 'loky'"),
        ({"device": "cuda:77"}, "cuda:77"),
    ]:
        with pytest.raises(DataError, match=told):
            study("turning", "out", **({"size": "minute", "progress": False} | wrong))
    asked = study_named("turning")
    for options, told in [
        ("--epochs 2", "how many updates it makes follows from the samples of the study"),
        ("--steps=2", "how many updates it makes follows from the samples of the study"),
        ("--seed 1", "--training.seed: the study says that of all rows; leave it out"),
        ("--labelled x", "--data.labelled: the study says that"),
        ("--config x.yaml", "--config: a row is told by its options"),
    ]:
        rows = tuple(replace(row, method=f"{row.method} {options}") for row in asked.rows)
        with pytest.raises(DataError, match=told):
            study(replace(asked, rows=rows), "out", rows=["labels"], size="minute", progress=False)
    assert not Path("out/runs").exists()
    with pytest.raises(DataError, match="no study, and no run that has ended"):
        verify(here)


def test_the_longest_run_comes_first_and_what_waits_for_nothing_before_what_waits(tmp_path):
    def run(name, samples, tries=()):
        return Learning(name, 0, ("rotation",), ("rotation",), tmp_path / name, samples, 8, tries)

    def order(*cells):
        return [cell.row for cell in in_order(cells, 1, Progress("study", cells, 1, shown=False))]

    on = MeasuredOn("set", tmp_path, "", (), USUAL, "cpu")
    tried = Try("tried", "--lr 1", run("1", 10), on, tmp_path / "1.json")
    pixels = Measuring("raw pixels", 0, on, tmp_path / "pixels.json")
    of_short = Measuring("of short", 0, on, tmp_path / "short.json", run=tmp_path / "short")
    short, long, last = run("short", 1000), run("long", 9000), run("chosen", 99_000, (tried,))
    assert order(tried, short, last, long, pixels, of_short) == [
        "tried", "long", "short", "raw pixels", "chosen", "of short",
    ]  # fmt: skip
    many = [run(str(number), number, (tried,)) for number in range(9)]
    waiting = Measuring("of many", 0, on, tmp_path / "many.json", run=tmp_path / "0")
    assert (
        order(tried, *many, waiting)[-1] == "of many"
    )  # whoever waited for a run that nobody has begun would for ever
    (tmp_path / "short").mkdir()
    (tmp_path / "short" / "encoder.safetensors").touch()  # it has ended: measured while others learn
    runs = [run(f"run {length}", length) for length in (1, 3, 2)]
    assert order(pixels, of_short, *runs) == ["of short", "run 3", "run 2", "run 1", "raw pixels"]


def test_splits_of_seeds_are_apart_and_a_number_is_the_mean_over_them():
    seeds = [seed for each in range(4) for seed in split_seeds(each, 5)]
    assert sorted(seeds) == list(range(20))
    ours = [[Result("r", seed, "s", "p", "m", 0.25 * seed, {"split_seed": seed})] for seed in split_seeds(1, 2)]
    [one] = mean_over_splits(ours, 1)
    assert (one.value, one.seed, one.settings["values_by_split"]) == (0.625, 1, [0.5, 0.75])
