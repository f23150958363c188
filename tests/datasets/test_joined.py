"""Several data sets for one stream: as one of them all, where they fit together."""

import json

import cv2
import numpy as np
import pytest
import torch

from embodied_ssl.cli.main import main
from embodied_ssl.data import open_streams
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.batches import (
    CaptionedFrames,
    Clips,
    FramePairs,
    Frames,
    Grasps,
    ObjectPairs,
    Pokes,
    Pushes,
    Tracks,
)
from embodied_ssl.datasets.read.captions import Captions
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.streams import Batches
from embodied_ssl.encoders import random_encoder
from embodied_ssl.method import Method, Step
from embodied_ssl.methods import make_method
from embodied_ssl.training.runs.samples import SAMPLES, learned_from

CUTS = {FramePairs: {"max_gap": 2}, Clips: {"length": 3}}
KINDS = {
    "roam": (Frames, FramePairs, Clips, Tracks, CaptionedFrames),
    "orbit": (ObjectPairs, FramePairs),
    "grasp": (Frames, Grasps),
    "push": (Pushes, ObjectPairs, CaptionedFrames),
    "poke": (Pokes, Frames),
}


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """One more of each kind, of another seed."""
    root = tmp_path_factory.mktemp("others")
    for kind in KINDS:
        size = 24 if kind in ("roam", "orbit") else 32
        length = {"length": 6} if kind in ("roam", "orbit") else {}
        collect(kind, root / kind, episodes=3, size=size, seed=5, progress=False, **length)
    return root


def write_noise(root, each, size=8):
    for part in ("train", "test"):
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for i in range(each):
                pixels = np.random.default_rng([i, len(part), ord(name)]).integers(0, 256, (size, size, 3), np.uint8)
                cv2.imwrite(str(root / part / name / f"{i}.png"), pixels)
    return root


def joined(batch, sources):
    """The stream of such batches out of several sources."""

    class Takes(Method):
        def loss(self, taken: batch, step: Step) -> dict[str, torch.Tensor]:
            raise AssertionError("never reached")

        def stream_options(self):
            on_table = batch is ObjectPairs and Dataset.open(np.ravel(sources)[0]).kind == "push"
            return {"taken": {"across": "interaction"} if on_table else CUTS.get(batch, {})}

    return open_streams(Takes(random_encoder("conv4", 32, seed=0)), {"taken": sources})["taken"]


@pytest.mark.parametrize(("kind", "batch"), [(kind, batch) for kind, batches in KINDS.items() for batch in batches])
def test_the_elements_of_several_sets_come_one_after_the_other(data, others, kind, batch):
    """Every element of a mixed batch is what its own stream gives for it alone, renumbered."""
    sources = [data[kind], others / kind]
    both, parts = joined(batch, sources), [joined(batch, source) for source in sources]
    assert len(both) == sum(len(part) for part in parts)
    index = np.random.default_rng(0).permutation(len(both))[:12]
    assert (index < len(parts[0])).any()
    assert (index >= len(parts[0])).any()
    found = both.batch(index, np.random.default_rng(1))
    rng = np.random.default_rng(1)  # the first stream draws first
    for part, mine, first in zip(
        parts, (index < len(parts[0]), index >= len(parts[0])), (0, len(parts[0])), strict=True
    ):
        alone = part.batch(index[mine] - first, rng)
        for name, values in vars(alone).items():
            own = getattr(found, name)[torch.from_numpy(mine)]
            if name == "index":
                values = values + first
            if name in ("object", "words"):
                continue  # see below
            if name == "episode" and part is parts[1]:
                values = values + parts[0].episodes
            assert torch.equal(own.nan_to_num(-1), values.nan_to_num(-1)), name


