"""On a GPU: whether losses are those of the CPU, and how many images a second are learned from, in turn with peers.

python benchmarks/gpu.py [gpu.md]

Losses of every method over some updates from the same weights, images and random numbers, in 32 bits and in bf16; some
of them with two streams of data. SimCLR's update with the data on the device, eager and compiled, beside the loops of
lightly's README and of stable-pretraining where they are installed. Features against the bare forward pass. `--study
NAME` also runs a study at the size `gpu`, which may take an hour of its own. Where there is no GPU it says so;
`--device cpu` runs all of it, tiny. Takes at most ten minutes without a study.
"""

import copy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timing import installed, options
from torch import Tensor, nn

from embodied_ssl.data import take_streams
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.streams import Batches, Stream
from embodied_ssl.encoders import make_encoder
from embodied_ssl.evaluation.features import extract
from embodied_ssl.method import Method, Step
from embodied_ssl.methods import make_method, method_names
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import nt_xent
from embodied_ssl.parts.positives import Views
from embodied_ssl.parts.precision import has_bf16
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.optimization import make_optimizer

DRAWS = ("rand", "randn", "randint", "randperm", "multinomial")
DATA: dict[str, dict[str, Any]] = {  # what methods learn from in the check of their losses
    "roam": {"episodes": 6, "length": 12, "flow": True},
    "hold": {"episodes": 12, "length": 8, "visits": 2},
    "grasp": {"episodes": 8, "instance": True},
    "push": {"episodes": 8, "instance": True},
    "poke": {"episodes": 8, "instance": True},
}
CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    *((name, {"methods": ("rotation", "drlim")} if name == "joint" else {}) for name in method_names()),
    ("simclr", {"views": Views(source="body")}),  # pairs of frames and images of objects: two streams
    ("moco", {"views": Views(source="both"), "version": 1, "queue_length": 64}),
)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    encoders: tuple[str, ...]
    side: int
    """Of images, px."""
    batch: int
    images: int
    """That lie on the device."""
    seconds: float
    """For which each side works in a round."""
    updates: int
    """Over which losses are compared."""
    rounds: int
    study: str
    """Size of the study."""


FULL = Size(("torchvision/resnet18", "torchvision/resnet50", "timm/vit_small_patch16_224"), 224, 256, 4096, 4.0, 5, 3,
            "gpu")  # fmt: skip
TINY = Size(("conv4",), 32, 8, 16, 0.1, 2, 1, "minute")


# Losses on the device and on the CPU.


@contextmanager
def drawn_on_cpu(seed: int) -> Iterator[None]:
    """Random numbers are drawn by one generator on the CPU, whatever generator is passed, and then brought over."""
    generator = torch.Generator().manual_seed(seed)
    before = {name: getattr(torch, name) for name in DRAWS}

    def drawing(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def draw(*args: Any, **more: Any) -> Tensor:
            given = more.pop("generator", None)
            if given is None:
                return function(*args, **more)
            more.pop("device", None)
            own = [each.cpu() if isinstance(each, Tensor) else each for each in args]
            return function(*own, generator=generator, **more).to(given.device)

        return draw

    for name, function in before.items():
        setattr(torch, name, drawing(function))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(torch, name, function)


def streams_of(method: Method, data: dict[str, Path]) -> dict[str, Stream]:
    """Every stream that the method can take of the data sets: what it needs together, then one after the other."""
    needed = [name for name, spec in method.input_streams().items() if spec.required]
    together = (dict(zip(needed, paths, strict=True)) for paths in product(data.values(), repeat=len(needed)))
    chosen = next((sources for sources in together if sources and _taken(method, sources)), {})
    for name in method.input_streams():
        if name not in chosen:
            more = ({**chosen, name: path} for path in data.values())
            chosen = next((sources for sources in more if _taken(method, sources)), chosen)
    return _taken(method, chosen)


def _taken(method: Method, sources: dict[str, Path]) -> dict[str, Stream]:
    """The streams of these data sets; none where they do not fit."""
    try:
        return {name: taken.stream for name, taken in take_streams(method, sources).items()}
    except DataError:
        return {}


def losses(
    method: Method, streams: dict[str, Stream], device: str, updates: int, batch: int, half: bool
) -> list[float]:
    """Of some updates by plain SGD."""
    method.to(device).train()
    for layer in method.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # draws from each device's own generator
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=1e-3)
    found = []
    for number in range(updates):
        given = {name: Batches(stream, batch)[number].to(torch.device(device)) for name, stream in streams.items()}
        step = Step(number / updates, torch.Generator(device).manual_seed(number), 1)
        with drawn_on_cpu(number), torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            loss = method.loss(**given, step=step)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        method.after_step(step)
        found.append(float(loss.detach()))
    return found


