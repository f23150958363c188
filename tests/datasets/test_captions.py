"""Captions say what is there; words of one kind become neighbours; CLIP brings images and captions together."""

import math

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import CaptionedFrames
from embodied_ssl.datasets.read.captions import COLOURS, FEELS, LENGTH, Facts, colour_of, compose, tokenise, words_of
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.text.encoder import TextEncoder
from embodied_ssl.text.masked_words import learn_masked_words, mask
from embodied_ssl.text.word2vec import word2vec

MATERIALS = ("wood", "metal", "ceramic", "plush", "rubber")
THINGS = ("mug", "ball", "bottle", "plate", "book", "lamp", "duck", "spoon")


def sentences(count=1500, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [
        Facts(*(str(rng.choice(kind)) for kind in (THINGS, FEELS, COLOURS, MATERIALS)), "on the left", "poked")
        for _ in range(count)
    ]
    vocabulary = words_of([*THINGS, *MATERIALS])
    return tokenise([compose(facts, rng) for facts in drawn], vocabulary), vocabulary


def test_a_caption_says_all_that_is_known_in_order():
    facts = Facts("ball", "soft", "red", "plush", "on the left", "poked")
    assert compose(facts, np.random.default_rng(0), said=1.0) == "a soft red plush ball on the left , poked"
    assert compose(facts, np.random.default_rng(0), said=0.0) == "a ball"


def test_words_are_numbered_and_come_back():
    tokens, vocabulary = sentences()
    assert vocabulary[:2] == ("", "?")
    assert tokens.max() < len(vocabulary)
    again = tokenise([" ".join(vocabulary[t] for t in row if t) for row in tokens], vocabulary)
    np.testing.assert_array_equal(again, tokens)
    assert tokenise(["a quixotic ball"], vocabulary)[0, 1] == 1


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((250, 250, 250), "white"), ((128, 128, 128), "grey"), ((10, 10, 12), "black"), ((220, 20, 30), "red"),
        ((240, 140, 20), "orange"), ((120, 75, 30), "brown"), ((230, 220, 40), "yellow"), ((40, 160, 60), "green"),
        ((40, 200, 210), "cyan"), ((30, 60, 200), "blue"), ((130, 40, 200), "purple"), ((240, 120, 190), "pink"),
    ],
)  # fmt: skip
def test_colours_have_their_names(rgb, name):
    assert colour_of(np.full((1, 9, 9, 3), rgb, np.uint8)) == [name]


@pytest.mark.parametrize("kind", ["roam", "orbit", "grasp", "push", "poke"])
def test_captions_of_every_kind_are_true(data, kind):
    """What a caption names is what the tables of the data set hold."""
    dataset = Dataset.open(data[kind])
    stream = dataset.captions()
    index = np.arange(len(stream))
    batch = stream.batch(index, np.random.default_rng(0))
    assert batch.words.shape == (len(stream), LENGTH)
    assert not (batch.words == 1).any()  # no word is unknown
    texts = stream.captions(index, np.random.default_rng(0))
    assert tokenise(texts, stream.vocabulary).tolist() == batch.words.tolist()
    rows = stream._rows
    if kind in ("roam", "orbit"):
        episode = np.searchsorted(dataset.episodes["start"], rows, side="right") - 1
        np.testing.assert_array_equal(batch.images.movedim(1, -1).numpy(), dataset.array("frames/rgb")[rows])
    if kind == "roam":
        named = dataset.scenes[dataset.episodes["scene"][episode]]
    else:
        things = (
            dataset.episodes["objects_start"][episode]
            if kind == "orbit"
            else dataset.array("interactions/object")[rows]
        )
        named = dataset.objects["category"][things]
        materials = set(dataset.objects["material"].tolist())
        for text, thing in zip(texts, things, strict=True):
            said = materials & set(text.split())
            assert said <= {dataset.objects["material"][thing], *text.split(" , ")[0].split()[-1:]}
    for text, name in zip(texts, named, strict=True):
        assert name.replace("_", " ") in text
    if kind == "grasp":
        for text, held in zip(texts, dataset.array("interactions/success")[rows], strict=True):
            assert ("and held" in text, "slipped" in text) in ((held, not held), (False, False))


def neighbours_share_a_kind(vectors, vocabulary):
    """The share of materials and colours whose nearest word is of their own kind."""
    unit = torch.nn.functional.normalize(vectors, dim=1).numpy()
    used = [vocabulary.index(word) for kind in (THINGS, FEELS, COLOURS, MATERIALS) for word in kind]
    kinds = np.repeat(np.arange(4), [len(THINGS), len(FEELS), len(COLOURS), len(MATERIALS)])
    similarity = unit[used] @ unit[used].T
    np.fill_diagonal(similarity, -2)
    asked = kinds >= 2
    return (kinds[similarity.argmax(1)] == kinds)[asked].mean()


