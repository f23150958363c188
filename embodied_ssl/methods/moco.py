"""MoCo: a query finds its key among a queue of others, which a slowly following encoder has made."""

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive, Share, SomeShare
from embodied_ssl.method import Method, Need, Panel, Recipe, Step, needs_of
from embodied_ssl.parts.gradient_cache import chunks, in_parts, norms_of
from embodied_ssl.parts.heads import mlp, plain_mlp
from embodied_ssl.parts.losses import in_batch_nce, info_nce
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.positives import Lead, cuts_of_views, needs_of_views, positives
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.training.distributed import gather
from embodied_ssl.training.optimization import follow

_TEMPERATURE = {1: 0.07, 2: 0.2, 3: 0.2}


class MoCo(Method):
    """Momentum contrast. v1: He et al., CVPR 2020; v2: Chen, Fan, Girshick & He 2020; v3: Chen, Xie & He, ICCV 2021.

    v1 and v2 compare with a queue of keys, v3 with the keys of the batch, in both directions and through a prediction
    head; on a transformer it leaves the projection of the patches as it was drawn. Scaled for small data: a queue of
    4,096 for the paper's 65,536, and m 0.99 for its 0.999 in v1 and v2, whose runs are a hundred times as long. By
    default the heads of v2 and v3 are alike, two layers with batch norm between them, and all versions see SimCLR's
    views at half strength, v1 without blur; `paper_heads` and `paper_views` take what each paper has. Keys that the
    queue still holds of an image, where an epoch is shorter than the queue, are no negatives of that image.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        version: Literal[1, 2, 3] = 2,
        views: Literal["augmentation", "body", "both"] = "augmentation",
        queue: Count = 4096,
        momentum: Share = 0.99,
        temperature: Positive | None = None,
        width: Count = 256,
        dim: Count = 128,
        groups: Count = 4,
        paper_heads: bool = False,
        paper_views: bool = False,
        least_crop: SomeShare = 0.2,
        condition: bool = True,
        max_gap_s: Positive = 1.0,
        across: Literal["tables", "interaction"] = "tables",
        crop: SomeShare = 0.3,
    ):
        """Queries of the encoder that learns, keys of one that follows it.

        Args:
            encoder: what is learned.
            version: of the papers: 1, 2 or 3.
            views: what makes two views of an object: `augmentation` of one of the `frames`; the `body`, in `pairs` of
                frames and of `objects`; or `both`, augmentation of what the body gives.
            queue: how many keys of earlier batches are negatives, in versions 1 and 2.
            momentum: m, with which the keys' encoder follows; in version 3 it rises to 1.
            temperature: τ; None: 0.07 in version 1, else 0.2.
            width: of hidden layers of the heads.
            dim: of what is compared.
            groups: parts of a batch that batch norm sees one at a time, keys in another order than queries, so that
                its statistics do not tell a key by its company; as shuffling between so many devices does in the paper.
                None of fewer than two samples.
            paper_heads: v2: without batch norm; v3: a batch norm without scale and shift after the projection, which
                on a transformer has three layers, where the prediction ends in one as well. (v1 is linear either way.)
            paper_views: v1: colours of all images change, hue as much as the rest; v3: less saturation, first views
                always blurred, second ones in one of ten, and in one of five solarised. (v2 has SimCLR's either way.)
            least_crop: smallest share of an image that a view keeps.
            condition: whether the code of a first frame is led to the second by the motor signal between them.
            max_gap_s: longest time between the frames of a pair, s.
            across: what lies between two images of an object: other `tables`, or the `interaction` done to it.
            crop: side of the patch about an object, as a share of the image; 1 for orbits.
        """
        super().__init__(encoder)
        patches = encoder.patch_projection  # of a transformer alone
        if version == 3 and patches is not None:
            patches.requires_grad_(False)
        self.projection, self.prediction = self._heads(patches is not None)
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.lead = Lead(dim)
        length = 0 if version == 3 else queue
        self.register_buffer("keys", functional.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("owners", torch.zeros(length, dtype=torch.int64))  # of which images they are
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))
        self._fresh: list[tuple[Tensor, Tensor]] = []  # keys of this step and their owners, until `after_step`

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
        size = self.encoder.image_size
        made = positives(self.views, step.rng, size, self.crop, self._augmentations(), frames, pairs, objects)
        moving = (made.motion, made.moved) if self.condition and pairs is not None else None
        tau = self.temperature or _TEMPERATURE[self.version]
        query = self._queries(made.first, step, moving)
        key = self._keys(made.second, step)
        if self.version == 3:
            back = self._queries(made.second, step, None)
            other = self._keys(made.first, step)
            there, back = (in_batch_nce(*pair, tau, made.identity) for pair in ((query, key), (back, other)))
            loss = 2 * tau * (there + back)
        else:
            self._fresh.append((key, made.identity))
            loss = self._among_queue(query, key, made.identity, tau)
        return {"loss": loss, "agreement": (query * key).sum(1).mean().detach()}

    def show(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Both views of each sample, the place of its key in the queue, and the nearest keys of the batch."""
        size = self.encoder.image_size
        made = positives(self.views, step.rng, size, self.crop, self._augmentations(), frames, pairs, objects)
        moving = (made.motion, made.moved) if self.condition and pairs is not None else None
        query, key = self._queries(made.first, step, moving), self._keys(made.second, step)
        similarity = query @ key.T  # [B, B]
        nearer = (query @ self.keys.T > similarity.diagonal()[:, None]).sum(1).tolist()
        told = [f"its key, place {place + 1:,} of {len(self.keys) + 1:,}" for place in nearer]
        rows = columns((made.first, "a query"), (made.second, told if len(self.keys) else "its key"))
        return with_nearest(rows, made.second, similarity, made.identity[:, None] == made.identity)

    def _queries(self, images: Tensor, step: Step, moving: tuple[Tensor, Tensor] | None) -> Tensor:
        modules = self.encoder, self.projection, self.prediction
        codes = self._encode(modules, images, step).float()
        return functional.normalize(self.lead(codes, *moving) if moving else codes, dim=1)

    @torch.no_grad()
    def _keys(self, images: Tensor, step: Step) -> Tensor:
        order = torch.randperm(len(images), generator=step.rng, device=images.device)
        codes = self._encode((self.key_encoder, self.key_projection), images[order], step).float()
        return functional.normalize(torch.empty_like(codes).index_copy_(0, order, codes), dim=1)

    def after_step(self, step: Step) -> None:
        """The keys' encoder follows (eq. 2), and the keys of this step take the place of the oldest."""
        m = self.momentum
        if self.version == 3:
            m = 1 - (1 - m) * (1 + math.cos(math.pi * step.progress)) / 2
        follow(self.key_encoder, self.encoder, m, buffers=False)
        follow(self.key_projection, self.projection, m, buffers=False)
        for keys, owners in self._fresh:
            keys, owners = (gather(each)[-len(self.keys) :] for each in (keys, owners))
            places = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.keys)
            self.keys[places], self.owners[places] = keys, owners
            self.place.copy_((self.place + len(keys)) % len(self.keys))
        self._fresh.clear()

    @in_float32
    def _among_queue(self, query: Tensor, key: Tensor, identity: Tensor, temperature: float) -> Tensor:
        """InfoNCE of naming each query's key among those of the queue (eq. 1), but for its own picture's older ones."""
        scores = torch.cat([(query * key).sum(1, keepdim=True), query @ self.keys.T], 1) / temperature
        first = torch.zeros(len(query), dtype=torch.int64, device=query.device)
        same = identity[:, None] == torch.cat([first[:1], self.owners])
        return info_nce(scores, first, same)

    def _encode(self, layers: Sequence[nn.Module], images: Tensor, step: Step) -> Tensor:
        """Codes of images, of which batch norm sees a group at a time, where there is something to hide from it."""
        shuffled = self.version != 3 and any(norms_of(layer) for layer in layers)
        groups = chunks(images, self.groups if shuffled else 1)
        return torch.cat([in_parts(layers, group, -(-step.parts // len(groups))) for group in groups])

    def _augmentations(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings of `augment` for the first views and for the second ones."""
        usual = {"scale": (self.least_crop, 1.0), "strength": 0.5, "blurred": 0.0 if self.version == 1 else 0.5}
        if self.paper_views and self.version == 1:
            usual |= {"jittered": 1.0, "hue": 0.8}
        if self.paper_views and self.version == 3:
            usual |= {"saturation": 0.4, "blurred": 1.0}
            return usual, usual | {"blurred": 0.1, "solarized": 0.2}
        return usual, usual

    def _heads(self, transformer: bool) -> tuple[nn.Module, nn.Module]:
        """Projection, and prediction of version 3."""
        dim, width = self.encoder.dim, self.width
        if self.version == 1:
            return nn.Linear(dim, self.dim), nn.Identity()
        if self.version == 2:
            return (plain_mlp if self.paper_heads else mlp)((dim, width, self.dim)), nn.Identity()
        if not self.paper_heads:
            return mlp((dim, width, self.dim)), mlp((self.dim, width, self.dim))
        hidden = (width, width) if transformer else (width,)
        projection = mlp((dim, *hidden, self.dim), last_bias=False, last_norm=True)
        return projection, mlp((self.dim, width, self.dim), last_bias=False, last_norm=transformer)
