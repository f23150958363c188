"""A folder that timm makes a model of, for the networks that timm knows."""

import json
from pathlib import Path
from typing import Any

import timm
from safetensors.torch import save_file

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.encoders import Encoder
from embodied_ssl.encoders.of_timm import TimmEncoder
from embodied_ssl.exporting.to_torch_export import images_in_words

_SIZES: tuple[dict[str, bool], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})
"""What lets a network that is made for one size take others as well, by family."""


def to_timm(encoder: Encoder, folder: Path) -> str:
    """Write FOLDER/config.json and FOLDER/model.safetensors, and return how they are loaded.

    Images are normalised as the configuration says, which is timm's way. Raises DataError for an encoder that is no
    network of timm.
    """
    if not isinstance(encoder, TimmEncoder):
        raise DataError(
            f"{encoder.name} is no network of timm, which could not load it; take --to torch_export, onnx or "
            "huggingface"
        )
    architecture, arguments = _architecture(encoder)
    network: Any = encoder.network
    known = getattr(network, "pretrained_cfg", {})  # those of our own small transformers have none
    mean, deviation = (each.flatten().tolist() for each in (encoder.mean, encoder.deviation))
    config = {
        "architecture": architecture,
        "num_classes": 0,
        "num_features": encoder.dim,
        "model_args": arguments,
        "pretrained_cfg": {
            "custom_load": False,
            "input_size": [3, encoder.image_size, encoder.image_size],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "mean": mean,
            "std": deviation,
            "num_classes": 0,
            "first_conv": known.get("first_conv", "patch_embed.proj"),
            "classifier": known.get("classifier", "head"),
        },
    }
    save_file(
        {name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "model.safetensors"
    )
    write_atomically(folder / "config.json", [json.dumps(config, indent=2).encode()])
    return f"""import timm
import torch

network = timm.create_model("local-dir:PATH_OF_THIS_FOLDER", pretrained=True).eval()
mean, std = (torch.tensor(network.pretrained_cfg[name])[:, None, None] for name in ("mean", "std"))
features = network((images - mean) / std)  # {images_in_words(encoder)}"""


def _architecture(encoder: TimmEncoder) -> tuple[str, dict[str, Any]]:
    """The name by which timm makes the network, and with which arguments."""
    name = encoder.name.rpartition("/")[2]  # of `timm/NAME`, or of `sine/NAME`, whose positions are among its weights
    if not timm.is_model(name):  # the small transformers of ours, in timm's own class
        network: Any = encoder.network
        (side, _) = network.patch_embed.patch_size
        return "vit_tiny_patch16_224", {
            "img_size": encoder.image_size, "patch_size": side, "embed_dim": network.embed_dim,
            "depth": len(network.blocks), "num_heads": network.blocks[0].attn.num_heads,
            "dynamic_img_size": True, "global_pool": network.global_pool, "fc_norm": False,
        }  # fmt: skip
    for more in _SIZES:
        arguments: dict[str, Any] = {"img_size": encoder.image_size, **more}
        try:
            timm.create_model(name, num_classes=0, **arguments)
        except TypeError:  # no such setting
            continue
        return name, arguments
    return name, {}