def test_things_classes_and_words_have_one_number_over_all_sets(data, others):
    pairs, sources = {}, [data["push"], others / "push"]
    stream = joined(ObjectPairs, sources)
    offset = len(joined(ObjectPairs, sources[0]))
    found = stream.batch(np.arange(len(stream)), np.random.default_rng(0)).object
    names = [name for source in sources for name in Dataset.open(source).object_names]
    for source, own in zip(sources, (found[:offset], found[offset:]), strict=True):
        part = joined(ObjectPairs, source)
        numbers = part.batch(np.arange(len(part)), np.random.default_rng(0)).object
        for number, joint in zip(numbers.tolist(), own.tolist(), strict=True):
            name = Dataset.open(source).object_names[number]
            assert pairs.setdefault(joint, name) == name
    assert len(set(pairs.values())) == len(pairs)
    assert set(pairs.values()) <= set(names)
    captions = joined(CaptionedFrames, sources)
    assert not isinstance(captions, Captions)
    parts = [joined(CaptionedFrames, source) for source in sources]
    index = len(parts[0]) + np.arange(len(parts[1]))
    words = captions.batch(index, np.random.default_rng(2)).words
    alone = parts[1].batch(index - len(parts[0]), np.random.default_rng(2)).words
    spelled = [[captions.vocabulary[word] for word in row] for row in words.tolist()]
    assert spelled == [[parts[1].vocabulary[word] for word in row] for row in alone.tolist()]
    assert captions.vocabulary[:2] == parts[0].vocabulary[:2]  # no word, and one that is not known
    interactions = joined(Grasps, [data["grasp"], others / "grasp"])
    last = interactions.batch(np.arange(6, len(interactions)), np.random.default_rng(0)).object
    own = Dataset.open(others / "grasp").array("interactions/object")[:]
    assert (last.numpy() == np.where(own >= 0, own + len(Dataset.open(data["grasp"]).object_numbers), own)).all()


def test_labels_are_those_of_the_classes_of_all(tmp_path):
    one, two = write_noise(tmp_path / "one", 3), write_noise(tmp_path / "two", 2)
    (two / "train" / "b").rename(two / "train" / "c")
    method = make_method("labels", None, 32)
    stream = open_streams(method, {"labelled": [one, two]})["labelled"]
    assert stream.classes == ("a", "b", "c")
    assert stream.batch(np.arange(10), np.random.default_rng(0)).label.tolist() == [0] * 3 + [1] * 3 + [0] * 2 + [2] * 2
    batches = Batches(stream, batch_size=10)
    assert sorted(batches[0].index.tolist()) == list(range(10))


def test_what_does_not_fit_together_is_said(data, tmp_path):
    with pytest.raises(DataError, match=r"do not fit together: images are 3 × 24 × 24 in .*roam, 3 × 32 × 32 in"):
        joined(Frames, [data["roam"], data["push"]])
    with pytest.raises(DataError, match=r"bodies that move differently.*roam .*in .*orbit .*in"):
        joined(FramePairs, [data["roam"], data["orbit"]])
    with pytest.raises(DataError, match="no data set named"):
        joined(Frames, [])


def test_the_command_line_takes_several_sets_in_both_ways(data, tmp_path):
    """Images of files, of another size, join those of our own at theirs."""
    noise = write_noise(tmp_path / "noise", 5)
    common = ["--decode_size", "24", "--steps", "2", "--batch_size", "8", "--image_size", "32", "--progress", "false"]
    told = []
    for name, given in (
        ("one", ["--frames", str(data["roam"]), str(noise)]),
        ("two", ["--frames", str(data["roam"]), "--frames", str(noise)]),
    ):
        out = tmp_path / name
        assert main(["train", "rotation", *given, "--out", str(out), *common]) == 0
        told.append(json.loads((out / "run.json").read_text())["data"]["frames"])
    assert told[0] == told[1]
    assert told[0]["source"] == [str(data["roam"]), str(noise)]
    assert told[0]["part"] == ["", "train"]
    assert told[0]["side"] == [None, 24]
    assert told[0]["images"] == 45 + 10
    assert (tmp_path / "one" / "encoder.safetensors").read_bytes() == (
        tmp_path / "two" / "encoder.safetensors"
    ).read_bytes()
    images = image_set(noise)
    assert len(np.load(tmp_path / "one" / SAMPLES)) == 55
    assert learned_from(tmp_path / "one", images, np.arange(len(images))) == 10
