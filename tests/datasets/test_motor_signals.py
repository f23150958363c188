"""Other motor signals than the body's own: the images stay byte for byte, the motions are whose they are said to be."""

import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.motor import MotorSignals
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.training.runs.checkpoint import read_configuration

VIDEOS = ("roam", "orbit", "hold")
CLIPS = {"roam": 4, "orbit": 4, "hold": 3}  # frames; a visit of the small hold has three


def cut(dataset, stream, motor="own", delay_s=0.1, seed=0):
    signals = MotorSignals(motor, delay_s)
    if stream == "pairs":
        return dataset.pairs(max_gap=2, motor=signals, seed=seed)
    return dataset.clips(CLIPS[dataset.kind], motor=signals, seed=seed)


def whole(stream):
    return stream.batch(np.arange(len(stream)), np.random.default_rng(0))


@pytest.mark.parametrize("motor", ["yoked", "delayed", "none"])
@pytest.mark.parametrize("stream", ["pairs", "clips"])
@pytest.mark.parametrize("kind", VIDEOS)
def test_all_but_the_motion_is_the_same(data, kind, stream, motor):
    dataset = Dataset.open(data[kind])
    own, other = whole(cut(dataset, stream)), whole(cut(dataset, stream, motor))
    for field in fields(own):
        mine, theirs = getattr(own, field.name), getattr(other, field.name)
        assert mine.dtype == theirs.dtype
        if field.name != "motion":
            assert mine.numpy().tobytes() == theirs.numpy().tobytes(), field.name
    assert own.motion.shape == other.motion.shape
    differs = (own.motion - other.motion).abs().amax(-1) > 1e-4
    assert differs.float().mean() > 0.9
    if motor == "none":
        assert (other.motion == 0).all()


def rows_of(dataset, batch):
    """The row of the first frame of each pair, by its image: frames of these sets are all different."""
    frames = dataset.array("frames/rgb")[:]
    known = {frame.tobytes(): row for row, frame in enumerate(frames)}
    assert len(known) == len(frames)
    return np.array([known[image.movedim(0, -1).contiguous().numpy().tobytes()] for image in batch.first])


@pytest.mark.parametrize("kind", VIDEOS)
def test_the_yoked_are_those_of_one_other_episode_at_the_same_time(data, kind):
    """Found by the motions alone: in each segment those of the pairs are, in order, those of a segment elsewhere."""
    dataset = Dataset.open(data[kind])
    own, other = whole(cut(dataset, "pairs")), whole(cut(dataset, "pairs", "yoked"))
    first = rows_of(dataset, own)
    second = first + own.gap.numpy()
    start, length = dataset.segments
    begins = dataset.episodes["start"]
    segment = np.searchsorted(start, first, side="right") - 1
    kind_of_motion = dataset.declaration.between
    partners = []
    for here in range(len(start)):
        mine = segment == here
        fitting = [
            there
            for there in range(len(start))
            if length[there] == length[here]
            and np.array_equal(
                other.motion.numpy()[mine],
                kind_of_motion(
                    dataset.states(first[mine] - start[here] + start[there]),
                    dataset.states(second[mine] - start[here] + start[there]),
                ),
            )
        ]
        (there,) = fitting
        episodes = np.searchsorted(begins, start[[here, there]], side="right") - 1
        assert episodes[0] != episodes[1]
        assert start[here] - begins[episodes[0]] == start[there] - begins[episodes[1]]
        partners.append(there)
    assert sorted(partners) == list(range(len(start))), "each is the other of one"


def test_who_is_yoked_to_whom_follows_from_the_seed(data):
    dataset = Dataset.open(data["roam"])
    several = [whole(cut(dataset, "pairs", "yoked", seed=seed)).motion for seed in (0, 0, 1, 2, 3)]
    assert torch.equal(several[0], several[1])
    assert not all(torch.equal(several[0], each) for each in several[2:])


def test_the_delayed_are_ones_own_of_before(data):
    dataset = Dataset.open(data["roam"])
    own, late = whole(cut(dataset, "pairs")), whole(cut(dataset, "pairs", "delayed", delay_s=0.2))
    first, gap = rows_of(dataset, own), own.gap.numpy()
    begin = dataset.episodes["start"][np.searchsorted(dataset.episodes["start"], first, side="right") - 1]
    felt = first - begin >= 2
    assert felt.any()
    assert not felt.all()
    expected = dataset.declaration.between(dataset.states(first[felt] - 2), dataset.states(first[felt] - 2 + gap[felt]))
    np.testing.assert_array_equal(late.motion[felt], expected)
    assert (late.motion[~felt] == 0).all()


def test_segments_of_any_length_have_another(data, tmp_path):
    """Of others' recordings: no two episodes are as long, and no motion leads out of one."""
    dataset = Dataset.open(data["roam"])
    length = np.array([9, 3, 17, 2, 14])
    start = np.cumsum(length) - length
    dataset.segments, dataset.episodes = (start, length), {"start": start, "length": length}  # of the 45 frames
    stream = dataset.pairs(max_gap=16, motor=MotorSignals("yoked"))
    motion = whole(stream).motion
    assert motion.isfinite().all()
    first, last = stream._first, stream._first + stream._most
    at, then = stream._motions._elsewhere(first, last)
    owner = [np.searchsorted(start, rows, side="right") - 1 for rows in (first, at, then)]
    assert (owner[0] != owner[1]).all()
    assert (owner[1] == owner[2]).all()
    assert (then > at).all()


@pytest.mark.parametrize("delay_s", [0.01, 0.9, 5.0])
def test_a_delay_that_leaves_nothing_is_refused(data, delay_s):
    with pytest.raises(DataError, match=r"can't be delayed by .*--delay_s"):
        cut(Dataset.open(data["roam"]), "pairs", "delayed", delay_s=delay_s)


def train(data, out, *options):
    small = ["--steps", "2", "--batch_size", "8", "--image_size", "24", "--device", "cpu", "--no-progress"]
    return main(["train", "egomotion", "--pairs", str(data), "--out", str(out), "--bins", "3", *small, *options])


def test_a_run_says_whose_motor_signals_it_had_and_is_another_with_others(data, tmp_path, capsys):
    assert train(data["orbit"], tmp_path / "yoked", "--pairs.motor", "yoked") == 0
    assert train(data["orbit"], tmp_path / "own") == 0
    entries = [read_configuration(tmp_path / name)["data"]["pairs"] for name in ("yoked", "own")]
    assert entries[0].pop("motor") == "yoked"
    assert entries[0] == entries[1]
    weights = [(tmp_path / name / "encoder.safetensors").read_bytes() for name in ("yoked", "own")]
    assert weights[0] != weights[1]
    shutil.copytree(tmp_path / "own", tmp_path / "taken")
    assert train(data["orbit"], tmp_path / "taken", "--pairs.motor", "none") == 2
    assert "motor signals of pairs is own, not none" in capsys.readouterr().err


def test_a_stream_without_motions_takes_none(data, tmp_path, capsys):
    command = ["train", "rotation", "--frames", str(data["roam"]), "--out", str(tmp_path / "run")]
    assert main([*command, "--frames.motor", "yoked"]) == 2
    assert "unknown option --frames.motor" in capsys.readouterr().err
