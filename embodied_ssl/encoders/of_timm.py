"""Backbones of timm: their stages as maps, and features pooled by their own heads."""

import sys
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.encoders.base import DEVIATION, MEAN, Backbone, Normalisation
from embodied_ssl.encoders.weights import REFUSALS, no_weights, takes_no, without_classifier

_OTHER_SIZES: tuple[dict[str, bool], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})
"""What lets a network that is made for one size take others as well, by family."""


def timm_encoder(name: str, image_size: int, pretrained: bool) -> "TimmEncoder":
    """A backbone of timm, `NAME` or `NAME.TAG`, untrained or with the weights that timm has for it.

    Raises DataError for an unknown name, for one that takes no images of this size or has no pooled features, and
    where there are no weights or they can't be had.
    """
    import timm

    if not timm.is_model(name):
        raise unknown_name("model of timm", name, timm.list_models())
    usual = timm.get_pretrained_cfg(name)  # None for a name of old, which timm turns into that of today
    if pretrained and usual is not None and not usual.has_weights:
        near = _near(name, timm.list_pretrained())
        raise DataError(f"timm/{name}: timm has no weights for it; take {near}, or leave out --init")
    try:
        encoder = encoder_of(f"timm/{name}", image_size, _create(name, image_size, pretrained=False))
    except DataError:
        raise
    except REFUSALS as error:
        side = usual.input_size[-1] if usual is not None else image_size
        raise takes_no(f"timm/{name}", image_size, side, error) from None
    if pretrained:
        try:
            trained = _create(name, image_size, pretrained=True)
        except Exception as error:  # whatever a download makes its library raise
            raise no_weights(f"timm/{name}", error) from None
        encoder.network.load_state_dict(trained.state_dict())
    return encoder


def encoder_of(name: str, image_size: int, network: Any) -> "TimmEncoder":
    """The encoder of a network of timm that has no classifier."""
    from timm.layers import PatchEmbed
    from timm.models.vision_transformer import VisionTransformer

    plain = isinstance(network, VisionTransformer) and isinstance(network.patch_embed, PatchEmbed)
    settings = network.pretrained_cfg
    kind = TransformerEncoder if plain else TimmEncoder
    return kind(name, image_size, network, Normalisation(settings["mean"], settings["std"]))


def with_sine_positions(name: str, image_size: int) -> "TransformerEncoder":
    """A plain vision transformer of timm, untrained, whose positions are sines and cosines that do not learn.

    MoCo v3, MAE and I-JEPA have them (He et al. 2022, appendix A). Raises DataError as `timm_encoder` does, and for a
    network that adds no positions to square patches.
    """
    from timm.layers import build_sincos2d_pos_embed

    encoder = timm_encoder(name, image_size, pretrained=False)
    learned = getattr(encoder.network, "pos_embed", None)
    if not isinstance(encoder, TransformerEncoder) or learned is None:
        raise DataError(f"sine/{name}: {name} is no plain transformer with positions; take sine/vit_small_patch16_224")
    side = image_size // encoder.patch
    sines = build_sincos2d_pos_embed([side, side], learned.shape[2])  # [P, dim]
    positions = functional.pad(sines, (0, 0, learned.shape[1] - len(sines), 0))  # those of a prefix are 0
    encoder.network.pos_embed = nn.Parameter(positions[None].to(learned), requires_grad=False)
    encoder.name = f"sine/{name}"
    return encoder


