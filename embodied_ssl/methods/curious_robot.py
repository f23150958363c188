"""The Curious Robot: one trunk learned from grasping, pushing, poking, and seeing an object again."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Grasps, ObjectPairs, Pokes, Pushes
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Share, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import Tower
from embodied_ssl.parts.losses import cosine_embedding, mean_where
from embodied_ssl.parts.panels import PREDICTED, TRUE, arrow, columns, curves_chart, with_lines, with_nearest
from embodied_ssl.parts.views import color_jitter, crop_at, to_float, uniform
from embodied_ssl.training.distributed import gather

ANGLES = 18


@dataclass(frozen=True)
class _Task:
    """What a task sends through the trunk, and what it makes of the maps that come back."""

    views: Tensor  # float [N, 3, S, S]
    weight: float
    loss: Callable[[Tensor], dict[str, Tensor]]  # the first is minimised


class CuriousRobot(Method):
    """The Curious Robot: learning visual representations via physical interactions. Pinto et al., ECCV 2016."""

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=3000)
    whole_batch = True  # the other objects of which are what an object is to be unlike

    def __init__(
        self,
        encoder: Encoder,
        crop: SomeShare = 0.3,
        grasp_first: Share = 0.1,
        grasp_weight: NonNegative = 1.0,
        push_weight: NonNegative = 1.0,
        poke_weight: NonNegative = 1.0,
        pair_weight: NonNegative = 1.0,
        margin: NonNegative = 0.2,
        jitter: NonNegative = 0.3,
        hue: Share = 0.05,
    ):
        """One trunk, a tower for each task; any of the tasks can be left out.

        Args:
            encoder: the trunk, shared by all tasks.
            crop: side of the patch about the point of contact, as a share of the image.
            grasp_first: share of the training in which grasping, where there is any, is learned alone.
            grasp_weight: of the grasp loss.
            push_weight: of the push loss.
            poke_weight: of the poke loss.
            pair_weight: of the identity loss.
            margin: cosine similarity up to which images of different objects cost nothing.
            jitter: of brightness, contrast and saturation of the patches.
            hue: of their colours, in turns.
        """
        super().__init__(encoder)
        channels = list(encoder.channels.values())[-1]
        self.grasp, self.push, self.poke = Tower(channels, ANGLES), Tower(2 * channels, 5), Tower(channels, 2)
        for name, size in (("push", 5), ("poke", 2)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and spread of what is regressed, over up to 1,000 interactions."""
        for stream in streams.values():
            batch = stream.batch(rng.permutation(len(stream))[:1000], rng)
            if isinstance(batch, Pushes):
                _measure(push_target(batch), self.push_mean, self.push_scale)
            elif isinstance(batch, Pokes):
                _measure(poke_target(batch), self.poke_mean, self.poke_scale)

    def loss(
        self,
        step: Step,
        grasps: Grasps | None = None,
        pushes: Pushes | None = None,
        pokes: Pokes | None = None,
        pairs: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        tasks: list[_Task] = []
        if grasps is not None:
            tasks.append(self._grasp(grasps, step.rng))
        if grasps is None or step.progress >= self.grasp_first:
            tasks += [self._push(pushes)] if pushes is not None else []
            tasks += [self._poke(pokes, step.rng)] if pokes is not None else []
            tasks += [self._identity(pairs, step.rng)] if pairs is not None else []
        if not tasks:
            raise DataError("curious_robot was given no data; name a data set for one of grasps, pushes, pokes, pairs")
        # All through the trunk at once: its batch norm then sees while training what it sees afterwards, a mixture.
        maps = self._in_parts(torch.cat([task.views for task in tasks]), step.loss_chunks)
        found: dict[str, Tensor] = {}
        terms: list[Tensor] = []
        for task, own in zip(tasks, maps.split([len(task.views) for task in tasks]), strict=True):
            losses = task.loss(own)
            terms.append(task.weight * next(iter(losses.values())))
            found |= losses
        return {"loss": torch.stack(terms).sum(), **found}

    def _grasp(self, grasps: Grasps, rng: torch.Generator) -> "_Task":
        """Binary cross-entropy on the angle that was tried alone (section 4.1); patches are turned at random."""
        turn = uniform(len(grasps), -math.pi, math.pi, rng)

        def loss(maps: Tensor) -> dict[str, Tensor]:
            tried = self.grasp(maps).gather(1, angle_bin(grasps.angle - turn)[:, None]).squeeze(1).float()
            accuracy = ((tried > 0) == grasps.success).float().mean()
            entropy = functional.binary_cross_entropy_with_logits(tried, grasps.success.float())
            return {"grasp": entropy, "grasp_accuracy": accuracy}

        return _Task(self._patches(grasps.images, grasps.pixel, rng, turn), self.grasp_weight, loss)

    def _push(self, pushes: Pushes) -> "_Task":
        """ℓ2 on start, direction and length of the push, from the images before and after."""
        views = to_float(torch.cat([pushes.before, pushes.after]), self.encoder.image_size)

        def loss(maps: Tensor) -> dict[str, Tensor]:
            predicted = self.push(torch.cat(maps.chunk(2), 1)).float()
            return {"push": functional.mse_loss(predicted, (push_target(pushes) - self.push_mean) / self.push_scale)}

        return _Task(views, self.push_weight, loss)

    def _poke(self, pokes: Pokes, rng: torch.Generator) -> "_Task":
        """ℓ2 on the parameters of the force profile."""
        turn = uniform(len(pokes), -math.pi, math.pi, rng)

        def loss(maps: Tensor) -> dict[str, Tensor]:
            target = (poke_target(pokes) - self.poke_mean) / self.poke_scale
            return {"poke": functional.mse_loss(self.poke(maps).float(), target)}

        return _Task(self._patches(pokes.images, pokes.pixel, rng, turn), self.poke_weight, loss)

    def _identity(self, pairs: ObjectPairs, rng: torch.Generator) -> "_Task":
        """Cosine embedding loss: an object is like itself in another pose, and unlike the others of the batch."""
        views = [
            self._patches(images, pixel, rng, uniform(len(pairs), -math.pi, math.pi, rng))
            for images, pixel in ((pairs.first, pairs.first_pixel), (pairs.second, pairs.second_pixel))
        ]

        def loss(maps: Tensor) -> dict[str, Tensor]:
            features = self._pool(maps).float()
            first, second = (gather(each) for each in features.chunk(2))
            middle = torch.cat([first, second]).mean(0)  # rectified ones are all alike, but for what they are about it
            things = gather(pairs.object)
            same = things[:, None] == things
            terms = cosine_embedding((first - middle)[:, None], second - middle, same, self.margin)
            return {"identity": mean_where(terms, same) + mean_where(terms, ~same)}

        return _Task(torch.cat(views), self.pair_weight, loss)

    def _in_parts(self, views: Tensor, parts: int) -> Tensor:
        """The last maps of views, of which each part is a mixture of all tasks as the whole is."""
        if parts == 1:
            return self.encoder.last_maps(views)
        order = torch.cat([torch.arange(part, len(views), parts, device=views.device) for part in range(parts)])
        return in_chunks((self.encoder.last_maps,), views[order], parts)[order.argsort()]

    def _pool(self, maps: Tensor) -> Tensor:
        """The trunk's features, which are what is kept, of its last maps."""
        return self.encoder.pool({next(reversed(self.encoder.channels)): maps})

    def _patches(self, images: Tensor, pixel: Tensor, rng: torch.Generator, turn: Tensor) -> Tensor:
        patches = crop_at(images, pixel, self.crop * images.shape[-1], self.encoder.image_size, turn)
        return color_jitter(patches, rng, self.jitter, self.jitter, self.jitter, self.hue) if self.training else patches

    @torch.no_grad()
    def predict_grasp(self, images: Tensor, pixel: Tensor) -> Tensor:
        """How likely a grasp at `pixel` [B, 2] holds at each of the angles, float [B, 18]; in evaluation mode."""
        still = torch.zeros(len(images), device=images.device)
        views = crop_at(images, pixel, self.crop * images.shape[-1], self.encoder.image_size, still)
        return self.grasp(self.encoder.last_maps(views)).float().sigmoid()

    @torch.no_grad()
    def predict_poke(self, images: Tensor, pixel: Tensor) -> Tensor:
        """Logarithms of stiffness (N/m) and of the largest force (N) of a poke at `pixel`, float [B, 2]."""
        views = crop_at(images, pixel, self.crop * images.shape[-1], self.encoder.image_size)
        return self.poke(self.encoder.last_maps(views)).float() * self.poke_scale + self.poke_mean

    @torch.no_grad()
    def predict_push(self, before: Tensor, after: Tensor) -> Tensor:
        """Start, direction and length of pushes as `push_target` has them, from both images, float [B, 5]."""
        maps = self.encoder.last_maps(to_float(torch.cat([before, after]), self.encoder.image_size))
        return self.push(torch.cat(maps.chunk(2), 1)).float() * self.push_scale + self.push_mean

    def show(
        self,
        step: Step,
        grasps: Grasps | None = None,
        pushes: Pushes | None = None,
        pokes: Pokes | None = None,
        pairs: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Where and how grasps would hold, pushes and forces as they were and as predicted, objects seen again."""
        rows = self._show_grasps(grasps) if grasps is not None else []
        rows += self._show_pushes(pushes) if pushes is not None else []
        rows += self._show_pokes(pokes) if pokes is not None else []
        return rows + (self._show_pairs(pairs) if pairs is not None else [])

    def _show_grasps(self, grasps: Grasps) -> list[list[Panel]]:
        """The longer the line at an angle, the likelier it holds; blue is the angle that was tried."""
        likely = self.predict_grasp(grasps.images, grasps.pixel)
        rows = columns((self._patch(grasps.images, grasps.pixel), "the grasp is in the middle"))
        tried = angle_bin(grasps.angle).tolist()
        for row, each, own, held in zip(rows, likely.tolist(), tried, grasps.success.tolist(), strict=False):
            lines = []
            for angle in [*(set(range(ANGLES)) - {own}), own]:  # that one on top
                turn, reach = math.pi * angle / ANGLES, 0.08 + 0.4 * each[angle]
                u, v = reach * math.cos(turn), reach * math.sin(turn)
                ends = ((0.5 - u, 0.5 - v), (0.5 + u, 0.5 + v))
                lines.append((ends, TRUE if angle == own else PREDICTED, 2.0))
            text = f"{each[own]:.0%} at the angle tried, {'held' if held else 'not held'}; at best {max(each):.0%}"
            row.append(Panel(with_lines(row[0].image, lines), text, (each[own] > 0.5) == held))
        return rows

    def _show_pushes(self, pushes: Pushes) -> list[list[Panel]]:
        """Images before and after; blue is the way of the fingertip, orange the one that is predicted from them."""
        told, side = self.predict_push(pushes.before, pushes.after), pushes.before.shape[-1]
        lengths = (pushes.end - pushes.start)[:, :2].norm(dim=1)  # m
        shares = (
            (pushes.end_pixel - pushes.start_pixel).norm(dim=1) / side / lengths.clamp(min=1e-6)
        )  # of the side, 1/m
        ends = told[:, :2] + functional.normalize(told[:, 2:4], dim=1) * (told[:, 4] * shares)[:, None]
        rows = columns((to_float(pushes.before), "before the push"), (to_float(pushes.after), "after it"))
        for i, row in enumerate(rows):
            was = arrow((pushes.start_pixel[i] / side).tolist(), (pushes.end_pixel[i] / side).tolist())
            lines = [(was, TRUE, 3.0), (arrow(told[i, :2].tolist(), ends[i].tolist()), PREDICTED, 3.0)]
            text = f"pushed {100 * lengths[i]:.1f} cm, predicted {100 * told[i, 4]:.1f} cm"
            row.append(Panel(with_lines(row[0].image, lines), text))
        return rows

    def _show_pokes(self, pokes: Pokes) -> list[list[Panel]]:
        """Where the finger came down, and the force over the depth; blue as it was felt, orange as predicted."""
        predicted = poke_profile(self.predict_poke(pokes.images, pokes.pixel), pokes.depth_travelled)
        rows = columns((self._patch(pokes.images, pokes.pixel), "the finger comes down in the middle"))
        for row, depth, felt, told in zip(
            rows, pokes.depth_travelled.clamp(min=0), pokes.force, predicted, strict=False
        ):
            most = max(float(felt.amax()), float(told.amax()), 1e-3)
            curves = [(depth.tolist(), felt.tolist(), TRUE), (depth.tolist(), told.tolist(), PREDICTED)]
            chart = curves_chart(curves, max(float(depth.amax()), 1e-6), most)
            row.append(Panel(chart, f"force over depth: {felt.amax():.1f} N felt, {told.amax():.1f} N predicted"))
        return rows

    def _show_pairs(self, pairs: ObjectPairs) -> list[list[Panel]]:
        """Two images of each object, and those of the batch that are nearest to the first."""
        first = self._patch(pairs.first, pairs.first_pixel)
        second = self._patch(pairs.second, pairs.second_pixel)
        features = self.encoder(torch.cat([first, second])).float()
        query, key = functional.normalize(features - features.mean(0), dim=1).chunk(2)
        right = pairs.object[:, None] == pairs.object
        return with_nearest(columns((first, "an object"), (second, "the same object")), second, query @ key.T, right)

    def _patch(self, images: Tensor, pixel: Tensor) -> Tensor:
        """The patch about the point of contact, upright."""
        return crop_at(images, pixel, self.crop * images.shape[-1], self.encoder.image_size)


def _measure(values: Tensor, mean: Tensor, scale: Tensor) -> None:
    mean.copy_(values.mean(0))
    deviation = values.std(0, correction=0)
    scale.copy_(torch.where(deviation > 1e-4, deviation, 1.0))  # rounding is not blown up


def angle_bin(angle: Tensor) -> Tensor:
    """Which of the 18 angles 0°, 10° … 170° is nearest to a closing direction (rad), modulo a half turn."""
    return torch.round(angle / math.pi * ANGLES).long() % ANGLES


def push_target(pushes: Pushes) -> Tensor:
    """Start in the image (as a share of it), direction (cosine, sine) and length (m) of pushes, [B, 5]."""
    path = (pushes.end - pushes.start)[:, :2]
    length = path.norm(dim=1, keepdim=True)
    direction = functional.normalize(pushes.end_pixel - pushes.start_pixel, dim=1)
    return torch.cat([pushes.start_pixel / pushes.before.shape[-1], direction, length], 1)


def poke_profile(parameters: Tensor, depth: Tensor) -> Tensor:
    """The force (N) over depths [B, T] (m) of pokes of logarithms of slope and peak [B, 2]: a line up to the peak."""
    slope, peak = parameters.exp().unbind(1)
    return torch.minimum(slope[:, None] * depth.clamp(min=0), peak[:, None])


def poke_target(pokes: Pokes) -> Tensor:
    """Logarithms of the slope (N/m) of the line through 0 fitted to the force over the depth, and of its peak, [B, 2].

    The paper regresses slope and intercept of a line. The depth here is that since contact, so that the line starts at
    0; the peak tells what a hard object does, which stops the finger at once: depths count as at least 0.1 mm. Both
    span decades, hence logarithms.
    """
    touching = pokes.force > 0.1
    depth = pokes.depth_travelled.clamp(min=1e-4) * touching
    slope = (depth * pokes.force).sum(1) / depth.square().sum(1).clamp(min=1e-12)
    return torch.stack([slope.clamp(10, 1e6).log(), pokes.force.amax(1).clamp(min=0.1).log()], 1)
