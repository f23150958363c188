"""Temporal order: tell whether three frames of a video stand in their order."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import Clips
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Several
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import Tower, mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.panels import ROWS
from embodied_ssl.parts.views import chosen, color_jitter, to_float

FRAMES = 5
ORDERED = 1 / 4  # of the tuples stand in order: one that is likelier in order than this is said to be
MIDDLE, BEFORE, BEHIND = 2, 0, 4  # of the window a … e: what stands between b and d in a positive and in negatives

By = Literal["flow", "energy", "ego"]


class TemporalOrder(Method):
    """Shuffle and learn: unsupervised learning using temporal order verification. Misra, Zitnick & Hebert, ECCV 2016.

    Five evenly spaced frames a < b < c < d < e. In order: (b, c, d); out of order: (b, a, d) and (b, e, d), three for
    each one in order; every tuple may run backwards. Windows are drawn from the clips of a batch in proportion to the
    motion in them, by optical flow where it is logged and by the difference of frames where not. A body also knows how
    it moved: with `by="ego"` that is what windows are drawn by, the control that videos without a body do not allow.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    whole_batch = True  # of which windows are drawn

    def __init__(
        self, encoder: Encoder, by: By = "flow", spacing: Count = 2, places: Several = 4, jitter: NonNegative = 0.0
    ):
        """Three tied towers whose codes are joined.

        Args:
            encoder: what is learned.
            by: what counts as motion: `flow`, `energy` (mean squared difference of frames), or `ego` (the body's own).
            spacing: frames from each of the five to the next.
            places: how many windows a clip has.
            jitter: of the colours of each frame; the paper has none.
        """
        super().__init__(encoder)
        self.code = Tower(encoder.width, 128)
        self.head = mlp((3 * 128, 128, 2))
        self.register_buffer("scale", torch.ones(2))

    def stream_options(self) -> dict[str, dict[str, int | bool]]:
        length = (FRAMES - 1) * self.spacing + self.places
        return {"clips": {"length": length, "flow": self.by == "flow"}}

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The spread of the components of the body's motion, to weigh them alike."""
        clips = streams["clips"]
        batch = clips.batch(rng.permutation(len(clips))[:500], rng)
        assert isinstance(batch, Clips)
        self.scale.copy_(batch.motion.flatten(0, 1).square().mean(0).sqrt() + 1e-6)

    def loss(self, clips: Clips, step: Step) -> dict[str, Tensor]:
        frames = self.windows(clips, step.rng)
        tuples = order_tuples(len(frames), step.rng)
        logits = self._classify(self._codes(frames, step), tuples)
        target = torch.tensor([1, 0, 0, 0], device=logits.device).repeat(len(frames))
        right = (said_ordered(logits) == target.bool()).float()
        balanced = (right[target == 1].mean() + right[target == 0].mean()) / 2
        return {"loss": cross_entropy(logits, target), "balanced_accuracy": balanced}

    def windows(self, clips: Clips, rng: torch.Generator) -> Tensor:
        """As many windows as clips, uint8 [B, 5, 3, H, W], of all those in the batch in proportion to their motion."""
        span = (FRAMES - 1) * self.spacing
        motion = self.motion(clips).unfold(1, span, 1).mean(2)  # [B, places]
        drawn = torch.multinomial(motion.flatten() + 1e-9, len(clips), generator=rng)
        clip, first = drawn // motion.shape[1], drawn % motion.shape[1]
        rows = first[:, None] + torch.arange(FRAMES, device=drawn.device) * self.spacing
        return clips.images[clip[:, None], rows]

    def motion(self, clips: Clips) -> Tensor:
        """How much moves from each frame to the next, float [B, T − 1]."""
        if self.by == "ego":
            return (clips.motion / self.scale).norm(dim=2)
        if self.by == "flow" and not clips.flow.isnan().any():
            return clips.flow
        small = to_float(clips.images.flatten(0, 1), 16).unflatten(0, clips.images.shape[:2])
        return small.diff(dim=1).square().mean((2, 3, 4))

    def show(self, clips: Clips, step: Step) -> list[list[Panel]]:
        """Tuples in and out of order, and what was said of each."""
        frames = self.windows(clips, step.rng)
        tuples = order_tuples(len(frames), step.rng)
        said = said_ordered(self._classify(self._codes(frames, step), tuples)).view(-1, 4)
        rows = []
        for number in range(min(ROWS, len(frames))):
            which = number % 2  # one in order, one out of it, in turn
            true, answer = which == 0, bool(said[number, which])
            panels = [Panel(frames[number, place] / 255) for place in tuples[number, which].tolist()]
            text = ("in order" if true else "out of order") + ("" if answer == true else ", taken for the other")
            rows.append([*panels[:2], Panel(panels[2].image, text, answer == true)])
        return rows

    def _codes(self, frames: Tensor, step: Step) -> Tensor:
        """Each frame once, whatever the number of tuples that it is in: [B, 5, code]."""
        images = to_float(frames.flatten(0, 1), self.encoder.image_size)
        if self.training and self.jitter:
            images = color_jitter(images, step.rng, self.jitter, self.jitter, self.jitter, self.jitter / 4)
        codes = in_chunks((self.encoder.last_maps, self.code), images, step.loss_chunks)
        return codes.relu().unflatten(0, (-1, FRAMES))

    def _classify(self, codes: Tensor, tuples: Tensor) -> Tensor:
        window = torch.arange(len(codes), device=codes.device)[:, None, None]
        return self.head(codes[window, tuples].flatten(2).flatten(0, 1))  # [B · 4, 2]


def said_ordered(logits: Tensor) -> Tensor:
    """Which tuples of logits [N, 2] are said to stand in order, bool [N]: chance is a half of each kind."""
    return logits.softmax(1)[:, 1] > ORDERED


def order_tuples(count: int, rng: torch.Generator) -> Tensor:
    """Four tuples of each of `count` windows, int64 [count, 4, 3]: one in order, then three out of it.

    Between b and d stands c; then a; then e; then one of these two. Each may run backwards.
    """
    either = torch.where(chosen(count, 0.5, rng), BEFORE, BEHIND)
    middle = torch.tensor([MIDDLE, BEFORE, BEHIND, 0], device=either.device).repeat(count, 1)
    middle[:, 3] = either
    backwards = chosen(4 * count, 0.5, rng).view(count, 4).long()
    return torch.stack([1 + 2 * backwards, middle, 3 - 2 * backwards], 2)
