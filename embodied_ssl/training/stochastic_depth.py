"""Stochastic depth: while training, samples skip blocks of a transformer, the last one most often."""

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import Encoder, TransformerEncoder


def skip_blocks(encoder: Encoder, rate: float) -> None:
    """Let samples skip each half of the last block with probability `rate`, of earlier blocks in proportion.

    Huang et al. 2016, by timm's layer: what is not skipped is scaled up. In evaluation mode nothing is skipped. Raises
    DataError for an encoder that is no plain transformer.
    """
    if not rate:
        return
    from timm.layers import DropPath

    if not isinstance(encoder, TransformerEncoder):
        raise DataError(f"stochastic_depth: {rate}; {encoder.name} has no blocks to skip, take a transformer, or 0")
    blocks = encoder.network.blocks
    for number, block in enumerate(blocks):
        probability = rate * number / max(1, len(blocks) - 1)
        block.drop_path1, block.drop_path2 = (DropPath(probability).train(block.training) for _ in range(2))
