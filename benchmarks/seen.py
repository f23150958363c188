"""What DINO attends to, what MAE fills in, and what CLIP names, on objects and grounds never seen.

OPENBLAS_NUM_THREADS=1 python benchmarks/seen.py --out seen

Collects images of turntables with instance masks, and trains DINO and MAE on a small vision transformer, and CLIP
from each start of its text, on the same images. Writes OUT/seen.md: the Jaccard index of DINO's attention with the
simulator's masks while it learns (Caron et al. 2021, figure 8) and of guesses that look at no image, the speed-up of
MAE's encoder from skipping what is masked, CLIP's zero-shot table and retrieval; and images of all three beside it.
A run that was interrupted goes on; that of DINO starts anew, since its attention is looked at on the way.
Takes about half an hour.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from timing import options
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder, TransformerEncoder, random_encoder
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.clip import CLIP, PROMPTS
from embodied_ssl.methods.dino import DINO
from embodied_ssl.methods.mae import MAE
from embodied_ssl.parts.precision import Precision
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.runs.checkpoint import load_method
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

SIZE, KNOWN, UNKNOWN = 64, (0, 64), (64, 96)
DATA: dict[str, dict[str, Any]] = {
    "orbit": {"episodes": 1000, "length": 8, "instances": KNOWN},
    "new_orbits": {"episodes": 300, "length": 4, "instances": UNKNOWN, "seed": 1000},
}
RUNS: dict[str, tuple[str, str, str, int, int, dict[str, Any]]] = {  # method, encoder, stream, updates, batch, settings
    "dino": ("dino", "vit_tiny_cls", "frames", 250, 32, {}),
    "mae": ("mae", "vit_tiny", "frames", 600, 64, {}),
    "clip": ("clip", "conv4", "captions", 600, 128, {}),
    "clip from word2vec": ("clip", "conv4", "captions", 600, 128, {"start": "word2vec"}),
    "clip from masked words": ("clip", "conv4", "captions", 600, 128, {"start": "masked_words"}),
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--out", type=Path, default=Path("seen"))
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the usual updates")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name, settings in DATA.items():
        collect("orbit", given.out / "data" / name, size=SIZE, instance=True, **settings)
    dataset = Dataset.open(given.out / "data" / "new_orbits")
    rows = np.arange(0, len(dataset), 3)
    images = to_float(torch.from_numpy(dataset.array("frames/rgb")[rows]).movedim(-1, 1))
    masks = torch.from_numpy(dataset.array("frames/instance")[rows] > 0)
    shutil.rmtree(given.out / "dino", ignore_errors=True)
    curve: list[str] = []
    for name, (method, encoder, stream, steps, batch, settings) in RUNS.items():
        made = make_method(method, encoder, SIZE, 0, **settings)
        recipe = replace(made.recipe, steps=round(given.scale * steps), batch_size=batch)
        if isinstance(made, DINO):
            watch(made, recipe.steps, curve, images, masks)
        precision: Precision = "bf16" if isinstance(made, DINO) else "32"  # twice as fast where the processor has it
        data, where = {stream: given.out / "data" / "orbit"}, Hardware("cpu", precision=precision)
        train(made, given.out / name, data, recipe, TrainingSettings(progress=False), where)
    text = ["# What is seen", f"`python benchmarks/seen.py --scale {given.scale:g}`, one seed"]
    text += [attended(given.out, images, masks, curve), filled_in(given.out, images), speed_up()]
    text += named(given.out, dataset)
    (given.out / "seen.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    print((given.out / "seen.md").read_text(encoding="utf-8"))


def watch(method: DINO, steps: int, curve: list[str], images: Tensor, masks: Tensor) -> None:
    """Adds a row to `curve` before the first update and after every fifth of them."""
    after_step = method.after_step
    curve.append(row("never trained", method.output_encoder, images, masks))

    def looks(step: Step) -> None:
        after_step(step)
        done = round(step.progress * steps) + 1
        if done % (steps // 5) == 0:
            curve.append(row(f"dino, {done} updates", method.output_encoder, images, masks))

    method.after_step = looks  # type: ignore[method-assign]


@torch.no_grad()
def row(name: str, encoder: Encoder, images: Tensor, masks: Tensor) -> str:
    """Jaccard indices of the head that is best for all images: where it attends most, and where least."""
    assert isinstance(encoder, TransformerEncoder)
    training = encoder.training
    attention = encoder.eval().attention(images)
    encoder.train(training)
    most, least = (jaccard(kept(maps), masks).mean(0).max() for maps in (attention, inverse(attention)))
    return f"| {name} | {most:.3f} | {least:.3f} |"


@torch.no_grad()
def attended(out: Path, images: Tensor, masks: Tensor, curve: list[str]) -> str:
    """DINO's attention as masks, and as images: an image, its mask, the attention, and what it leaves out."""
    encoder = load_method(out / "dino").output_encoder
    assert isinstance(encoder, TransformerEncoder)
    attention = encoder.eval().attention(images)
    least = kept(inverse(attention))
    head = jaccard(least, masks).mean(0).argmax()
    shown = [images, masks[:, None].expand_as(images).float()]
    for maps in (attention[:, head, None], least[:, head, None].float()):
        light = functional.interpolate(maps / maps.amax((2, 3), keepdim=True), (SIZE, SIZE), mode="nearest")
        shown.append(light.expand_as(images))
    draw(out / "attention.jpg", shown)
    rows = ["| last block's [CLS], 60 % of its mass, the best of 3 heads | most attended | least attended |",
            "|---|---|---|", *curve]  # fmt: skip
    v, u = np.mgrid[:8, :8]
    disc = torch.from_numpy(np.hypot(v - 3.5, u - 3.5) < 2).expand(len(images), 1, 8, 8)
    for name, guess in (("a disc in the middle", disc), ("the whole picture", torch.ones_like(disc))):
        rows.append(f"| {name} | {jaccard(guess, masks).mean():.3f} | |")
    note = (
        "The object stands in the middle, which a disc knows and attention does not. Each column of the image: what "
        "is seen, the mask, the attention, and where there is least of it."
    )
    return "\n\n".join(
        ["Jaccard index with the mask of the object:", "\n".join(rows), note, "![DINO's attention](attention.jpg)"]
    )