def correctness(size: Size, device: str, data: dict[str, Path]) -> Iterator[str]:
    """The largest departure of a loss from that on the CPU, relative to it."""
    torch.backends.cudnn.allow_tf32 = False
    yield "| method | streams | 32 bits | bf16 |\n|---|---|---|---|"
    for name, settings in CASES:
        method = make_method(name, image_size=48, **settings)
        streams = streams_of(method, data)
        for take in (method.infer_shapes, method.prepare):
            take(streams, np.random.default_rng(0))
        one, same, coarse = (copy.deepcopy(method) for _ in range(3))
        expected = losses(one, streams, "cpu", size.updates, 16, half=False)
        cells = []
        for other, half in ((same, False), (coarse, True)):
            if half and not has_bf16(torch.device(device).type):
                cells.append("no units for it")
                continue
            found = losses(other, streams, device, size.updates, 16, half)
            away = max(abs(f - e) / max(abs(e), 1e-6) for f, e in zip(found, expected, strict=True))
            limit = 0.1 if half else 1e-3
            cells.append(f"{away:.1e}{'' if away <= limit else ' **departs**'}")
        yield f"| {name} | {', '.join(streams)} | {' | '.join(cells)} |"
    torch.backends.cudnn.allow_tf32 = True


# Rates.


def rates(size: Size, device: str, sides: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Median images a second of each side, in turn; the first round warms up, and compiles."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(size.rounds + 1):
        for name, work in sides.items():
            _wait(device)
            started, count = time.perf_counter(), 0
            while count == 0 or time.perf_counter() - started < size.seconds:
                count += work()
            _wait(device)
            if number:
                found[name].append(count / (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in found.items()}


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


class Learner:
    """SimCLR with all images on the device. compiled: the network; views: the views as well."""

    def __init__(self, name: str, size: Size, device: str, images: Tensor, compiled: str = "", views: bool = False):
        self.encoder = make_encoder(name, size.side).to(device)
        self.head = mlp((self.encoder.dim, 256, 128)).to(device)
        network = nn.Sequential(self.encoder, self.head)
        self.optimizer = make_optimizer(network, make_method("simclr", "conv4", 32).recipe)
        how: dict[str, Any] = {"mode": compiled} if compiled not in ("", "default") else {}
        if device == "cpu":  # there it is the way that is tried, not the compiler
            how = {"backend": "eager"}
        self.network = torch.compile(network, **how) if compiled else network
        self.augment = torch.compile(augment, **how) if views else augment
        self.rng = torch.Generator(device).manual_seed(0)
        self.images, self.size, self.device = images, size, torch.device(device).type
        self.half = has_bf16(self.device)

    def __call__(self) -> int:
        size = self.size
        rows = torch.randint(len(self.images), (size.batch,), generator=self.rng, device=self.rng.device)
        drawn = self.images[rows]  # uint8 [B, 3, H, W]
        settings = Augmentation(strength=0.5)
        views = torch.cat([self.augment(drawn, self.rng, size.side, settings) for _ in range(2)])
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
            codes = self.network(views).float()
        nt_xent(*codes.chunk(2), 0.2).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return size.batch


def lightlys(name: str, size: Size, device: str, images: Tensor) -> Callable[[], int]:
    """The loop of its README: a loader with its transform, its loss and its head."""
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform
    from torch.utils.data import DataLoader
    from torchvision.transforms.functional import to_pil_image

    transform = SimCLRTransform(size.side)
    pictures = [to_pil_image(image) for image in images.cpu()]
    encoder = make_encoder(name, size.side)
    model = nn.Sequential(encoder, SimCLRProjectionHead(encoder.dim, 256, 128)).to(device)
    criterion, optimizer = NTXentLoss(temperature=0.2), torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9)

    def endlessly() -> Iterator[Any]:
        workers = 0 if device == "cpu" else 12
        loader = DataLoader(_Transformed(pictures, transform), size.batch, shuffle=True, drop_last=True,
                            num_workers=workers, persistent_workers=workers > 0)  # fmt: skip
        while True:
            yield from loader

    batches, kind = endlessly(), torch.device(device).type

    def work() -> int:
        first, second = (view.to(device) for view in next(batches))
        with torch.autocast(kind, torch.bfloat16, enabled=has_bf16(kind)):
            loss = criterion(model(first), model(second))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return len(first)

    return work


class _Transformed(torch.utils.data.Dataset[Any]):
    def __init__(self, pictures: list[Any], transform: Callable[[Any], Any]):
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, number: int) -> Any:
        return self.transform(self.pictures[number])


