"""Which small encoder learns most in the same core seconds: SimCLR on held objects, then a probe of unseen instances.

python benchmarks/encoders.py HOLD YARDSTICK benchmarks/encoders.md

HOLD and YARDSTICK: the standard sets `hold` and `yardstick_choose` of a study at `hour`, as the study `positives`
leaves them in its `data`. Costs are measured in turn first, in process time of one thread; every encoder then makes as
many updates as its seconds pay for. A run that was interrupted goes on. Takes about half an hour of one core.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from timing import existing, options
from torch import Tensor, nn

from embodied_ssl import plugins
from embodied_ssl.encoders import Encoder, make_encoder, random_encoder
from embodied_ssl.encoders.convolutional import ConvolutionalEncoder, resnet8
from embodied_ssl.evaluation.candidates import Candidate
from embodied_ssl.evaluation.evaluate import plan
from embodied_ssl.evaluation.features import Pixels, extract
from embodied_ssl.method import Recipe, Step
from embodied_ssl.methods.simclr import SimCLR
from embodied_ssl.parts.positives import Views
from embodied_ssl.parts.precision import Precision
from embodied_ssl.training.runs.checkpoint import is_finished, load_encoder
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

SIZE, BATCH, SPLITS, ROUNDS, UPDATES = 48, 128, 5, 3, 4
VIEWS = Views(source="both", least_crop=1.0, across="scenes", together=2, crop=1.0)  # as the study `positives` has them
RECIPE = Recipe(learning_rate=3e-3, weight_decay=1e-4, batch_size=BATCH)


@dataclass(frozen=True)
class Entry:
    """An encoder as it is trained. encoder: as `make_encoder` takes it."""

    encoder: str
    precision: Precision = "32"
    only_cost: bool = False
    """Whether it computes what another one does, so that its cost says it all."""


def blocks_of(widths: tuple[int, ...], pooled: tuple[bool, ...], norm: Callable[[int], nn.Module]) -> dict[str, Any]:
    """Blocks like conv4's: 5×5 with stride 2, then 3×3; where it is not pooled, the map stays as large."""
    blocks: dict[str, nn.Module] = {}
    for i, ((before, after), pools) in enumerate(zip(pairwise((3, *widths)), pooled, strict=True)):
        side, stride = (5, 2) if i == 0 else (3, 1)
        layers = [nn.Conv2d(before, after, side, stride, side // 2, bias=False), norm(after), nn.ReLU(inplace=True)]
        blocks[f"block{i + 1}"] = nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pools else []))
    return {"blocks": blocks, "channels": {f"block{i + 1}": width for i, width in enumerate(widths)}}


def conv4_group_norm(image_size: int) -> Encoder:
    """conv4 with group norm."""
    made = blocks_of((32, 64, 128, 256), (True, True, True, False), lambda width: nn.GroupNorm(8, width))
    return ConvolutionalEncoder("conv4_group_norm", image_size, **made)


def conv4_nchw(image_size: int) -> Encoder:
    """conv4 with the channels first in memory."""
    made = blocks_of((32, 64, 128, 256), (True, True, True, False), nn.BatchNorm2d)
    encoder = Planar("conv4_nchw", image_size, **made)
    encoder.blocks.to(memory_format=torch.contiguous_format)
    return encoder


class Planar(ConvolutionalEncoder):
    """The same blocks over maps with the channels first."""

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        maps, found = (images - 0.45) / 0.225, {}
        for name, block in self.blocks.items():
            maps = found[name] = block(maps)
        return found


def conv4_narrow_fine(image_size: int) -> Encoder:
    """Pooled once less, so that the last two maps have four times as many places; narrower for it."""
    made = blocks_of((32, 64, 96, 160), (True, True, False, False), nn.BatchNorm2d)
    return ConvolutionalEncoder("conv4_narrow_fine", image_size, **made)


def conv4_wide(image_size: int) -> Encoder:
    """conv4, half as wide again."""
    made = blocks_of((48, 96, 192, 384), (True, True, True, False), nn.BatchNorm2d)
    return ConvolutionalEncoder("conv4_wide", image_size, **made)


def conv4_strided(image_size: int) -> Encoder:
    """Strides in place of pooling."""
    blocks: dict[str, nn.Module] = {}
    widths = (3, 32, 64, 128, 256)
    for i, (before, after) in enumerate(pairwise(widths)):
        side = 5 if i == 0 else 3
        convolution = nn.Conv2d(before, after, side, 2, side // 2, bias=False)
        blocks[f"block{i + 1}"] = nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))
    channels = {f"block{i + 1}": widths[i + 1] for i in range(4)}
    return ConvolutionalEncoder("conv4_strided", image_size, blocks, channels)


def resnet8_narrow(image_size: int) -> Encoder:
    """resnet8 with three quarters of the channels: nearer to conv4's cost."""
    return resnet8(image_size, 0.75)


def vit_4x96(image_size: int) -> Encoder:
    """A vision transformer of four blocks, 96 wide, over patches of an eighth of the side."""
    from timm.models.vision_transformer import VisionTransformer

    from embodied_ssl.encoders.of_timm import encoder_of

    network = VisionTransformer(
        img_size=image_size, patch_size=image_size // 8, embed_dim=96, depth=4, num_heads=3, num_classes=0,
        global_pool="avg", fc_norm=False, dynamic_img_size=True,
    )  # fmt: skip
    network.pretrained_cfg = {"mean": (0.45,) * 3, "std": (0.225,) * 3}
    return encoder_of("vit_4x96", image_size, network)


