"""Temporal order: decide whether three frames of a video are in their order."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import Clips
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Several
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import Tower, mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.motions import MOTOR_SIZE, motor_size_of
from embodied_ssl.parts.panels import ROWS
from embodied_ssl.parts.views import chosen, to_float

FRAMES = 5
ORDERED = 1 / 4  # of the tuples are in order: one that is more likely so than this counts as predicted in order
MIDDLE, BEFORE, BEHIND = 2, 0, 4  # c, a and e of the window: what is between b and d in a positive, and in negatives


class TemporalOrder(Method):
    """Shuffle and learn: unsupervised learning using temporal order verification. Misra, Zitnick & Hebert, ECCV 2016.

    Idea: Of three frames of a video a network decides whether they are in their order. Of five evenly spaced frames
    a < b < c < d < e, (b, c, d) is in order, (b, a, d) and (b, e, d) are not; every tuple may run backwards. To decide
    it, the features have to hold how objects and bodies move.

    Loss: `−log softmax(h(z_1, z_2, z_3))[in order or not]`, cross-entropy, three tuples out of order for each one in
    order.

    Differs: Windows are drawn from the clips of a batch in proportion to the motion in them, by optical flow where it
    is logged and by the difference of frames where not. A body also knows how it moved: with `sample_by="ego"` windows
    are drawn by that, a control that videos without a body do not allow.
    """

    motor_size: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    whole_batch = True  # of which windows are drawn

    def __init__(
        self,
        encoder: Encoder,
        sample_by: Literal["flow", "energy", "ego"] = "flow",
        spacing: Count = 2,
        windows_per_clip: Several = 4,
        jitter: NonNegative = 0.0,
        motor_size: Count | None = None,
    ):
        """Three tied towers whose codes are joined.

        Args:
            encoder: what is learned.
            sample_by: the motion by which windows are drawn: `flow`, `energy` (mean squared difference of frames), or
                `ego` (the body's own).
            spacing: frames from each of the five to the next.
            windows_per_clip: how many windows of five frames a clip has.
            jitter: of the colours of each frame; the paper has none.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.code = Tower(encoder.width, 128)
        self.head = mlp((3 * 128, 128, 2))
        self.register_buffer("motion_scale", torch.ones(motor_size or MOTOR_SIZE))

    def stream_options(self) -> dict[str, dict[str, int | bool]]:
        length = (FRAMES - 1) * self.spacing + self.windows_per_clip
        return {"clips": {"length": length, "flow": self.sample_by == "flow"}}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion."""
        self.motor_size = motor_size_of(streams["clips"], self.motor_size)
        self.motion_scale = torch.ones(self.motor_size)

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The root mean square of each component of the body's motion, to weigh them alike."""
        clips = streams["clips"]
        batch = clips.batch(rng.permutation(len(clips))[:500], rng)
        assert isinstance(batch, Clips)
        self.motion_scale.copy_(batch.motion.flatten(0, 1).square().mean(0).sqrt() + 1e-6)

    def loss(self, clips: Clips, step: Step) -> dict[str, Tensor]:
        frames = self.sample_windows(clips, step.rng)  # [B, 5, 3, H, W]
        tuples = order_tuples(len(frames), step.rng)  # [B, 4, 3]
        logits = self._classify(self._codes(frames, step), tuples)  # [4 B, 2]
        target = torch.tensor([1, 0, 0, 0], device=logits.device).repeat(len(frames))  # [4 B]
        right = (predicted_ordered(logits) == target.bool()).float()
        balanced = (right[target == 1].mean() + right[target == 0].mean()) / 2
        return {"loss": cross_entropy(logits, target), "balanced_accuracy": balanced}

    def sample_windows(self, clips: Clips, rng: torch.Generator) -> Tensor:
        """As many windows as clips, uint8 [B, 5, 3, H, W], of all those in the batch in proportion to their motion."""
        span = (FRAMES - 1) * self.spacing
        motion = self.motion(clips).unfold(1, span, 1).mean(2)  # [B, windows_per_clip]
        drawn = torch.multinomial(motion.flatten() + 1e-9, len(clips), generator=rng)  # [B]
        clip = drawn // motion.shape[1]
        first = drawn % motion.shape[1]
        rows = first[:, None] + torch.arange(FRAMES, device=drawn.device) * self.spacing  # [B, 5]
        return clips.images[clip[:, None], rows]

    def motion(self, clips: Clips) -> Tensor:
        """How much moves from each frame to the next, float [B, T − 1]."""
        if self.sample_by == "ego":
            return (clips.motion / self.motion_scale).norm(dim=2)
        if self.sample_by == "flow" and not clips.flow.isnan().any():
            return clips.flow
        small = to_float(clips.images.flatten(0, 1), 16).unflatten(0, clips.images.shape[:2])
        return small.diff(dim=1).square().mean((2, 3, 4))

    def show(self, clips: Clips, step: Step) -> list[list[Panel]]:
        """Tuples in and out of order, and what was predicted for each."""
        frames = self.sample_windows(clips, step.rng)
        tuples = order_tuples(len(frames), step.rng)
        predicted = predicted_ordered(self._classify(self._codes(frames, step), tuples)).view(-1, 4)
        rows = []
        for number in range(min(ROWS, len(frames))):
            which = number % 2  # one in order, one out of it, in turn
            true, answer = which == 0, bool(predicted[number, which])
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


def predicted_ordered(logits: Tensor) -> Tensor:
    """Which tuples of logits [N, 2] are predicted to be in order, bool [N]: at chance half of those of each kind."""
    return logits.softmax(1)[:, 1] > ORDERED


def order_tuples(count: int, rng: torch.Generator) -> Tensor:
    """Four tuples of each of `count` windows, int64 [count, 4, 3]: one in order, then three out of it.

    Between b and d is c; then a; then e; then one of these two. Each may run backwards.
    """
    either = torch.where(chosen(count, 0.5, rng), BEFORE, BEHIND)  # [count]
    middle = torch.tensor([MIDDLE, BEFORE, BEHIND, 0], device=either.device).repeat(count, 1)  # [count, 4]
    middle[:, 3] = either
    backwards = chosen(4 * count, 0.5, rng).view(count, 4).long()  # [count, 4]
    return torch.stack([1 + 2 * backwards, middle, 3 - 2 * backwards], 2)
