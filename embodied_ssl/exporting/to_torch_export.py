"""A program of torch.export: the encoder as one graph, which torch loads without this package."""

import copy
from pathlib import Path

import torch

from embodied_ssl.encoders import Encoder

FILE = "encoder.pt2"


def to_torch_export(encoder: Encoder, folder: Path) -> str:
    """Write FOLDER/encoder.pt2, and return how it is loaded. Images in [0, 1]; any number of them."""
    torch.export.save(exported(encoder), folder / FILE)
    return f"""import torch

encoder = torch.export.load("{FILE}").module()
features = encoder(images)  # {images_in_words(encoder)}"""


def images_in_words(encoder: Encoder) -> str:
    """What an encoder takes, and what it gives."""
    return f"float32 [B, 3, {encoder.image_size}, {encoder.image_size}] in [0, 1] → [B, {encoder.dim}]"


def exported(encoder: Encoder) -> torch.export.ExportedProgram:
    """The encoder at rest as a graph from images [B, 3, H, W] to features [B, dim]."""
    encoder = copy.deepcopy(encoder).eval()
    for tensor in (*encoder.parameters(), *encoder.buffers()):
        tensor.data = tensor.data.contiguous()  # as channels_last a file would hold them as slices
    images = torch.rand(3, 3, encoder.image_size, encoder.image_size)  # one or two would be taken for constants
    batch = torch.export.Dim("batch")
    return torch.export.export(encoder, (images,), dynamic_shapes={"images": {0: batch}})