def stable_pretrainings(name: str, size: Size, device: str, images: Tensor) -> Callable[[], int]:
    """Its batched transforms and its loss, with the images on the device."""
    from stable_pretraining.data import gpu_transforms as theirs
    from stable_pretraining.losses import NTXEntLoss

    chain = theirs.GPUCompose(
        [
            theirs.GPURandomResizedCrop(size.side, scale=(0.08, 1.0)), theirs.GPURandomHorizontalFlip(),
            theirs.GPUColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), theirs.GPURandomGrayscale(p=0.2),
            theirs.GPUGaussianBlur(size.side // 20 * 2 + 1, (0.1, 2.0), p=0.5),
        ],
    )  # fmt: skip
    encoder = make_encoder(name, size.side)
    model = nn.Sequential(encoder, mlp((encoder.dim, 256, 128))).to(device)
    criterion, optimizer = NTXEntLoss(temperature=0.2), torch.optim.AdamW(model.parameters(), fused=True)
    kind = torch.device(device).type

    def work() -> int:
        drawn = images[torch.randint(len(images), (size.batch,), device=device)].float() / 255
        with torch.no_grad():
            first, second = (chain({"image": drawn})["image"] for _ in range(2))
        with torch.autocast(kind, torch.bfloat16, enabled=has_bf16(kind)):
            loss = criterion(model(first), model(second))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return size.batch

    return work


PEERS = {"lightly": lightlys, "stable_pretraining": stable_pretrainings}


def learning(size: Size, device: str, peers: list[str]) -> Iterator[str]:
    """Images a second of a contrastive update, each with two views."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (size.images, 3, size.side, size.side), dtype=torch.uint8, generator=generator)
    images = images.to(device)
    yield "| encoder | side | images/s | to ours, eager |\n|---|---|---|---|"
    for name in size.encoders:
        sides: dict[str, Callable[[], int]] = {
            "ours, eager": Learner(name, size, device, images),
            "ours, network compiled": Learner(name, size, device, images, "default"),
            "ours, network and views compiled": Learner(name, size, device, images, "default", views=True),
        }
        if torch.device(device).type == "cuda":
            sides["ours, network as CUDA graphs"] = Learner(name, size, device, images, "reduce-overhead")
        sides |= {peer: PEERS[peer](name, size, device, images) for peer in peers}
        found = rates(size, device, sides)
        for side, rate in found.items():
            yield f"| {name} | {side} | {rate:,.0f} | {rate / found['ours, eager']:.2f} |"


def features(size: Size, device: str, data: dict[str, Path]) -> Iterator[str]:
    """Images a second of evaluation's features, and of the bare forward pass on images of the encoder's size."""
    images = image_set(data["roam"])
    rows = np.resize(np.arange(len(images)), max(size.images, len(images)))
    yield "| encoder | features, images/s | bare forward, images/s | ratio |\n|---|---|---|---|"
    for name in size.encoders:
        encoder = make_encoder(name, size.side).to(device).eval()
        batch = to_float(torch.from_numpy(images.images[rows[:256]]).movedim(-1, -3), size.side).to(device)

        def bare(encoder: nn.Module = encoder, batch: Tensor = batch) -> int:
            with torch.no_grad():
                encoder(batch).float().cpu()
            return len(batch)

        def ours(encoder: Any = encoder) -> int:
            return len(extract(encoder, images, rows, device))

        found = rates(size, device, {"ours": ours, "bare": bare})
        yield f"| {name} | {found['ours']:,.0f} | {found['bare']:,.0f} | {found['ours'] / found['bare']:.2f} |"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("table", nargs="?", type=Path, help="a file for the tables")
    parser.add_argument("--device", default="cuda", help="cpu: all of it, tiny")
    parser.add_argument("--study", help="the name of a study to run at the size gpu")
    parser.add_argument("--out", type=Path, default=Path("study"), help="folder of the study")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("there is no GPU here, and nothing was measured; --device cpu runs all of it, tiny", file=sys.stderr)
        raise SystemExit(3)
    size = TINY if given.device == "cpu" else FULL
    peers = installed(*PEERS)
    where = torch.cuda.get_device_name() if given.device == "cuda" else given.device
    lines = [f"# On {where}", f"`python benchmarks/gpu.py --device {given.device}`, torch {torch.__version__}"]
    with tempfile.TemporaryDirectory() as name:
        data = {kind: Path(name) / kind for kind in DATA}
        for kind, settings in DATA.items():
            collect(kind, data[kind], size=48, progress=False, **settings)
        for rows in (
            correctness(size, given.device, data),
            learning(size, given.device, peers),
            features(size, given.device, data),
        ):
            lines.append("")
            for row in rows:
                print(row, flush=True)
                lines.append(row)
    if given.study is not None:
        lines += ["", by_study(given.study, size, given.device, given.out)]
        print(lines[-1], flush=True)
    if given.table is not None:
        given.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def by_study(name: str, size: Size, device: str, out: Path) -> str:
    """Run a study, and say how long it took."""
    from embodied_ssl.studies.run import study

    started = time.perf_counter()
    results = study(name, out, size=size.study, seeds=1, device=device)
    minutes = (time.perf_counter() - started) / 60
    return (
        f"The study {name} at the size {size.study}, one seed: {len(list(results))} numbers in {minutes:.1f} minutes."
    )


if __name__ == "__main__":
    main()
