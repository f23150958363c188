"""Faster R-CNN on the stage before the deepest, whose regions the deepest looks at (R50-C4), as MoCo transfers to VOC.

He et al., CVPR 2020, section 4.2.1, with the numbers of the configuration released with it. Known to differ: losses of
boxes are smooth (β = 1/9) as torchvision's are, where theirs are of absolute errors; and images lie in squares, whose
side stands for the longer one of theirs. On one device a batch norm over the batch is what theirs is over eight.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import Encoder

Draw = Callable[[int], tuple[list[Tensor], list[dict[str, Tensor]]]]
"""So many images, and what is to be found in each, as torchvision takes it."""
SHORTER = (480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800)
"""Sides of their images in training, px, of which each image has one; 800 in the test."""


@dataclass(frozen=True)
class Recipe:
    """How MoCo trains on VOC07+12; smaller numbers are for tests alone."""

    batch: int = 16
    rate: float = 0.02
    momentum: float = 0.9
    decay: float = 1e-4  # not of batch norms
    updates: int = 24_000
    warmup: int = 100
    """Updates over which the rate grows, from a thousandth of it."""
    drops: tuple[float, ...] = (18 / 24, 22 / 24)
    """Shares of the updates after which the rate is a tenth of what it was."""
    sides: tuple[int, ...] = tuple(round(4 / 3 * side) for side in SHORTER)
    """Of squares, px; VOC's images are of 4:3. The last is that of the test."""
    anchors: tuple[int, ...] = (32, 64, 128, 256, 512)
    regions: int = 512
    """Of each image that the deepest stage is trained on."""
    statistics: int = 200
    """Batches over which the statistics of batch norms are taken at the end."""

    def factor(self, update: int) -> float:
        """What the rate is multiplied by in an update, from 0 on."""
        start = min(1.0, update / self.warmup)
        dropped = 0.1 ** sum(update >= round(share * self.updates) for share in self.drops)
        return (start + (1 - start) / 1000) * dropped


class C4(nn.Module):
    """Torchvision's Faster R-CNN on an encoder whose deepest stage looks at regions of 14 × 14 cells."""

    def __init__(self, encoder: Encoder, things: int, recipe: Recipe):
        """encoder: taken apart, and trained. Raises DataError where that can't be done."""
        from torchvision.models.detection import FasterRCNN
        from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
        from torchvision.models.detection.rpn import AnchorGenerator
        from torchvision.ops import MultiScaleRoIAlign

        super().__init__()
        apart = encoder.in_two()
        if apart is None:
            raise DataError(
                f"{encoder.name}: its deepest stage does not stand alone, as the recipe `moco` takes it; "
                "name a ResNet (torchvision/resnet50), or leave the recipe out"
            )
        trunk, deepest = apart
        before, last = list(encoder.channels.values())[-2:]
        trunk.out_channels = before  # type: ignore[assignment]  # where torchvision looks for it
        self.network: Any = FasterRCNN(
            trunk, min_size=recipe.sides, max_size=2 * max(recipe.sides), size_divisible=1, image_mean=[0.0] * 3,
            image_std=[1.0] * 3, rpn_anchor_generator=AnchorGenerator((recipe.anchors,), ((0.5, 1.0, 2.0),)),
            box_roi_pool=MultiScaleRoIAlign(["0"], 14, 0), box_head=_Deepest(deepest, last),
            box_predictor=FastRCNNPredictor(last, things + 1), rpn_pre_nms_top_n_train=12_000,
            rpn_pre_nms_top_n_test=6000, rpn_post_nms_top_n_train=2000, rpn_post_nms_top_n_test=1000,
            box_batch_size_per_image=recipe.regions,
        )  # fmt: skip
        self.network.roi_heads.box_roi_pool = _Regions(_stride(trunk))  # torchvision's are half a pixel off


class _Regions(nn.Module):
    """Regions of maps as 14 × 14 cells, [N, C, 14, 14]."""

    def __init__(self, stride: int):
        super().__init__()
        self.scale = 1 / stride

    def forward(self, maps: dict[str, Tensor], boxes: list[Tensor], _: object) -> Tensor:
        from torchvision.ops import roi_align

        (own,) = maps.values()
        return roi_align(own, boxes, 14, self.scale, aligned=True)


class _Deepest(nn.Module):
    """The deepest stage, the batch norm that MoCo adds to it, and the mean over cells."""

    def __init__(self, deepest: nn.Module, width: int):
        super().__init__()
        self.deepest, self.norm = deepest, nn.BatchNorm2d(width)

    def forward(self, regions: Tensor) -> Tensor:
        return self.norm(self.deepest(regions)).mean((2, 3))


def train_c4(encoder: Encoder, things: int, recipe: Recipe, draw: Draw, device: str) -> C4:
    """A copy of an encoder in a detector, trained; at rest. draw: so many images and what is to be found in each."""
    detector = C4(copy.deepcopy(encoder).requires_grad_(), things, recipe).to(device).train()
    optimizer, schedule = descent(detector, recipe)
    for _ in range(recipe.updates):
        torch.stack([*detector.network(*draw(recipe.batch)).values()]).sum().backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    _take_statistics(detector, recipe, draw)
    return detector.eval()


def descent(detector: nn.Module, recipe: Recipe) -> tuple[torch.optim.SGD, torch.optim.lr_scheduler.LambdaLR]:
    """The optimiser of a recipe, and its schedule."""
    norms = [parameter for norm in _norms(detector) for parameter in norm.parameters(recurse=False)]
    of_norms = {id(parameter) for parameter in norms}
    others = [parameter for parameter in detector.parameters() if id(parameter) not in of_norms]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, recipe.rate, momentum=recipe.momentum, weight_decay=recipe.decay)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.factor)


@torch.no_grad()
def _take_statistics(detector: C4, recipe: Recipe, draw: Draw) -> None:
    """Those of batch norms anew, as means over batches: moving ones lag behind the weights (Wu & Johnson 2021)."""
    norms = [norm for norm in _norms(detector) if isinstance(norm, nn.modules.batchnorm._BatchNorm)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches alike
    for _ in range(recipe.statistics):
        detector.network(*draw(recipe.batch))
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def _norms(detector: nn.Module) -> list[nn.Module]:
    kinds = nn.modules.batchnorm._BatchNorm | nn.GroupNorm | nn.LayerNorm
    return [module for module in detector.modules() if isinstance(module, kinds)]


@torch.no_grad()
def _stride(trunk: nn.Module) -> int:
    """Of its maps, px."""
    side = 128
    training = trunk.training
    maps = trunk.eval()(torch.zeros(1, 3, side, side))
    trunk.train(training)
    return round(side / maps.shape[-1])