class TimmEncoder(Backbone):
    """A network of timm. Its features are its own `forward_head(forward_features(...), pre_logits=True)`.

    The stages are those of its `forward_intermediates`, the last of them as `forward_features` gives it, after its last
    norm. Where the head takes more than this map, such as a [CLS] token, what it makes of it is one more stage, a map
    of 1×1: `cls` or `pooled`.
    """

    def __init__(self, name: str, image_size: int, network: Any, normalisation: Normalisation):
        super().__init__(name, image_size, network, normalisation)
        training = network.training
        network.eval()
        with torch.no_grad():
            final, maps = network.forward_intermediates(self.sample())
            self._layout = _layout(final, maps[-1])
            _check_head(name, network, final)
            self.prefix = final.shape[1] - maps[-1][0, 0].numel() if self._layout == "tokens" else 0
            """Tokens before those of the patches: [CLS], registers."""
            self._pools_maps = self._layout != "other" and self._ignores_prefix(final)
            self._names = _names(network, maps, self._pools_maps)
            self.channels = {key: each.shape[1] for key, each in self._named(final, maps).items()}
            self.dim = self._head(final).shape[1]
        network.train(training)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        return self._named(*self.network.forward_intermediates(self.normalised(images)))

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        last = stages[next(reversed(stages))]
        return self._head(self._laid_out(last)) if self._pools_maps else last.flatten(1)

    @property
    def patch_projection(self) -> nn.Module | None:
        return self.network.patch_embed if "block1" in self.channels and hasattr(self.network, "patch_embed") else None

    def adapt(self, state: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        """As timm adapts what it downloads: other names of old, positions for another size; without a classifier."""
        own = getattr(sys.modules[type(self.network).__module__], "checkpoint_filter_fn", None)
        found = own(dict(state), self.network) if own is not None else state
        classifier = getattr(self.network, "pretrained_cfg", {}).get("classifier")  # ours have none
        return self.network, without_classifier(found, self.network, classifier)

    def _named(self, final: Any, maps: list[Tensor]) -> dict[str, Tensor]:
        """The stages, of what `forward_intermediates` gives."""
        found = [*maps[:-1], self._as_map(final, maps[-1])] if self._layout != "other" else maps
        if not self._pools_maps:
            found = [*found, self._head(final)[:, :, None, None]]
        return dict(zip(self._names, found, strict=True))

    def _as_map(self, final: Tensor, last: Tensor) -> Tensor:
        """What the head takes, without its prefix, [B, channels, h, w]."""
        if self._layout == "tokens":
            return final[:, self.prefix :].mT.unflatten(2, last.shape[-2:])
        return final.permute(0, 3, 1, 2) if self._layout == "NHWC" else final

    def _laid_out(self, maps: Tensor) -> Tensor:
        """What the head takes, of maps."""
        if self._layout == "tokens":
            tokens = maps.flatten(2).mT
            return functional.pad(tokens, (0, 0, self.prefix, 0))  # a prefix that it does not look at
        return maps.permute(0, 2, 3, 1) if self._layout == "NHWC" else maps

    def _head(self, final: Any) -> Tensor:
        return self.network.forward_head(final, pre_logits=True).flatten(1)  # [B, dim]

    def _ignores_prefix(self, final: Tensor) -> bool:
        if self.prefix == 0:
            return True
        other = final.clone()
        other[:, : self.prefix] += 1
        return torch.equal(self._head(other), self._head(final))


class TransformerEncoder(TimmEncoder):
    """A plain vision transformer, whose patches can be left out."""

    def __init__(self, name: str, image_size: int, network: Any, normalisation: Normalisation):
        super().__init__(name, image_size, network, normalisation)
        self.patch = network.patch_embed.patch_size[0]
        """Side of a patch, px."""

    def tokens(self, images: Tensor) -> Tensor:
        """The patch tokens after the last block and norm, [B, patches, dim], row by row."""
        return self.stages(images)[f"block{len(self.network.blocks)}"].flatten(2).mT

    def visible_tokens(self, images: Tensor, visible: Tensor) -> Tensor:
        """The tokens of the prefix and of visible patches alone, after the last block and norm; no work for the others.

        visible: int64 [B, n], numbers of patches, row by row. Returns [B, prefix + n, dim].
        """
        tokens = self._embed(images)  # [B, prefix + patches, dim]
        first = torch.arange(self.prefix, device=visible.device).expand(len(visible), -1)
        rows = torch.cat([first, visible + self.prefix], 1)  # [B, prefix + n]
        tokens = tokens.gather(1, rows[..., None].expand(-1, -1, tokens.shape[2]))
        return self.network.norm(self.network.blocks(tokens))

    def features_and_tokens(
        self, images: Tensor, masked: Tensor | None = None, mask_token: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The features [B, dim] of images, and their patch tokens after the last block and norm, [B, patches, dim].

        masked: bool [B, patches], which patches a token [dim] takes the place of; None: none.
        """
        final = self.network.norm(self.network.blocks(self._embed(images, masked, mask_token)))
        return self._head(final), final[:, self.prefix :]

    def attention(self, images: Tensor) -> Tensor:
        """How the last block's [CLS] token attends to the patches, [B, heads, h, w]; with the prefix it sums to 1.

        Raises DataError for a network without such a token, or with another attention.
        """
        from timm.models.vision_transformer import Attention

        *blocks, last = self.network.blocks
        mixer = last.attn
        if self.network.cls_token is None or type(mixer) is not Attention:
            raise DataError(f"{self.name}: no attention of a [CLS] token to look at; take vit_tiny_cls")
        tokens = self._embed(images)
        for block in blocks:
            tokens = block(tokens)
        qkv = mixer.qkv(last.norm1(tokens)).unflatten(2, (3, mixer.num_heads, -1))
        query, key, _ = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, prefix + patches, dim of a head]
        query, key = mixer.q_norm(query), mixer.k_norm(key)
        attention = (query[:, :, :1] @ key.mT * mixer.scale).softmax(-1)[:, :, 0, self.prefix :]  # [B, heads, patches]
        return attention.unflatten(2, (images.shape[2] // self.patch, images.shape[3] // self.patch))

    def _embed(self, images: Tensor, masked: Tensor | None = None, mask_token: Tensor | None = None) -> Tensor:
        """The prefix and the patches with their positions, [B, prefix + patches, dim]."""
        patches = self.network.patch_embed(self.normalised(images))  # [B, patches, dim] or [B, h, w, dim]
        if masked is not None and mask_token is not None:
            where = masked.view(*patches.shape[:-1], 1)
            patches = torch.where(where, mask_token.to(patches.dtype), patches)
        return self.network.norm_pre(self.network._pos_embed(patches))


def vit_tiny(image_size: int) -> TimmEncoder:
    """A vision transformer of 6 blocks, 192 wide, over 8×8 patches of an image of 32 to 96 px (Dosovitskiy 2021)."""
    return _vit("vit_tiny", image_size, "avg", depth=6, width=192)


def vit_tiny_cls(image_size: int) -> TimmEncoder:
    """The same, with its [CLS] token for features, whose attention can be looked at (`dino`)."""
    return _vit("vit_tiny_cls", image_size, "token", depth=6, width=192)


def vit_micro(image_size: int) -> TimmEncoder:
    """The same of 4 blocks, 96 wide: a fifth of the work, for studies of attention on one core."""
    return _vit("vit_micro", image_size, "token", depth=4, width=96)


def _vit(name: str, image_size: int, pool: Literal["avg", "token"], depth: int, width: int) -> TimmEncoder:
    from timm.models.vision_transformer import VisionTransformer

    if image_size % 8:
        raise DataError(f"{name}: {image_size} px; give a multiple of 8, for as many patches on a side")
    network = VisionTransformer(
        img_size=image_size,
        patch_size=image_size // 8,
        embed_dim=width,
        depth=depth,
        num_heads=3,
        num_classes=0,
        dynamic_img_size=True,
        global_pool=pool,
        fc_norm=False,
    )
    return TransformerEncoder(name, image_size, network, Normalisation((MEAN,) * 3, (DEVIATION,) * 3))


def _create(name: str, image_size: int, pretrained: bool) -> nn.Module:
    import timm

    for more in _OTHER_SIZES:
        sizes: dict[str, Any] = {"img_size": image_size} | more
        try:
            return timm.create_model(name, pretrained=pretrained, num_classes=0, **sizes)
        except TypeError:  # no such setting
            continue
    return timm.create_model(name, pretrained=pretrained, num_classes=0)  # most convolutional ones take any size


def _names(network: Any, maps: list[Tensor], pools_maps: bool) -> list[str]:
    kind = "block" if len({each.shape[-1] for each in maps}) == 1 < len(maps) else "stage"
    names = [f"{kind}{i + 1}" for i in range(len(maps))]
    token = getattr(network, "global_pool", None) == "token"
    return names if pools_maps else [*names, "cls" if token else "pooled"]


def _layout(final: Any, last: Tensor) -> str:
    """How a network lays out what its head takes, of a square image, if that is the last map in another shape."""
    side = last.shape[-1]
    if not isinstance(final, Tensor):
        return "other"
    if final.ndim == 3 and final.shape[1] >= side * side:
        return "tokens"
    if final.ndim == 4 and final.shape[2:] == (side, side):
        return "NCHW"
    return "NHWC" if final.ndim == 4 and final.shape[1:3] == (side, side) else "other"


def _check_head(name: str, network: Any, final: Any) -> None:
    """Raises DataError for what is but the encoder of something larger."""
    try:
        network.forward_head(final, pre_logits=True)
    except (NotImplementedError, TypeError):
        import timm

        others = [other for other in timm.list_models() if not other.endswith("_enc")]
        near = _near(name.removeprefix("timm/"), others)
        raise DataError(f"{name} has no pooled features of its own; take {near}") from None


def _near(name: str, names: Iterable[str]) -> str:
    return "timm/" + get_close_matches(name, [other for other in names if other != name], n=1, cutoff=0)[0]
