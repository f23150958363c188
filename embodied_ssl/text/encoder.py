"""A small text transformer over words."""

import torch
from torch import Tensor, nn


class TextEncoder(nn.Module):
    """Words to features: embeddings with positions, transformer blocks, the mean over the words.

    (CLIP takes the last token of a causal transformer; over a few words the mean of a plain one is as good.)
    """

    def __init__(self, words: int, length: int, width: int = 128, depth: int = 2):
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        nn.init.normal_(self.embedding.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            width, width // 32, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)

    def tokens(self, words: Tensor) -> Tensor:
        """Features of each word; words int64 [B, L], 0 where there is none. Returns [B, L, width]."""
        return self.blocks(self.embedding(words) + self.positions, src_key_padding_mask=words == 0)

    def forward(self, words: Tensor) -> Tensor:
        """words int64 [B, L] → [B, width]."""
        present = (words != 0)[..., None]  # [B, L, 1]
        return (self.tokens(words) * present).sum(1) / present.sum(1).clamp(min=1)
