"""Backbones of torchvision: their stages as maps, and features pooled by their own heads."""

import re
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import unknown_name
from embodied_ssl.encoders.base import Backbone, Normalisation, Normalised
from embodied_ssl.encoders.weights import REFUSALS, fill, no_weights, takes_no, without_classifier

_HEADS = ("avgpool", "flatten", "dropout", "classifier", "fc", "head", "heads")
"""What comes after the last map, by the names of their children that all families keep to."""
_HALF = (0.5, 0.5, 0.5)


def torchvision_encoder(name: str, image_size: int, pretrained: bool) -> Backbone:
    """A classification network of torchvision, untrained or with the weights that torchvision has for it.

    Raises DataError for an unknown name, for one that takes no images of this size, and where the weights can't be
    had.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown_name("model of torchvision", name, known)
    weights: Any = models.get_model_weights(name).DEFAULT
    usual = weights.transforms()
    try:
        network = _create(name, image_size)
        # These two turn ImageNet's units into others first, which are then what they are normalised to here.
        normalisation = Normalisation(usual.mean, usual.std)
        if hasattr(network, "transform_input"):
            normalisation = Normalisation(_HALF, _HALF)
        kind = TorchvisionTransformer if isinstance(network, models.VisionTransformer) else TorchvisionEncoder
        encoder = kind(f"torchvision/{name}", image_size, network, normalisation)
    except REFUSALS as error:
        raise takes_no(f"torchvision/{name}", image_size, usual.crop_size[0], error) from None
    if pretrained:
        try:
            state = weights.get_state_dict(progress=False, weights_only=True)
        except OSError as error:
            raise no_weights(encoder.name, error) from None
        fill(encoder, state, f"{weights}")
    return encoder


class _OfTorchvision(Backbone):
    def __init__(self, name: str, image_size: int, network: Any, normalisation: Normalisation):
        super().__init__(name, image_size, network, normalisation)
        _cut_classifier(network)

    def adapt(self, state: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        """As torchvision adapts what it downloads: names of old; without a classifier."""
        old = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d\.)")
        found = {old.sub(r"\1\2", name): tensor for name, tensor in state.items()}
        return self.network, without_classifier(found, self.network, (*_HEADS, "AuxLogits", "aux1", "aux2"))


class TorchvisionEncoder(_OfTorchvision):
    """A network of torchvision whose layers follow each other.

    A stage ends with the last layer of its resolution. The features are what the last layer of the network's classifier
    takes, without the dropout before it; so AlexNet's and VGG's are those of their second layer of 4,096.
    """

    def __init__(self, name: str, image_size: int, network: Any, normalisation: Normalisation):
        super().__init__(name, image_size, network, normalisation)
        self._relu = type(network).__name__ == "DenseNet"  # a function at the end of its features, no layer
        training = network.training
        network.eval()
        with torch.no_grad():
            self._stages = _stages(network, self.sample())
            found = self.stages(self.sample() * self.deviation + self.mean)
            self.channels = {stage: maps.shape[1] for stage, maps in found.items()}
            self.dim = self.pool(found).shape[1]
        network.train(training)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.normalised(images)
        found = {}
        for i, (layers, channels_last) in enumerate(self._stages):
            for layer in layers:
                maps = self.network.get_submodule(layer)(maps)
            found[f"stage{i + 1}"] = maps.permute(0, 3, 1, 2) if channels_last else maps
        if self._relu:
            found[f"stage{len(found)}"] = maps.relu()
        return found

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        network = self.network
        maps = stages[next(reversed(stages))]  # [B, channels, h, w]
        pooled = network.avgpool(maps) if hasattr(network, "avgpool") else maps.mean((2, 3), keepdim=True)
        rest = getattr(network, "classifier", nn.Sequential())
        if not any(isinstance(layer, nn.Flatten) for layer in rest):
            pooled = pooled.flatten(1)
        return rest(pooled).flatten(1)

    def in_two(self) -> tuple[nn.Module, nn.Module] | None:
        if self._relu or len(self._stages) < 2 or any(channels_last for _, channels_last in self._stages):
            return None
        *before, deepest = [
            nn.Sequential(*(self.network.get_submodule(name) for name in names)) for names, _ in self._stages
        ]
        return nn.Sequential(Normalised(self.mean, self.deviation), *before), deepest


class TorchvisionTransformer(_OfTorchvision):
    """A vision transformer of torchvision, for images of one size. Its features are its [CLS] token's."""

    def __init__(self, name: str, image_size: int, network: Any, normalisation: Normalisation):
        super().__init__(name, image_size, network, normalisation)
        self.dim = network.hidden_dim
        blocks = [f"block{i + 1}" for i in range(len(network.encoder.layers))]
        self.channels = dict.fromkeys([*blocks, "cls"], self.dim)
        with torch.no_grad():
            network._process_input(self.sample())  # refuses a size

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        network = self.network
        side = self.image_size // network.patch_size
        patches = network._process_input(self.normalised(images))  # [B, side², dim]
        tokens = torch.cat([network.class_token.expand(len(images), -1, -1), patches], 1)  # [B, 1 + side², dim]
        tokens = network.encoder.dropout(tokens + network.encoder.pos_embedding)
        found = {}
        last = len(network.encoder.layers)
        for i, layer in enumerate(network.encoder.layers, 1):
            tokens = layer(tokens) if i < last else network.encoder.ln(layer(tokens))
            found[f"block{i}"] = tokens[:, 1:].mT.unflatten(2, (side, side))
        return found | {"cls": tokens[:, 0, :, None, None]}

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        return stages["cls"].flatten(1)

    @property
    def patch_projection(self) -> nn.Module:
        return self.network.conv_proj

    def adapt(self, state: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        """Positions for this size as well."""
        from torchvision.models.vision_transformer import interpolate_embeddings

        network, found = super().adapt(state)
        return network, dict(interpolate_embeddings(self.image_size, self.network.patch_size, dict(found)))


def _create(name: str, image_size: int) -> nn.Module:
    """A network of random weights; those that are made for one size are made for this one."""
    from torchvision import models

    settings: dict[str, Any] = {}
    if name.startswith("vit"):
        settings = {"image_size": image_size}
    elif name.startswith("maxvit"):
        settings = {"input_size": (image_size, image_size)}
    elif name in ("googlenet", "inception_v3"):
        settings = {"aux_logits": False, "init_weights": True}
    return models.get_model(name, weights=None, **settings)


def _cut_classifier(network: Any) -> None:
    """Remove the last layer with weights, what follows it, and the dropout before it."""
    (last,) = [name for name, _ in network.named_children() if name in ("classifier", "fc", "head", "heads")]
    head = network.get_submodule(last)
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    while layers and not isinstance(layers[-1], nn.Linear | nn.Conv2d):
        layers.pop()
    layers.pop()
    while layers and isinstance(layers[-1], nn.Dropout):
        layers.pop()
    setattr(network, last, nn.Sequential(*layers))


def _stages(network: nn.Module, maps: Tensor) -> list[tuple[list[str], bool]]:
    """The layers of each stage by name, in turn, and whether the maps that it ends with have their channels last."""
    steps = []
    for layer in _layers(network):
        maps = network.get_submodule(layer)(maps)
        channels_last = maps.shape[1] == maps.shape[2] != maps.shape[3]
        steps.append((maps.shape[2], layer, channels_last))
    found: list[tuple[list[str], bool]] = []
    for _, group in groupby(steps, key=lambda step: step[0]):
        own = list(group)
        layers = [layer for _, layer, _ in own]
        if found and not any(True for layer in layers for _ in network.get_submodule(layer).parameters()):
            layers = found.pop()[0] + layers  # a pool at the end is no stage
        found.append((layers, own[-1][2]))
    return found


def _layers(network: nn.Module) -> list[str]:
    """The layers that an image passes on its way to the last map."""
    found = []
    for name, child in network.named_children():
        if name not in _HEADS:
            several = isinstance(child, nn.Sequential | nn.ModuleList)
            found += [f"{name}.{part}" for part, _ in child.named_children()] if several else [name]
    return found