def test_words_of_one_kind_become_neighbours_by_word2vec():
    tokens, vocabulary = sentences()
    vectors = word2vec(tokens, len(vocabulary), dim=32, steps=400)
    assert neighbours_share_a_kind(vectors, vocabulary) > 0.9
    untrained = torch.randn(len(vocabulary), 32, generator=torch.Generator().manual_seed(0))
    assert neighbours_share_a_kind(untrained, vocabulary) < 0.7
    torch.testing.assert_close(
        word2vec(tokens, len(vocabulary), 8, steps=3), word2vec(tokens, len(vocabulary), 8, steps=3)
    )


def test_masked_words_are_told_and_words_of_one_kind_become_neighbours():
    torch.manual_seed(0)
    tokens, vocabulary = sentences()
    encoder = TextEncoder(len(vocabulary), LENGTH, 32, 1)
    losses = learn_masked_words(encoder, tokens, len(vocabulary), steps=200, rate=1e-2)
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:5])
    assert neighbours_share_a_kind(encoder.embedding.weight.detach(), vocabulary) > 0.7


def test_the_shares_of_masked_words():
    tokens = torch.full((400, 50), 5)
    tokens[:, 40:] = 0
    shown, asked = mask(tokens, 1000, np.random.default_rng(0))
    assert not asked[:, 40:].any()
    assert asked[:, :40].float().mean() == pytest.approx(0.15, abs=0.01)
    assert (shown[asked] == 1).float().mean() == pytest.approx(0.8, abs=0.03)
    assert (shown[asked] == 5).float().mean() == pytest.approx(0.1, abs=0.03)
    assert torch.equal(shown[~asked], tokens[~asked])


def test_padding_says_nothing():
    encoder = TextEncoder(20, 10, 32, 2).eval()
    short = torch.tensor([[3, 4, 5]])
    padded = torch.cat([short, torch.zeros(1, 7, dtype=torch.int64)], 1)
    encoder.positions.data = encoder.positions.data[:10]
    longer = encoder(padded)
    encoder.positions.data = encoder.positions.data[:3]
    torch.testing.assert_close(encoder(short), longer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("start", ["random", "word2vec", "masked_words"])
def test_clip_takes_its_words_from_the_data(data, start):
    stream = Dataset.open(data["poke"]).captions()
    clip = make_method("clip", "conv4", 32, start=start, start_steps=3)
    clip.prepare({"captions": stream}, np.random.default_rng(0))
    assert tuple(clip.vocabulary()) == stream.vocabulary
    again = make_method("clip", "conv4", 32)
    again.load_state_dict(clip.state_dict())
    text = ["a soft red ball", "a mug , poked"]
    torch.testing.assert_close(again.eval().embed_captions(text), clip.eval().embed_captions(text))
    with pytest.raises(DataError, match="raise --words from 10"):
        make_method("clip", "conv4", 32, words=10).prepare({"captions": stream}, np.random.default_rng(0))


def test_the_scale_of_clip_comes_back_from_its_largest_value():
    clip = make_method("clip", "conv4", 32)
    with torch.no_grad():
        clip.log_scale.fill_(math.log(100) + 0.3)
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    words = torch.randint(2, 20, (8, LENGTH))
    step = Step(0.5, torch.Generator().manual_seed(0))
    clip.after_step(step)
    assert clip.log_scale.exp().item() == pytest.approx(100, rel=1e-4)
    losses = clip.loss(CaptionedFrames(images, words, torch.arange(8)), step)
    losses["loss"].backward()
    assert losses["temperature"].item() == pytest.approx(0.01, rel=1e-4)
    assert clip.log_scale.grad.item() > 0  # of captions that say nothing yet: a lower scale is better
    torch.optim.SGD([clip.log_scale], 0.1).step()
    clip.after_step(step)
    assert clip.log_scale.item() < math.log(100)


def test_clip_learns_which_caption_belongs_to_which_picture():
    """Four colours of images, four words; afterwards prompts name held-out images."""
    torch.manual_seed(0)
    names = ("red", "green", "blue", "white")
    values = torch.tensor([[200, 30, 30], [30, 180, 40], [30, 40, 200], [230, 230, 230]])
    vocabulary = words_of(names)
    clip = make_method("clip", "conv4", 32)
    clip._learn_vocabulary(vocabulary)
    optimizer = torch.optim.Adam(clip.parameters(), 1e-3)
    rng = torch.Generator().manual_seed(0)

    def pictures(label):
        noise = torch.randint(-25, 26, (len(label), 3, 32, 32), generator=rng)
        return (values[label][..., None, None] + noise).clamp(0, 255).byte()

    for number in range(25):
        label = torch.randint(0, 4, (32,), generator=rng)
        words = torch.from_numpy(tokenise([f"a {names[i]} thing" for i in label], vocabulary))
        losses = clip.loss(CaptionedFrames(pictures(label), words, label), Step(number / 25, rng))
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    label = torch.arange(40) % 4
    codes = clip.eval().embed_images(pictures(label).float() / 255)
    said = (codes @ clip.embed_classes(names).T).argmax(1)
    assert (said == label).float().mean() > 0.9
