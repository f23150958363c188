"""MoCo: a query finds its key among a queue of others, which a slowly following encoder has made."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive, Share
from embodied_ssl.method import Panel, Step
from embodied_ssl.parts.augmentation import Augmentation, asymmetric
from embodied_ssl.parts.gradient_cache import in_chunks, norms_of, split_batch
from embodied_ssl.parts.heads import mlp, plain_mlp
from embodied_ssl.parts.losses import in_batch_nce, info_nce
from embodied_ssl.parts.motions import MOTOR_SIZE
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.two_views import TwoViews
from embodied_ssl.recipe import CIFAR, Preset, Recipe, updates
from embodied_ssl.training.devices.distributed import gather
from embodied_ssl.training.optimization import follow, rising

_TEMPERATURE = {1: 0.07, 2: 0.2, 3: 0.2}


class MoCo(TwoViews):
    """Momentum contrast. v1: He et al., CVPR 2020; v2: Chen, Fan, Girshick & He 2020; v3: Chen, Xie & He, ICCV 2021.

    Idea: An encoder maps one view of an image to a query, and a second encoder maps the other view to its key; the
    query has to find this key among many others. The keys of earlier batches wait in a queue, so that there are many
    negatives whatever the size of a batch; they stay comparable because the weights of their encoder are a slow moving
    average of those of the first one. Version 3 has no queue: it compares with the keys of the batch, in both
    directions, through a prediction head.

    Loss: `−log [exp(q·k₊/τ) / (exp(q·k₊/τ) + Σ_i exp(q·k_i/τ))]` with the keys k_i of the queue; in version 3
    `2τ (L(q₁, k₂) + L(q₂, k₁))` with those of the batch.

    Differs: Scaled for small data: a queue of 4,096 for the paper's 65,536, and m 0.99 for its 0.999 in v1 and v2,
    whose runs are a hundred times as long. By default the heads of v2 and v3 are alike, two layers with batch norm
    between them, and all versions see SimCLR's views at half strength, v1 without blur; `paper_heads` and `paper_views`
    take what each paper has. Keys that the queue still holds of an image, where an epoch is shorter than the queue, are
    no negatives of that image. Views can also come from the body (`views`).
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe("sgd", learning_rate=0.03, weight_decay=1e-4, batch_size=256, steps=updates(200, 256), warmup=0.0),
            {"version": 2, "queue_length": 65536, "momentum": 0.999, "width": 2048, "groups": 8, "paper_heads": True},
            "Chen, Fan, Girshick & He 2020 (v2); facebookresearch/moco",
            "Keys of images that the queue still holds are no negatives of them. The paper's 800 epochs are "
            "--epochs 800.",
        ),
        "paper_v1": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                "sgd", learning_rate=0.03, weight_decay=1e-4, batch_size=256, steps=updates(200, 256), warmup=0.0,
                schedule="step", milestones=(120 / 200, 160 / 200),
            ),
            {"version": 1, "queue_length": 65536, "momentum": 0.999, "groups": 8, "paper_views": True},
            "He et al. 2020; facebookresearch/moco",
            "Keys of images that the queue still holds are no negatives of them.",
        ),
        "paper_v3": Preset(
            "sine/vit_small_patch16_224",
            224,
            Recipe(
                learning_rate=1.5e-4, reference_batch=256, weight_decay=0.1, batch_size=4096,
                steps=updates(300, 4096), warmup=40 / 300,
            ),
            {
                "version": 3, "views": {"least_crop": 0.08}, "momentum": 0.99, "width": 4096, "dim": 256,
                "paper_heads": True, "paper_views": True,
            },
            "Chen, Xie & He 2021; CONFIG.md of facebookresearch/moco-v3",
            "ViT-S has 6 heads, as in DeiT, for 12. Biases and norms do not decay.",
        ),
        "cifar": Preset(
            "resnet18_small",
            32,
            Recipe(
                "sgd", learning_rate=0.06, weight_decay=5e-4, batch_size=512, steps=updates(200, 512, CIFAR),
                warmup=0.0,
            ),
            {"version": 1, "views": {"least_crop": 0.08}, "temperature": 0.1, "groups": 8},
            "colab/moco_cifar10_demo.ipynb of facebookresearch/moco, its asymmetric loss",
            "Keys of images that the queue still holds are no negatives of them.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        version: Literal[1, 2, 3] = 2,
        views: Views = Views(),  # noqa: B008 (it is frozen)
        queue_length: Count = 4096,
        momentum: Share = 0.99,
        temperature: Positive | None = None,
        width: Count = 256,
        dim: Count = 128,
        grey: Share = 0.2,
        groups: Count = 4,
        paper_heads: bool = False,
        paper_views: bool = False,
        motor_size: Count | None = None,
    ):
        """Queries of the encoder that learns, keys of one that follows it.

        Args:
            encoder: what is learned.
            version: of the papers: 1, 2 or 3.
            views: what makes two views of an object.
            queue_length: how many keys of earlier batches are negatives, in versions 1 and 2.
            momentum: m, with which the encoder of the keys follows; in version 3 it rises to 1.
            temperature: τ; None: 0.07 in version 1, else 0.2.
            width: of the hidden layers of the heads.
            dim: of queries and keys.
            grey: probability that a view loses its colours.
            groups: into how many parts a batch is split for batch norm, keys in another order than queries, so that the
                statistics of a part do not give away which key belongs to which query; shuffling between as many
                devices does it in the paper. No part has fewer than two samples.
            paper_heads: v2: without batch norm; v3: a batch norm without scale and shift after the projection, which
                on a transformer has three layers, where the prediction ends in one as well. (v1 is linear either way.)
            paper_views: v1: colours of all images change, hue as much as the rest; v3: less saturation, first views
                always blurred, second ones in one of ten, and in one of five solarised. (v2 has SimCLR's either way.)
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        patch_projection = encoder.patch_projection  # of a transformer alone
        if version == 3 and patch_projection is not None:
            patch_projection.requires_grad_(False)

        self.projection, self.prediction = self._heads(transformer=patch_projection is not None)
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.action_predictor = ActionPredictor(dim, motor_size or MOTOR_SIZE)

        length = 0 if version == 3 else queue_length
        self.register_buffer("queue", functional.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("queue_identity", torch.zeros(length, dtype=torch.int64))  # of which images the keys are
        self.register_buffer("queue_pointer", torch.zeros((), dtype=torch.int64))
        self._new_keys: list[tuple[Tensor, Tensor]] = []  # of this step, and of which images, until `after_step`

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        tau = self.temperature or _TEMPERATURE[self.version]
        query, key = self.codes(positives, step)  # [B, dim]

        if self.version == 3:
            # Symmetric, among the keys of the batch (v3, algorithm 1).
            other_query = self._queries(positives.second, step)
            other_key = self._keys(positives.first, step)
            there = in_batch_nce(query, key, tau, positives.identity)
            back = in_batch_nce(other_query, other_key, tau, positives.identity)
            loss = 2 * tau * (there + back)
        else:
            self._new_keys.append((key, positives.identity))
            loss = self._among_queue(query, key, positives.identity, tau)
        return {"loss": loss, "agreement": (query * key).sum(1).mean().detach()}

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """Queries of the first views, and keys of the second ones."""
        return self._queries(positives.first, step, positives), self._keys(positives.second, step)

    def show(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Both views of each sample, the place of its key in the queue, and the nearest keys of the batch."""
        positives = self.positives(step, frames, pairs, objects)
        query, key = self.codes(positives, step)
        similarity = query @ key.T  # [B, B]
        nearer = (query @ self.queue.T > similarity.diagonal()[:, None]).sum(1).tolist()
        texts = [f"its key, place {place + 1:,} of {len(self.queue) + 1:,}" for place in nearer]
        rows = columns((positives.first, "a query"), (positives.second, texts if len(self.queue) else "its key"))
        return with_nearest(rows, positives.second, similarity, positives.identity[:, None] == positives.identity)

    def after_step(self, step: Step) -> None:
        """The encoder of the keys follows (v1, eq. 2), and the keys of this step replace the oldest of the queue."""
        m = self.momentum
        if self.version == 3:
            m = rising(m, step.progress)
        follow(self.key_encoder, self.encoder, m, buffers=False)
        follow(self.key_projection, self.projection, m, buffers=False)
        for keys, identity in self._new_keys:
            self._enqueue(gather(keys), gather(identity))
        self._new_keys.clear()

    def _enqueue(self, keys: Tensor, identity: Tensor) -> None:
        """Keys [N, dim], and numbers of their images [N], in the place of the oldest; the latest ones if too many."""
        length = len(self.queue)
        keys, identity = keys[-length:], identity[-length:]
        places = (self.queue_pointer + torch.arange(len(keys), device=keys.device)) % length  # [N]
        self.queue[places] = keys
        self.queue_identity[places] = identity
        self.queue_pointer.copy_((self.queue_pointer + len(keys)) % length)

    @in_float32
    def _among_queue(self, query: Tensor, key: Tensor, identity: Tensor, temperature: float) -> Tensor:
        """InfoNCE of each query with its key and those of the queue (v1, eq. 1), without older keys of its image."""
        positive = (query * key).sum(1, keepdim=True)  # [B, 1]
        negatives = query @ self.queue.T  # [B, queue_length]
        scores = torch.cat([positive, negatives], 1) / temperature
        target = torch.zeros(len(query), dtype=torch.int64, device=query.device)  # the first column
        same_image = identity[:, None] == torch.cat([target[:1], self.queue_identity])  # [B, 1 + queue_length]
        return info_nce(scores, target, same_image)

    def _queries(self, images: Tensor, step: Step, moved: Positives | None = None) -> Tensor:
        """Queries of views, [B, dim], of unit length; with the motions after them those of the second views."""
        codes = self._encode((self.encoder, self.projection, self.prediction), images, step).float()
        return functional.normalize(codes if moved is None else self.moved(codes, moved), dim=1)

    @torch.no_grad()
    def _keys(self, images: Tensor, step: Step) -> Tensor:
        """Keys of views, [B, dim], of unit length, encoded in a random order."""
        order = torch.randperm(len(images), generator=step.rng, device=images.device)
        codes = self._encode((self.key_encoder, self.key_projection), images[order], step).float()
        return functional.normalize(torch.empty_like(codes).index_copy_(0, order, codes), dim=1)

    def _encode(self, layers: Sequence[nn.Module], images: Tensor, step: Step) -> Tensor:
        """Codes of images, [B, dim]. Batch norm sees a group at a time, where it could give away a key."""
        shuffled = self.version != 3 and any(norms_of(layer) for layer in layers)
        groups = split_batch(images, self.groups if shuffled else 1)
        return torch.cat([in_chunks(layers, group, -(-step.loss_chunks // len(groups))) for group in groups])

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        usual = Augmentation(strength=0.5, grey=self.grey, blurred=0.0 if self.version == 1 else 0.5)
        if self.paper_views and self.version == 1:
            usual = replace(usual, jittered=1.0, hue=0.8)
        if self.paper_views and self.version == 3:
            return asymmetric(usual.strength, self.grey)
        return usual, usual

    def _heads(self, transformer: bool) -> tuple[nn.Module, nn.Module]:
        """The projection, and the prediction of version 3."""
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