ENTRIES = {
    "conv4": Entry("conv4"),
    "conv4, bf16": Entry("conv4", "bf16"),
    "conv4, channels first": Entry("encoders:conv4_nchw", only_cost=True),
    "resnet8, three quarters as wide, bf16": Entry("encoders:resnet8_narrow", "bf16"),
    "conv4, last pooling left out, narrower, bf16": Entry("encoders:conv4_narrow_fine", "bf16"),
    "conv4, strides in place of pooling, bf16": Entry("encoders:conv4_strided", "bf16"),
    "ViT, 4 blocks × 96, 6 px, bf16": Entry("encoders:vit_4x96", "bf16"),
    "conv4, half as wide again, bf16": Entry("encoders:conv4_wide", "bf16"),
    "conv4, group norm, bf16": Entry("encoders:conv4_group_norm", "bf16"),
    "resnet8, bf16": Entry("resnet8", "bf16"),
}


class Timed(SimCLR):
    """SimCLR that notes the process time at the end of each update."""

    ended: list[float]

    def settings(self) -> dict[str, Any]:
        return {}

    def after_step(self, step: Step) -> None:
        self.ended.append(time.process_time())


def method_of(entry: Entry, kind: type[SimCLR]) -> SimCLR:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(make_encoder(entry.encoder, SIZE), VIEWS, temperature=0.1, grey=0.5)


def fit(method: SimCLR, entry: Entry, out: Path, data: Path, steps: int) -> Path:
    settings = TrainingSettings(monitor_every=10**6, checkpoint_every=10**6, logger=("csv",), progress=False)
    hardware = Hardware("cpu", precision=entry.precision)
    return train(method, out, {"objects": data}, replace(RECIPE, steps=steps), settings, hardware)


def costs(data: Path, out: Path) -> dict[str, float]:
    """Core milliseconds of an update, its views included, of each entry: the median of rounds in turn."""
    kept = out / "costs.json"
    if kept.exists():
        return json.loads(kept.read_text())
    found: dict[str, list[float]] = {name: [] for name in ENTRIES}
    for number in range(ROUNDS):
        for i, (name, entry) in enumerate(ENTRIES.items()):
            method = method_of(entry, Timed)
            method.ended = []
            fit(method, entry, out / f"cost{number}-{i}", data, UPDATES + 1)
            found[name].append(1000 * (method.ended[-1] - method.ended[0]) / UPDATES)
            print(f"{name}: {found[name][-1]:.0f} ms", flush=True)
    medians = {name: statistics.median(each) for name, each in found.items()}
    kept.write_text(json.dumps(medians))
    return medians


def accuracies(encoder: Encoder, yardstick: Path) -> list[float]:
    """The linear probe of category over several splits of the objects."""
    (measured,) = plan([yardstick], ["linear_probe"], device="cpu")
    measured.prepare(range(SPLITS), told=False)
    features = extract(encoder, measured.images)
    rows = [Candidate(encoder.name, seed, encoder) for seed in range(SPLITS)]
    return [result.value for row in rows for result in measured.measure(row, features)]


def row_of(name: str, cost: float, samples: int | None, found: list[float]) -> list[str]:
    spread = f"{statistics.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})" if found else "as conv4"
    return [name, f"{cost:,.0f}" if cost else "", f"{samples:,}" if samples else "", spread]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("data", type=existing, help="held objects")
    parser.add_argument("yardstick", type=existing, help="orbits of unseen instances")
    parser.add_argument("table", type=Path, help="a file for the table")
    parser.add_argument("--out", type=Path, default=Path("encoders"), help="folder of the runs")
    parser.add_argument("--seconds", type=float, default=120.0, help="core seconds of training of each encoder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    for entry in ENTRIES.values():
        if ":" in entry.encoder:
            plugins.use(entry.encoder)
    cost = costs(given.data, given.out)
    rows = [row_of("raw pixels", 0, None, accuracies(Pixels(), given.yardstick))]
    rows.append(row_of("conv4, untrained", 0, None, accuracies(random_encoder("conv4", SIZE, 0), given.yardstick)))
    for name, entry in ENTRIES.items():
        steps = round(1000 * given.seconds / cost[name])
        run = given.out / f"{entry.encoder.rpartition(':')[2]}-{entry.precision}"
        if not entry.only_cost and not is_finished(run):
            fit(method_of(entry, SimCLR), entry, run, given.data, steps)
        found = [] if entry.only_cost else accuracies(load_encoder(run), given.yardstick)
        rows.append(row_of(name, cost[name], None if entry.only_cost else steps * BATCH, found))
        print("\t".join(rows[-1]), flush=True)
        write(given.table, given.seconds, rows)


def write(path: Path, seconds: float, rows: list[list[str]]) -> None:
    columns = ["encoder", f"core ms of an update of {BATCH}", "samples seen", f"accuracy, {SPLITS} splits"]
    text = (
        f"# Encoders: what is learned in {seconds:.0f} core seconds\n\n`python benchmarks/encoders.py`: SimCLR on "
        "views of held objects across scenes, two pairs of each, half of them grey, temperature 0.1, one thread; a "
        "linear probe of 40 categories on unseen instances. Mean over splits of the objects (lowest to highest).\n\n"
    )
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
