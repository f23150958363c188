"""Faster R-CNN on the stages of any encoder (Ren et al. 2015; feature pyramid: Lin et al. 2017), by torchvision."""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.images.scenes import Boxes, Scenes
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.average_precision import Found, average_precision
from embodied_ssl.evaluation.estimators.c4 import C4, Draw, Recipe, train_c4
from embodied_ssl.evaluation.estimators.fine_tuning import descend
from embodied_ssl.evaluation.estimators.fully_convolutional import sizes_of
from embodied_ssl.evaluation.pixels import BATCH, Pictures, Rows, side_for
from embodied_ssl.parts.views import to_float

TRAINED_BATCH = 8
"""Images in each update."""
STRIDES = (4, 32)
"""Of the finest and the coarsest map of the pyramid, px of what the encoder sees."""
LEVELS = 3
CHANNELS, HIDDEN = 64, 256
"""Of the pyramid, and of the head that looks at regions."""
RATIOS = (0.5, 1.0, 2.0)


class Pyramid(nn.Module):
    """The stages of an encoder as a feature pyramid; its strides are powers of two, as torchvision takes them."""

    out_channels = CHANNELS

    def __init__(self, encoder: Encoder, side: int, frozen: bool):
        """side: of the images that the encoder sees, px. frozen: whether it stays as it is, at rest."""
        from torchvision.ops import FeaturePyramidNetwork

        super().__init__()
        self.encoder, self.frozen = encoder, frozen
        encoder.requires_grad_(not frozen)
        self.cells = {name: round(side / stride) for name, stride in levels_of(encoder, side).items()}
        widths = [encoder.channels[name] for name in self.cells]
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, affine=False) for width in widths)
        self.pyramid = FeaturePyramidNetwork(widths, CHANNELS)

    def train(self, mode: bool = True) -> "Pyramid":
        """As any module; an encoder that is frozen stays at rest."""
        super().train(mode)
        self.encoder.train(mode and not self.frozen)
        return self

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """Maps [B, CHANNELS, side / stride, side / stride], from the finest to the coarsest."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            stages = self.encoder.stages(images)
        found = OrderedDict(
            (str(i), norm(_resized(stages[name].float(), cells)))
            for i, ((name, cells), norm) in enumerate(zip(self.cells.items(), self.norms, strict=True))
        )
        pyramid: OrderedDict[str, Tensor] = self.pyramid(found)
        return pyramid


def levels_of(encoder: Encoder, side: int) -> dict[str, int]:
    """The deepest stage of each stride that the pyramid has, from the finest to the coarsest: stride by name."""
    by_stride: dict[int, str] = {}
    for name, size in sizes_of(encoder, side).items():
        stride = 2 ** round(np.log2(side / size))
        by_stride[min(max(stride, STRIDES[0]), STRIDES[1])] = name
    return {by_stride[stride]: stride for stride in sorted(by_stride)[:LEVELS]}


def _resized(maps: Tensor, cells: int) -> Tensor:
    if maps.shape[-1] == cells:
        return maps
    if maps.shape[-1] > cells:
        return functional.adaptive_avg_pool2d(maps, cells)
    return functional.interpolate(maps, (cells, cells), mode="bilinear")


class Detector(nn.Module):
    """Faster R-CNN with settings for small images: anchors of a 16th to a half of the side, few proposals."""

    def __init__(self, encoder: Encoder, things: int, side: int, frozen: bool):
        from torchvision.models.detection import FasterRCNN
        from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
        from torchvision.models.detection.rpn import AnchorGenerator
        from torchvision.ops import MultiScaleRoIAlign

        super().__init__()
        self.side = side
        backbone = Pyramid(encoder, side, frozen)
        levels = len(backbone.cells)
        sizes = np.geomspace(side / 16, side / 2, max(4, 2 * levels)).round().astype(int).reshape(levels, -1)
        anchors = AnchorGenerator(tuple(tuple(own) for own in sizes.tolist()), (RATIOS,) * levels)
        regions = MultiScaleRoIAlign(
            [str(level) for level in range(levels)], 7, 2, canonical_scale=side // 4, canonical_level=3
        )
        self.network: Any = FasterRCNN(
            backbone, min_size=side, max_size=side, size_divisible=1, image_mean=[0.0] * 3, image_std=[1.0] * 3,
            rpn_anchor_generator=anchors, box_roi_pool=regions, box_head=TwoMLPHead(CHANNELS * 49, HIDDEN),
            box_predictor=FastRCNNPredictor(HIDDEN, things + 1), rpn_pre_nms_top_n_train=500,
            rpn_post_nms_top_n_train=200, rpn_pre_nms_top_n_test=300, rpn_post_nms_top_n_test=100,
            rpn_batch_size_per_image=64, box_batch_size_per_image=64,
        )  # fmt: skip

    @torch.no_grad()
    def found_in(self, scenes: Scenes, rows: Rows, device: str) -> list[Found]:
        """What it finds in images, in px of these, at rest."""
        return found_by(self.eval().network, self.side, scenes, rows, device, BATCH)


@torch.no_grad()
def found_by(network: Any, side: int, scenes: Scenes, rows: Rows, device: str, batch: int) -> list[Found]:
    """What one of torchvision's detectors finds in images, in px of these, which it sees with a side of its own."""
    found = []
    for first in range(0, len(rows), batch):
        images, scale = _seen(scenes, rows[first : first + batch], side, device)
        for one in network([*images]):
            boxes, label, score = (one[name].cpu().numpy() for name in ("boxes", "labels", "scores"))
            found.append(Found(boxes.astype("f4") / scale, label.astype("i8") - 1, score.astype("f4")))
    return found