def inverse(attention: Tensor) -> Tensor:
    """High where attention is low."""
    return attention.amax((2, 3), keepdim=True) - attention


def kept(attention: Tensor, mass: float = 0.6) -> Tensor:
    """The patches that hold so much of the attention, the most attended first; bool, as attention [B, heads, h, w]."""
    flat = attention.flatten(2)
    shares, order = (flat / flat.sum(2, keepdim=True)).sort(2, descending=True)
    inside = shares.cumsum(2) - shares < mass
    return torch.zeros_like(inside).scatter(2, order, inside).view(attention.shape)


def jaccard(patches: Tensor, masks: Tensor) -> Tensor:
    """Share of the union that is in both: patches bool [B, heads, h, w], masks bool [B, H, W]; [B, heads]."""
    found = functional.interpolate(patches.float(), masks.shape[1:], mode="nearest") > 0.5
    both = (found & masks[:, None]).sum((2, 3))
    return both / (found | masks[:, None]).sum((2, 3)).clamp(min=1)


def filled_in(out: Path, images: Tensor) -> str:
    method = load_method(out / "mae").eval()
    assert isinstance(method, MAE)
    masked, whole = method.visualize(images, torch.Generator().manual_seed(0))
    draw(out / "filled_in.jpg", [images, masked, whole])
    hidden = (masked == 0.5).all(1, keepdim=True)
    error = ((whole - images).square() * hidden).sum() / (3 * hidden.sum())
    mean = ((images.mean((2, 3), keepdim=True) - images).square() * hidden).sum() / (3 * hidden.sum())
    found = f"MAE's hidden pixels: mean squared error {error:.4f}; of each picture's mean colour {mean:.4f}."
    return f"{found}\n\n![Seen, shown to MAE, filled in](filled_in.jpg)"


