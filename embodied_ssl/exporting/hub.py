"""Encoders that the library of the Hugging Face hub saves and loads: `HubEncoder.from_pretrained(folder or name)`."""

from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from embodied_ssl.encoders import make_encoder


class HubEncoder(nn.Module, PyTorchModelHubMixin, library_name="embodied-ssl"):
    """An encoder as `make_encoder` makes it; config.json has the arguments, model.safetensors the weights."""

    def __init__(self, name: str, image_size: int):
        super().__init__()
        self.encoder = make_encoder(name, image_size)

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, dim] of float images [B, 3, H, W] in [0, 1]."""
        return self.encoder(images)