def best_detector(
    encoder: Encoder,
    pictures: Pictures,
    frozen: bool,
    rates: Sequence[float],
    updates: int,
    agnostic: bool,
    device: str,
) -> tuple[Detector, dict[str, Any]]:
    """The detector of the learning rate that is best on validation images (AP50), and what results say of it."""
    scenes, rows = pictures.held_out, pictures.parts.validation
    assert scenes.boxes is not None, "`takes_images` has looked"
    truth = [scenes.boxes(row) for row in rows.tolist()]
    tried = []
    for rate in rates:
        detector = train_detector(encoder, pictures, frozen, rate, updates, agnostic, device)
        found = detector.found_in(scenes, rows, device)
        tried.append((average_precision(found, truth, len(scenes.things), agnostic).ap50, rate, detector))
    score, rate, detector = max(tried, key=lambda one: np.nan_to_num(one[0]))
    return detector, {
        "learning_rate": rate, "rates": list(rates), "updates": updates, "batch_size": TRAINED_BATCH,
        "validation_AP50": score, "levels": levels_of(encoder, detector.side),
    }  # fmt: skip


def train_detector(
    encoder: Encoder, pictures: Pictures, frozen: bool, rate: float, updates: int, agnostic: bool, device: str
) -> Detector:
    """Faster R-CNN on a copy of an encoder, trained on images and their mirror images; at rest.

    rate: the peak of the learning rate, after a tenth of the updates.
    """
    scenes, seed = pictures.scenes, pictures.seed
    things = 1 if agnostic else len(scenes.things)
    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed)  # of heads, and of the proposals and regions that torchvision draws
        detector = Detector(copy.deepcopy(encoder), things, side_for(encoder, scenes.side), frozen).to(device)
        learned = [parameter for parameter in detector.parameters() if parameter.requires_grad]
        draw = drawn_from(scenes, pictures.parts.train, detector.side, agnostic, seed, device)
        detector.train()

        def loss() -> Tensor:
            return torch.stack([*detector.network(*draw(TRAINED_BATCH)).values()]).sum()

        descend(learned, rate, updates, loss, clip=5.0)
    return detector.eval()


def moco_detector(
    encoder: Encoder, pictures: Pictures, recipe: Recipe, agnostic: bool, device: str
) -> tuple[C4, dict[str, Any]]:
    """The detector of MoCo's recipe, trained on all that is not tested on, and what results say of it."""
    scenes, parts, seed = pictures.scenes, pictures.parts, pictures.seed
    rows = np.concatenate([parts.train, parts.validation])
    things = 1 if agnostic else len(scenes.things)
    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed)
        draw = drawn_from(scenes, rows, scenes.side, agnostic, seed, device)
        detector = train_c4(encoder, things, recipe, draw, device)
    return detector, {
        "recipe": "moco", "learning_rate": recipe.rate, "updates": recipe.updates, "batch_size": recipe.batch,
        "sides": list(recipe.sides),
    }  # fmt: skip


def drawn_from(scenes: Scenes, rows: Rows, side: int, agnostic: bool, seed: int, device: str) -> Draw:
    """What draws so many of some images, half of them mirrored, and what is to be found in each, for torchvision."""
    assert scenes.boxes is not None, "`takes_images` has looked"
    known = {row: scenes.boxes(row) for row in rows.tolist()}
    rng = np.random.default_rng([seed, 19])

    def draw(count: int) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        chosen, mirrored = rng.choice(rows, count), rng.random(count) < 0.5
        images, scale = _seen(scenes, chosen, side, device)
        images = torch.where(torch.from_numpy(mirrored).to(device)[:, None, None, None], images.flip(3), images)
        targets = [
            _target(known[row], scale, side if flip else 0, agnostic, device)
            for row, flip in zip(chosen.tolist(), mirrored.tolist(), strict=True)
        ]
        return [*images], targets

    return draw


def _seen(scenes: Scenes, rows: Rows, side: int, device: str) -> tuple[Tensor, float]:
    """Images as the encoder sees them, float [B, 3, side, side], and how much larger they are."""
    images = torch.from_numpy(scenes.images[rows]).movedim(-1, -3).to(device)
    return to_float(images, side), side / scenes.side


def _target(boxes: Boxes, scale: float, mirror: int, agnostic: bool, device: str) -> dict[str, Tensor]:
    """What is to be found, as torchvision takes it. mirror: the side of a mirrored image; 0: it is not."""
    asked = ~boxes.unasked
    corners = boxes.corners[asked] * scale
    if mirror:
        corners = np.stack([mirror - corners[:, 2], corners[:, 1], mirror - corners[:, 0], corners[:, 3]], 1)
    label = np.ones(int(asked.sum()), np.int64) if agnostic else boxes.label[asked] + 1
    return {"boxes": torch.from_numpy(corners).to(device), "labels": torch.from_numpy(label).to(device)}
