"""One SimCLR training step, and its views alone, against what a user would take.

OPENBLAS_NUM_THREADS=1 python benchmarks/contrastive.py [contrastive.md]

Ours is `train`, from the mapped store to the update of the weights. lightly's side is the loop of its README: images
in a folder, its transform, its loss, its projection head, SGD. Both have the same layers, batch, size of images and
list of augmentations, one thread, and take turns; times are of the processor. The README encodes each view by itself,
so we do the same; rows where both views are encoded together, which gives batch norm twice the company, are apart. The
floor is lightly's step over the forward and backward of our network alone: what the ratio would be if nothing else
took time. Peers are compared where they are installed: `pip install lightly kornia stable-pretraining`. Takes some
minutes.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count, product
from pathlib import Path
from typing import Any

import cv2
import torch
import torchvision
from timing import installed, interleaved, options
from torch import Tensor, nn
from torch.utils.data import DataLoader

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import DEVIATION, MEAN, make_encoder
from embodied_ssl.method import Recipe, Step
from embodied_ssl.methods.simclr import SimCLR
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.losses import nt_xent
from embodied_ssl.parts.positives import Views
from embodied_ssl.parts.precision import Precision
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

SIZE, BATCH, TEMPERATURE, UPDATES, ROUNDS = 64, 64, 0.5, 2, 3
WHOLE_BATCH = 256  # SimCLR's own
SCALE, STRENGTH, GREY, BLUR = (0.08, 1.0), 1.0, 0.2, 0.5
ENCODERS = (("conv4", 64), ("resnet18_small", 64), ("torchvision/resnet18", 64), ("torchvision/resnet18", 32))
"""And the size of the images, px: ResNet-18 for small images, and that of ImageNet, of fewer convolutions."""
PRECISIONS: dict[Precision, str] = {"32": "float32", "bf16": "bf16"}  # and what they are called
BARE: tuple[tuple[str, Precision, float], ...] = (  # encoder, precision, smallest crop; the last is of `positives`
    ("conv4", "32", 0.2), ("resnet18_small", "32", 0.2), ("resnet8", "bf16", 0.2), ("resnet8", "bf16", 1.0)
)  # fmt: skip
RARELY = TrainingSettings(monitor_every=10**6, checkpoint_every=10**6, progress=False)
README = Recipe(optimizer="sgd", learning_rate=0.1, weight_decay=1e-6, batch_size=BATCH, steps=UPDATES + 2)


def views(images: Tensor, rng: torch.Generator, size: int = SIZE) -> Tensor:
    """Ours, of one list with lightly's."""
    return augment(images, rng, size, Augmentation(SCALE, STRENGTH, grey=GREY, blurred=BLUR))


class Timed(SimCLR):
    """SimCLR that notes when each update has ended."""

    def __init__(self, encoder: nn.Module, together: bool):
        views = Views(least_crop=SCALE[0])
        super().__init__(encoder, views, width=encoder.dim, strength=STRENGTH, grey=GREY, blur=BLUR)
        self.together, self.ended = together, []

    def settings(self) -> dict[str, Any]:
        return {}

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = views(torch.cat([frames.images, frames.images]), step.rng, self.encoder.image_size)
        parts = [images] if self.together else images.chunk(2)
        codes = torch.cat([self.projection(self.encoder(part)) for part in parts])
        return {"loss": nt_xent(*codes.chunk(2), TEMPERATURE)}

    def after_step(self, step: Step) -> None:
        self.ended.append(time.process_time())


def ours(
    encoder: str, size: int, precision: Precision, together: bool, data: Path, runs: Iterator[int]
) -> Callable[[], float]:
    """Core seconds of an update of `train`, its first one left out."""

    def work() -> float:
        method = Timed(make_encoder(encoder, size), together)
        out = data.parent / f"run{next(runs)}"
        train(method, out, {"frames": data}, README, RARELY, Hardware("cpu", precision=precision))
        return (method.ended[-2] - method.ended[0]) / UPDATES

    return work


def alone_of(encoder: str, size: int, precision: Precision, together: bool) -> Callable[[], float]:
    """Core seconds of the forward and backward of our network alone, of as many views."""

    def work() -> float:
        network, images = make_encoder(encoder, size), torch.rand(2 * BATCH, 3, size, size)
        ended = []
        for _ in range(UPDATES + 1):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                features = torch.cat([network(part) for part in ([images] if together else images.chunk(2))])
            features.sum().backward()
            network.zero_grad(set_to_none=True)
            ended.append(time.process_time())
        return (ended[-1] - ended[0]) / UPDATES

    return work