def speed_up() -> str:
    """Forward and backward of MAE's encoder with and without the masked patches."""
    encoder, images = random_encoder("vit_tiny", SIZE, 0), torch.rand(32, 3, SIZE, SIZE)
    assert isinstance(encoder, TransformerEncoder)
    every = torch.arange(64).expand(32, -1)

    def update(shown: Tensor) -> Callable[[], None]:
        return lambda: encoder.visible_tokens(images, shown).square().mean().backward()

    seconds = {name: timed(update(shown)) for name, shown in (("all", every), ("quarter", every[:, ::4]))}
    rows = [f"| {name} | {1000 * value:.0f} |" for name, value in seconds.items()]
    ratio = seconds["all"] / seconds["quarter"]
    table = "\n".join(["| patches that the encoder sees | ms, 32 images, forward and backward |", "|---|---|", *rows])
    return f"{table}\n\nSkipping three patches of four makes the encoder {ratio:.1f} times as fast."


def timed(work: Callable[[], None]) -> float:
    found = []
    for _ in range(7):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return float(np.median(found[1:]))


def named(out: Path, dataset: Dataset) -> list[str]:
    """CLIP's zero-shot classification by prompts, and retrieval, on objects never seen."""
    stream = dataset.captions()
    index = np.arange(0, len(stream), 2)
    images = to_float(stream.batch(index, np.random.default_rng(0)).images)
    captions = stream.captions(index, np.random.default_rng(1))
    facts = stream._facts(index, stream._images(index))
    zero = ["| zero-shot accuracy | classes | one prompt | ensemble | chance |", "|---|---|---|---|---|"]
    found = ["| retrieval among distinct captions, recall@ | 1 | 5 | 10 |", "|---|---|---|---|"]
    for name in (name for name in RUNS if name.startswith("clip")):
        method = load_method(out / name).eval()
        assert isinstance(method, CLIP)
        codes = torch.cat([method.embed_images(part) for part in images.split(128)])
        for what in ("name", "material", "colour"):
            truth = np.array([getattr(fact, what) for fact in facts])
            classes = sorted(set(truth))
            prompts = PROMPTS if what == "name" else ("a {}", "a {} ball", "a {} mug", "a {} bowl", "a {} box")
            right = [
                (np.array(classes)[(codes @ method.embed_classes(classes, used).T).argmax(1).numpy()] == truth).mean()
                for used in (prompts[:1], prompts)
            ]
            most = max((truth == each).mean() for each in classes)
            zero.append(f"| {name}: {what} | {len(classes)} | {right[0]:.3f} | {right[1]:.3f} | {most:.3f} |")
        said = method.embed_captions(captions)
        same = torch.from_numpy(np.array(captions)[:, None] == np.array(captions))
        for way, scores in (("text of an image", codes @ said.T), ("image of a text", said @ codes.T)):
            found.append(f"| {name}: {way} | {' | '.join(f'{recall(scores, same, k):.3f}' for k in (1, 5, 10))} |")
    found.append(f"| chance | {' | '.join(f'{k / len(index):.3f}' for k in (1, 5, 10))} |")
    best = (codes @ said.T).argmax(1)
    lines = [f"- seen: {captions[i]}; said: {captions[int(best[i])]}" for i in range(0, len(index), len(index) // 8)]
    note = "Chance is the share of the most frequent class."
    return ["\n".join(zero), note, "\n".join(found), "Nearest captions:\n\n" + "\n".join(lines)]


def recall(scores: Tensor, same: Tensor, k: int) -> float:
    """The share of rows with one of their own among the k best columns."""
    return same.gather(1, scores.topk(k, 1).indices).any(1).float().mean().item()


def draw(path: Path, columns: list[Tensor], count: int = 12) -> None:
    """Images side by side, each sample a column of its own."""
    chosen = [column[:: max(1, len(column) // count)][:count] for column in columns]
    rows: list[NDArray[np.uint8]] = [
        (torch.cat(list(each), 2).clamp(0, 1).permute(1, 2, 0).numpy() * 255).astype(np.uint8) for each in chosen
    ]
    sheet = np.concatenate(rows)[..., ::-1]
    cv2.imwrite(str(path), cv2.resize(sheet, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_NEAREST))


if __name__ == "__main__":
    main()
