"""seq-JEPA: from a few glimpses and the motions between them, the features of the next one are predicted."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Clips
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Share
from embodied_ssl.method import Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import spread
from embodied_ssl.parts.moving import Moving
from embodied_ssl.parts.panels import columns, signed, with_nearest
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.optimization import follow, rising


class SeqJEPA(Moving):
    """seq-JEPA: autoregressive predictive learning of invariant-equivariant world models. Ghaemi et al., NeurIPS 2025.

    Idea: A body takes a few glimpses, one after the other. A transformer aggregates their features and the motions
    between them, and from the aggregate and the next motion the features of the next glimpse are predicted, as a target
    encoder has them that follows slowly. The features of one glimpse learn to move as the body moves; the aggregate
    learns what stays.

    Loss: `1 − cos(p([agg; φ(a_M)]), stop(f'(x_{M+1})))`, with agg the output at an [AGG] token beside the glimpses
    `[f(x_i); φ(a_i)]`, i = 1..M, of which the last has no motion yet, and f' the target encoder.

    Differs: Glimpses are frames of a way or of an orbit, and actions motor signals. Scaled for 32 to 96 px and short
    runs: codes of 64 for a motion for 128, a target momentum of 0.99 for 0.996; the transformer has no dropout. The
    target has the same mean and deviation in each component over the batch (`normalise`); without it the network first
    learns to predict what the features of all images share: on 16 px stripes k-NN of their slope fell from 0.23 to 0.21
    in 160 updates, with it it rose to 0.49. The prediction has no such norm, which would blow up what cannot be
    predicted. The aggregator normalises after its layers and needs a warm-up or a small rate: in 200 updates at once at
    1e-3 the features shrank to two dimensions (k-NN 0.22), after a warm-up of 50 they kept six (0.68). So short runs
    learn what stays; that the motion helps to predict was not seen in them.
    """

    recipe = Recipe(learning_rate=4e-4, weight_decay=1e-3, batch_size=128, steps=2000, warmup=0.1)

    def __init__(
        self,
        encoder: Encoder,
        glimpses: Count = 3,
        stride: Count = 1,
        layers: Count = 3,
        heads: Count = 4,
        action_dim: Count = 64,
        width: Count = 512,
        momentum: Share = 0.99,
        normalise: bool = True,
        jitter: NonNegative = 0.4,
        motor_size: Count | None = None,
    ):
        """An encoder, one that follows it, an aggregator and a predictor.

        Args:
            encoder: what is learned.
            glimpses: M, frames that the prediction is made from.
            stride: frames from one glimpse to the next.
            layers: of the transformer that aggregates them.
            heads: of its attention, or fewer where their number does not divide its width.
            action_dim: of the code of a motion.
            width: of the hidden layer of the predictor; 1,024 in the paper.
            momentum: with which the target encoder follows at first; it rises to 1.
            normalise: whether the target goes through a batch norm without scale and shift; not in the paper.
            jitter: of the colours of each frame.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        token = encoder.dim + action_dim
        self.aggregate_token = nn.Parameter(torch.zeros(token))
        layer = nn.TransformerEncoderLayer(token, math.gcd(heads, token), 4 * token, dropout=0.0, batch_first=True)
        self.aggregator = nn.TransformerEncoder(layer, layers, nn.LayerNorm(token), enable_nested_tensor=False)
        self.predictor = mlp((token + action_dim, width, encoder.dim))
        self.target_norm = nn.BatchNorm1d(encoder.dim, affine=False) if normalise else nn.Identity()
        self.target_encoder = copy.deepcopy(encoder).requires_grad_(False)

    def take_motions_of(self, size: int) -> nn.Module:
        """φ, the code of a motion."""
        norm = nn.BatchNorm1d(self.action_dim, affine=False)
        self.action_projection = nn.Sequential(nn.Linear(size, self.action_dim, bias=False), norm)
        return self.action_projection

    def stream_options(self) -> dict[str, dict[str, int]]:
        return {"clips": {"length": self.glimpses + 1, "stride": self.stride}}

    def loss(self, clips: Clips, step: Step) -> dict[str, Tensor]:
        predicted, target = self.next_glimpse(self.frames(clips, step), clips.motion)  # [B, D] each
        agreement = torch.cosine_similarity(predicted, target).mean()
        return {"loss": 1 - agreement, "spread": spread(target)}

    def frames(self, clips: Clips, step: Step) -> Tensor:
        """The frames of clips, each with colours of its own: float [B, T, 3, s, s]."""
        images = to_float(clips.images.flatten(0, 1), self.encoder.image_size)  # [B T, 3, s, s]
        if self.jitter:
            images = color_jitter(images, step.rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
        return images.unflatten(0, clips.images.shape[:2])

    def next_glimpse(self, images: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
        """The features of the last frames as they are predicted, and as the target encoder has them; [B, D] each.

        images: float [B, M + 1, 3, s, s]. motion: [B, M, A], from each to the next.
        """
        count, glimpses = motion.shape[:2]
        features = self.encoder(images[:, :-1].flatten(0, 1)).unflatten(0, (count, glimpses))  # [B, M, D]
        actions = self.action_projection(self.standardised(motion).flatten(0, 1)).unflatten(0, (count, glimpses))
        led = functional.pad(actions[:, :-1], (0, 0, 0, 1))  # [B, M, action_dim]: the last one leads nowhere yet
        tokens = torch.cat([features, led.to(features.dtype)], 2)  # [B, M, token]
        tokens = torch.cat([self.aggregate_token.to(tokens.dtype).expand(count, 1, -1), tokens], 1)  # [B, 1 + M, token]
        aggregate = self.aggregator(tokens)[:, 0]  # [B, token]

        predicted = self.predictor(torch.cat([aggregate, actions[:, -1].to(aggregate.dtype)], 1))  # [B, D]
        with torch.no_grad():
            target = self.target_norm(self.target_encoder(images[:, -1]))  # [B, D]
        return predicted.float(), target.float()

    def after_step(self, step: Step) -> None:
        """The target encoder follows."""
        follow(self.target_encoder, self.encoder, rising(self.momentum, step.progress), buffers=False)

    def show(self, clips: Clips, step: Step) -> list[list[Panel]]:
        """The glimpses of each clip, its next one, and those of the batch that are nearest to the prediction."""
        images = to_float(clips.images.flatten(0, 1), self.encoder.image_size).unflatten(0, clips.images.shape[:2])
        predicted, target = (functional.normalize(each, dim=1) for each in self.next_glimpse(images, clips.motion))
        led = [f"after {signed(motion)}" for motion in clips.motion[:, -1].tolist()]
        identity = digest(clips.images[:, -1])
        rows = columns(*((images[:, i], "a glimpse") for i in range(images.shape[1] - 1)), (images[:, -1], led))
        return with_nearest(rows, images[:, -1], predicted @ target.T, identity[:, None] == identity)
