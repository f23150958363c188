"""MoCo: a query finds its key among a queue of others, which a slowly following encoder has made."""

import copy
import math
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase

from embodied_ssl.datasets.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.streams import Stream
from embodied_ssl.distributed import gather, rank
from embodied_ssl.encoders import Encoder, TransformerEncoder
from embodied_ssl.gradient_cache import in_parts
from embodied_ssl.heads import mlp
from embodied_ssl.losses import info_nce
from embodied_ssl.method import Method, Need, Recipe, Step, needs_of
from embodied_ssl.optimization import follow
from embodied_ssl.positives import Lead, cuts_of_views, needs_of_views, positives

_TEMPERATURE = {1: 0.07, 2: 0.2, 3: 0.2}


class MoCo(Method):
    """Momentum contrast. v1: He et al., CVPR 2020; v2: Chen, Fan, Girshick & He 2020; v3: Chen, Xie & He, ICCV 2021.

    v1 and v2 compare with a queue of keys, v3 with the keys of the batch, in both directions and through a prediction
    head; on a transformer it leaves the projection of the patches as it was drawn. Scaled for small data: a queue of
    4,096 for the paper's 65,536, and m 0.99 for its 0.999 in v1 and v2, whose runs are a hundred times as long.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        version: Literal[1, 2, 3] = 2,
        views: Literal["augmentation", "body", "both"] = "augmentation",
        queue: int = 4096,
        momentum: float = 0.99,
        temperature: float | None = None,
        width: int = 256,
        dim: int = 128,
        groups: int = 4,
        least_crop: float = 0.2,
        condition: bool = True,
        max_gap_s: float = 1.0,
        across: Literal["tables", "act"] = "tables",
        crop: float = 0.3,
    ):
        """Queries of the encoder that learns, keys of one that follows it.

        Args:
            encoder: what is learned.
            version: of the papers: 1, 2 or 3.
            views: what makes two views of a thing: `augmentation` of one of the `frames`; the `body`, in `pairs` of
                frames and of `objects`; or `both`, augmentation of what the body gives.
            queue: how many keys of earlier batches are negatives, in versions 1 and 2.
            momentum: m, with which the keys' encoder follows; in version 3 it rises to 1.
            temperature: τ; None: 0.07 in version 1, else 0.2.
            width: of hidden layers of the heads.
            dim: of what is compared.
            groups: parts of a batch that batch norm sees one at a time, keys in another order than queries, so that
                its statistics do not tell a key by its company; as shuffling between so many devices does in the paper.
            least_crop: smallest share of a picture that a view keeps.
            condition: whether the code of a first frame is led to the second by the motor signal between them.
            max_gap_s: longest time between the frames of a pair, s.
            across: what lies between two pictures of an object: other `tables`, or the `act` done to it.
            crop: side of the patch about an object, as a share of the picture; 1 for orbits.
        """
        super().__init__(encoder)
        if version not in (1, 2, 3):
            raise DataError(f"moco: version {version}; there are 1, 2 and 3")
        self.version, self.views, self.queue, self.momentum = version, views, queue, momentum
        self.temperature, self.width, self.dim, self.groups = temperature, width, dim, groups
        self.least_crop, self.condition, self.max_gap_s = least_crop, condition, max_gap_s
        self.across, self.crop = across, crop
        if version == 3 and isinstance(encoder, TransformerEncoder):
            encoder.network.patch_embed.requires_grad_(False)
        self.projection = nn.Linear(encoder.dim, dim) if version == 1 else mlp((encoder.dim, width, dim))
        self.prediction = mlp((dim, width, dim)) if version == 3 else nn.Identity()
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.lead = Lead(dim)
        self.keys: Tensor
        self.place: Tensor
        self.register_buffer("keys", functional.normalize(torch.randn(0 if version == 3 else queue, dim), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))
        self._fresh: list[Tensor] = []  # of this step, until `after_step`

    def needs(self) -> dict[str, Need]:
        return needs_of_views(self.views, needs_of(type(self)))

    def cuts(self) -> dict[str, dict[str, Any]]:
        return cuts_of_views(self.max_gap_s, self.across)

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and spread of the motions."""
        if "pairs" in streams:
            self.lead.measure(streams["pairs"], rng)

    def loss(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        # v1: weaker colours, no blur; from v2 on SimCLR's (at half its strength, as both papers have brightness 0.4).
        colours = {"strength": 0.5, "grey": 0.2, "blurred": 0.0 if self.version == 1 else 0.5}
        settings = {"scale": (self.least_crop, 1.0), **colours}
        size = self.encoder.image_size
        made = positives(self.views, step.rng, size, self.crop, settings, frames, pairs, objects)
        moving = (made.motion, made.moved) if self.condition and pairs is not None else None
        tau = self.temperature or _TEMPERATURE[self.version]
        query = self._queries(made.first, step, moving)
        key = self._keys(made.second, step)
        if self.version == 3:
            back = self._queries(made.second, step, None)
            other = self._keys(made.first, step)
            loss = 2 * tau * (_in_batch(query, key, tau) + _in_batch(back, other, tau))
        else:
            self._fresh.append(key)
            scores = torch.cat([(query * key).sum(1, keepdim=True), query @ self.keys.T], 1) / tau
            loss = info_nce(scores, torch.zeros(len(query), dtype=torch.int64, device=query.device))
        return {"loss": loss, "agreement": (query * key).sum(1).mean().detach()}

    def _queries(self, images: Tensor, step: Step, moving: tuple[Tensor, Tensor] | None) -> Tensor:
        modules = self.encoder, self.projection, self.prediction
        groups = self._groups(images)
        inner = -(-step.parts // groups)
        codes = torch.cat([in_parts(modules, part, inner) for part in images.chunk(groups)]).float()
        return functional.normalize(self.lead(codes, *moving) if moving else codes, dim=1)

    @torch.no_grad()
    def _keys(self, images: Tensor, step: Step) -> Tensor:
        order = torch.randperm(len(images), generator=step.rng, device=images.device)
        parts = images[order].chunk(max(step.parts, self._groups(images)))
        codes = torch.cat([self.key_projection(self.key_encoder(part)) for part in parts]).float()
        return functional.normalize(torch.empty_like(codes).index_copy_(0, order, codes), dim=1)

    def after_step(self, step: Step) -> None:
        """The keys' encoder follows (eq. 2), and the keys of this step take the place of the oldest."""
        m = self.momentum
        if self.version == 3:
            m = 1 - (1 - m) * (1 + math.cos(math.pi * step.progress)) / 2
        follow(self.key_encoder, self.encoder, m, buffers=False)
        follow(self.key_projection, self.projection, m, buffers=False)
        for keys in self._fresh:
            keys = gather(keys)[-len(self.keys) :]
            places = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.keys)
            self.keys[places] = keys
            self.place.copy_((self.place + len(keys)) % len(self.keys))
        self._fresh.clear()

    def _groups(self, images: Tensor) -> int:
        """Parts for batch norm, of at least two samples; one where there is nothing to hide."""
        normed = any(isinstance(layer, _NormBase) for layer in self.modules())
        return max(1, min(self.groups, len(images) // 2)) if normed and self.version != 3 else 1


def _in_batch(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """InfoNCE of queries among the keys of the batch on all devices."""
    positive = torch.arange(len(query), device=query.device) + rank() * len(query)
    return info_nce(query @ gather(key).T / temperature, positive)