def plain(encoder: str, size: int) -> nn.Module:
    """The layers of an encoder of ours as one would write them."""
    if "resnet18" in encoder:
        network = torchvision.models.resnet18(weights=None)
        if encoder == "resnet18_small":
            network.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
            network.maxpool = nn.Identity()
        return nn.Sequential(*list(network.children())[:-1], nn.Flatten())
    blocks = make_encoder(encoder, size).blocks.to(memory_format=torch.contiguous_format)
    return nn.Sequential(*blocks.values(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def lightlys_transform(size: int = SIZE) -> Any:
    from lightly.transforms import SimCLRTransform

    normalize = {"mean": [MEAN] * 3, "std": [DEVIATION] * 3}
    return SimCLRTransform(size, cj_strength=STRENGTH, min_scale=SCALE[0], random_gray_scale=GREY, gaussian_blur=BLUR,
                           normalize=normalize)  # fmt: skip


def lightlys(encoder: str, size: int, precision: Precision, together: bool, pictures: Path) -> Callable[[], float]:
    """Core seconds of an update of the README's loop, its first one left out."""
    from lightly.data import LightlyDataset
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    dim = make_encoder(encoder, size).dim
    dataset = LightlyDataset(str(pictures), transform=lightlys_transform(size))

    def work() -> float:
        model = nn.Sequential(plain(encoder, size), SimCLRProjectionHead(dim, dim, 128))
        criterion = NTXentLoss(temperature=TEMPERATURE)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-6, momentum=0.9)
        ended = []
        for (first, second), _, _ in DataLoader(dataset, batch_size=BATCH, shuffle=True, drop_last=True):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                parts = [torch.cat([first, second])] if together else [first, second]
                loss = criterion(*torch.cat([model(part) for part in parts]).chunk(2))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            ended.append(time.process_time())
            if len(ended) > UPDATES:
                return (ended[-1] - ended[0]) / UPDATES
        raise AssertionError("too few pictures")

    return work


def steps(data: Path, pictures: Path, peers: list[str]) -> Iterator[str]:
    """A row for each encoder, precision and number of forwards; with lightly's columns where it is installed."""
    columns = [
        "ours, core ms",
        "network alone",
        *(["lightly's README", "ratio", "floor"] if "lightly" in peers else []),
    ]
    yield f"| one update of {BATCH} images | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}"
    runs = count()
    for (encoder, size), precision, together in product(ENCODERS, PRECISIONS, (False, True)):
        what = (encoder, size, precision, together)
        sides = {"ours": ours(*what, data, runs), "alone": alone_of(*what)}
        if "lightly" in peers:
            sides["lightly"] = lightlys(*what, pictures)
        found: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, work in sides.items():
                found[name].append(work())
        mine, bare, *theirs = (1000 * statistics.median(seconds) for seconds in found.values())
        cells = [f"{mine:,.0f}", f"{bare:,.0f}"]
        cells += [f"{each:,.0f} | {each / mine:.2f} | {each / bare:.2f}" for each in theirs]
        how = "both views at once" if together else "each view by itself"
        yield f"| {encoder}, {size} px, {PRECISIONS[precision]}, {how} | {' | '.join(cells)} |"


def over_bare(data: Path) -> Iterator[str]:
    """What an update costs beside the bare forward and backward of its two views, by process time."""
    yield f"| one update of {WHOLE_BATCH} images, {SIZE} px | update, core ms | forward and backward | ratio |"
    yield "|---|---|---|---|"
    for name, precision, least_crop in BARE:
        with tempfile.TemporaryDirectory(dir=data.parent) as folder:
            runs = (Path(folder) / str(number) for number in count())
            found: dict[str, list[float]] = {"update": [], "bare": []}
            for _ in range(ROUNDS):
                found["update"].append(whole_update(name, precision, least_crop, data, next(runs)))
                found["bare"].append(forward_and_backward(name, precision))
        update, bare = (1000 * statistics.median(seconds) for seconds in found.values())
        what = f"{name}, {PRECISIONS[precision]}, {'crops' if least_crop < 1 else 'no crops'}"
        yield f"| {what} | {update:,.0f} | {bare:,.0f} | {update / bare:.2f} |"


class Counted(SimCLR):
    """SimCLR as it is, that notes the process time when each update has ended."""

    ended: list[float]

    def settings(self) -> dict[str, Any]:
        return {}

    def after_step(self, step: Step) -> None:
        self.ended.append(time.process_time())


def whole_update(encoder: str, precision: Precision, least_crop: float, data: Path, out: Path) -> float:
    """Core seconds of an update of `train`, its first one left out."""
    method = Counted(make_encoder(encoder, SIZE), Views(least_crop=least_crop))
    method.ended = []
    recipe = Recipe(batch_size=WHOLE_BATCH, steps=UPDATES + 2)
    train(method, out, {"frames": data}, recipe, RARELY, Hardware("cpu", precision=precision))
    return (method.ended[-2] - method.ended[0]) / UPDATES


def forward_and_backward(encoder: str, precision: Precision) -> float:
    """Core seconds of the encoder alone, on as many images."""
    network, images = make_encoder(encoder, SIZE), torch.rand(2 * WHOLE_BATCH, 3, SIZE, SIZE)
    ended = []
    for _ in range(UPDATES + 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            features = network(images)
        features.sum().backward()
        network.zero_grad(set_to_none=True)
        ended.append(time.process_time())
    return (ended[-1] - ended[0]) / UPDATES


def alone(images: Tensor, peers: list[str]) -> Iterator[str]:
    """Two views of images in memory, by all who are installed."""
    rng = torch.Generator().manual_seed(0)

    def once(work: Callable[[], Any]) -> Callable[[], int]:
        def counted() -> int:
            work()
            return len(images)

        return counted

    sides = {"ours": once(lambda: views(torch.cat([images, images]), rng))}
    for name, (package, make) in VIEWS.items():
        if package in peers:
            sides[name] = once(make(images))
    rates = interleaved(sides, 7)
    yield f"| two views of {SIZE} px | images/s | ours to it |\n|---|---|---|"
    for name, rate in rates.items():
        yield f"| {name} | {rate:,.0f} | {rates['ours'] / rate:.2f} |"


def by_lightly(images: Tensor) -> Callable[[], Any]:
    transform = lightlys_transform()
    pictures = [torchvision.transforms.functional.to_pil_image(image) for image in images]
    return lambda: [torch.stack(made) for made in zip(*map(transform, pictures), strict=True)]


def by_torchvision(images: Tensor) -> Callable[[], Any]:
    from torchvision.transforms import v2

    jitter = v2.RandomApply([v2.ColorJitter(0.8 * STRENGTH, 0.8 * STRENGTH, 0.8 * STRENGTH, 0.2 * STRENGTH)], 0.8)
    transform = v2.Compose([
        v2.RandomResizedCrop(SIZE, SCALE), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True), jitter,
        v2.RandomGrayscale(GREY), v2.RandomApply([v2.GaussianBlur(SIZE // 20 * 2 + 1, (0.1, 2.0))], BLUR),
    ])  # fmt: skip
    return lambda: [torch.stack([transform(image) for image in images]) for _ in range(2)]


def by_kornia(images: Tensor) -> Callable[[], Any]:
    from kornia import augmentation

    kernel = SIZE // 20 * 2 + 1
    transform = nn.Sequential(
        augmentation.RandomResizedCrop((SIZE, SIZE), SCALE), augmentation.RandomHorizontalFlip(),
        augmentation.ColorJitter(0.8 * STRENGTH, 0.8 * STRENGTH, 0.8 * STRENGTH, 0.2 * STRENGTH, p=0.8),
        augmentation.RandomGrayscale(p=GREY), augmentation.RandomGaussianBlur((kernel, kernel), (0.1, 2.0), p=BLUR),
    )  # fmt: skip
    return lambda: transform(torch.cat([images, images]).float() / 255)


def by_stable_pretraining(images: Tensor) -> Callable[[], Any]:
    from stable_pretraining.data import gpu_transforms as theirs

    kernel = SIZE // 20 * 2 + 1
    chain = theirs.GPUCompose(
        [
            theirs.GPURandomResizedCrop(SIZE, scale=SCALE), theirs.GPURandomHorizontalFlip(),
            theirs.GPUColorJitter(0.8 * STRENGTH, 0.8 * STRENGTH, 0.8 * STRENGTH, 0.2 * STRENGTH, p=0.8),
            theirs.GPURandomGrayscale(p=GREY), theirs.GPUGaussianBlur(kernel, (0.1, 2.0), p=BLUR),
        ],
    )  # fmt: skip
    transform = theirs.StackedMultiView(chain, 2)
    return lambda: transform({"image": images.float() / 255})


VIEWS = {  # with the package that has them
    "lightly, one by one": ("lightly", by_lightly),
    "torchvision v2, one by one": ("torchvision", by_torchvision),
    "kornia, batched": ("kornia", by_kornia),
    "stable-pretraining, batched": ("stable_pretraining", by_stable_pretraining),
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("table", nargs="?", type=Path, help="a file for the table")
    given = parser.parse_args()
    peers = installed("torchvision", "lightly", "kornia", "stable_pretraining")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    lines = ["# SimCLR's step and its views", "`OPENBLAS_NUM_THREADS=1 python benchmarks/contrastive.py`, one thread"]
    with tempfile.TemporaryDirectory() as name:
        data, pictures = Path(name) / "data", Path(name) / "pictures"
        collect("roam", data, 12, size=SIZE, length=40, progress=False)
        frames = Dataset.open(data).array("frames/rgb")[:]
        pictures.mkdir()
        for number, frame in enumerate(frames):
            cv2.imwrite(str(pictures / f"{number:05d}.jpg"), frame[..., ::-1])
        images = torch.from_numpy(frames[:128]).movedim(-1, 1).contiguous()
        for rows in (alone(images, peers), over_bare(data), steps(data, pictures, peers)):
            lines.append("")
            for row in rows:
                print(row, flush=True)
                lines.append(row)
    if given.table is not None:
        given.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
