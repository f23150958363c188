"""Patches of images, for methods that leave some of them out of what a transformer sees."""

from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import Encoder, TransformerEncoder


def plain_transformer(method: str, encoder: Encoder) -> TransformerEncoder:
    """The encoder, whose patches can be left out. Raises DataError for one that has none."""
    if not isinstance(encoder, TransformerEncoder):
        raise DataError(
            f"{method}: {encoder.name} has no patches to leave out; take --encoder vit_tiny, or a plain transformer of "
            "timm as timm/vit_tiny_patch16_224"
        )
    return encoder


def to_patches(images: Tensor, side: int) -> Tensor:
    """Images [B, 3, H, W] cut into squares, row by row: [B, P, 3 · side²]."""
    return nn.functional.unfold(images, side, stride=side).transpose(1, 2)


def from_patches(patches: Tensor, side: int) -> Tensor:
    """Square images [B, 3, H, H] of their patches [B, P, 3 · side²], row by row."""
    size = round(patches.shape[1] ** 0.5) * side
    return nn.functional.fold(patches.transpose(1, 2), size, side, stride=side)


def take_patches(patches: Tensor, numbers: Tensor) -> Tensor:
    """Those of patches [B, P, D] with the numbers given, int64 [B, n]: [B, n, D]."""
    return patches.gather(1, numbers[..., None].expand(-1, -1, patches.shape[2]))
