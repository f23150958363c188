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
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import Tower
from embodied_ssl.parts.interactions import ANGLES, angle_bin, poke_profile, poke_target, push_target
from embodied_ssl.parts.losses import cosine_embedding, mean_where
from embodied_ssl.parts.panels import PREDICTED, TRUE, arrow, columns, curves_chart, with_lines, with_nearest
from embodied_ssl.parts.views import crop_at, to_float, uniform
from embodied_ssl.training.devices.distributed import gather


@dataclass(frozen=True)
class _Task:
    """What a task sends through the trunk, and the losses that it makes of the maps that come back."""

    views: Tensor  # float [N, 3, s, s]
    weight: float
    losses: Callable[[Tensor], dict[str, Tensor]]  # of maps [N, channels, h, w]; the first is minimised


class CuriousRobot(Method):
    """The Curious Robot: learning visual representations via physical interactions. Pinto et al., ECCV 2016.

    Idea: A robot grasps, pushes and pokes objects and looks at them from several sides, and one trunk learns to predict
    what comes of it: at which angles a grasp holds, how an object was pushed, the force that a finger feels, and
    whether two images show the same object. Each task has a small tower of its own on the trunk, whose features have to
    hold shape, material and identity to serve them all.

    Loss: `w_g BCE(grasp at the angle tried) + w_p ‖push − p̂ush‖² + w_k ‖force profile − predicted‖² + w_i cosine
    embedding loss`, sums over the tasks that there are data for.

    Differs: A push is told from windows about it, turned at random, in which objects are as large as in the patches of
    the other tasks; the paper has whole images, of which small ones hardly show what has moved. All tasks of an update
    go through the trunk at once instead of in turn, so that its batch norm sees the same mixture as afterwards. The
    force profile is the slope of a line through the force while it rises, and its peak, in logarithms, for the paper's
    slope and intercept; what a finger slipped off at once has no slope. Negatives of an object are all other objects of
    the batch, and features are compared about their mean.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=3000)
    whole_batch = True  # whose other objects are the negatives of an object

    def __init__(
        self,
        encoder: Encoder,
        crop: SomeShare = 0.3,
        push_crop: SomeShare = 0.5,
        grasp_first: Share = 0.1,
        grasp_weight: NonNegative = 1.0,
        push_weight: NonNegative = 1.0,
        poke_weight: NonNegative = 1.0,
        pair_weight: NonNegative = 1.0,
        margin: NonNegative = 0.2,
        jitter: NonNegative = 0.3,
        hue: Share = 0.05,
    ):
        """A tower for each task on the trunk; any of the tasks can be left out.

        Args:
            encoder: the trunk, shared by all tasks.
            crop: side of the patch about the point of contact, as a share of the image.
            push_crop: side of the windows of both images that a push is told from, as a share of the image.
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
        self.grasp = Tower(encoder.width, ANGLES)
        self.push = Tower(2 * encoder.width, 5)
        self.poke = Tower(encoder.width, 2)
        self.register_buffer("push_mean", torch.zeros(5))
        self.register_buffer("push_std", torch.ones(5))
        self.register_buffer("poke_mean", torch.zeros(2))
        self.register_buffer("poke_std", torch.ones(2))

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and standard deviation of what is regressed, over up to 1,000 interactions."""
        for stream in streams.values():
            batch = stream.batch(rng.permutation(len(stream))[:1000], rng)
            if isinstance(batch, Pushes):
                seen = self._push_windows(batch, torch.Generator().manual_seed(int(rng.integers(2**31))))
                _measure(push_target(batch, *seen), self.push_mean, self.push_std)
            elif isinstance(batch, Pokes):
                _measure(poke_target(batch.force, batch.depth_travelled), self.poke_mean, self.poke_std)

    def loss(
        self,
        step: Step,
        grasps: Grasps | None = None,
        pushes: Pushes | None = None,
        pokes: Pokes | None = None,
        pairs: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        tasks = self._tasks(step, grasps, pushes, pokes, pairs)
        if not tasks:
            raise DataError("curious_robot was given no data; name a data set for one of grasps, pushes, pokes, pairs")

        # All through the trunk at once: its batch norm then sees while training what it sees afterwards, a mixture.
        views = torch.cat([task.views for task in tasks])  # [N, 3, s, s]
        maps = self._trunk(views, step.loss_chunks)  # [N, channels, h, w]

        found: dict[str, Tensor] = {}
        terms: list[Tensor] = []
        for task, own in zip(tasks, maps.split([len(task.views) for task in tasks]), strict=True):
            losses = task.losses(own)
            terms.append(task.weight * next(iter(losses.values())))
            found |= losses
        return {"loss": torch.stack(terms).sum(), **found}

    def _tasks(
        self, step: Step, grasps: Grasps | None, pushes: Pushes | None, pokes: Pokes | None, pairs: ObjectPairs | None
    ) -> list[_Task]:
        """The tasks of an update: at first, if there are grasps, grasping alone."""
        found = [self._grasp_task(grasps, step.rng)] if grasps is not None else []
        if grasps is not None and step.progress < self.grasp_first:
            return found
        found += [self._push_task(pushes, step.rng)] if pushes is not None else []
        found += [self._poke_task(pokes, step.rng)] if pokes is not None else []
        return found + ([self._identity_task(pairs, step.rng)] if pairs is not None else [])

    def _grasp_task(self, grasps: Grasps, rng: torch.Generator) -> _Task:
        """Binary cross-entropy on the angle that was tried alone (section 4.1); patches are rotated at random."""
        turn = uniform(len(grasps), -math.pi, math.pi, rng)  # [B], rad

        def losses(maps: Tensor) -> dict[str, Tensor]:
            logits = self.grasp(maps)  # [B, 18]
            tried = angle_bin(grasps.angle - turn)  # [B]
            logit = logits.gather(1, tried[:, None]).squeeze(1).float()  # [B]
            loss = functional.binary_cross_entropy_with_logits(logit, grasps.success.float())
            return {"grasp": loss, "grasp_accuracy": ((logit > 0) == grasps.success).float().mean()}

        return _Task(self._patches(grasps.images, grasps.pixel, rng, turn), self.grasp_weight, losses)

    def _push_task(self, pushes: Pushes, rng: torch.Generator) -> _Task:
        """ℓ2 on start, direction and length of the push, from windows of the images before and after."""
        middle, side, turn = self._push_windows(pushes, rng)
        views = [
            crop_at(images, middle, side, self.encoder.image_size, turn) for images in (pushes.before, pushes.after)
        ]

        def losses(maps: Tensor) -> dict[str, Tensor]:
            both = torch.cat(maps.chunk(2), 1)  # [B, 2 · channels, h, w]
            target = (push_target(pushes, middle, side, turn) - self.push_mean) / self.push_std  # [B, 5]
            return {"push": functional.mse_loss(self.push(both).float(), target)}

        return _Task(torch.cat(views), self.push_weight, losses)

    def _push_windows(self, pushes: Pushes, rng: torch.Generator) -> tuple[Tensor, float, Tensor]:
        """Middle [B, 2] (px), side (px) and turn [B] (rad) of windows with the start somewhere in their inner half."""
        side = self.push_crop * pushes.before.shape[-1]
        away = torch.stack([uniform(len(pushes), -side / 4, side / 4, rng) for _ in range(2)], 1)  # [B, 2], px
        return pushes.start_pixel + away, side, uniform(len(pushes), -math.pi, math.pi, rng)

    def _poke_task(self, pokes: Pokes, rng: torch.Generator) -> _Task:
        """ℓ2 on the parameters of the force profile."""
        turn = uniform(len(pokes), -math.pi, math.pi, rng)

        def losses(maps: Tensor) -> dict[str, Tensor]:
            target = (poke_target(pokes.force, pokes.depth_travelled) - self.poke_mean) / self.poke_std  # [B, 2]
            known = target.isfinite()  # all but the stiffness of what a finger slipped off
            away = (self.poke(maps).float() - target.nan_to_num()).square() * known  # [B, 2]
            return {"poke": away.mean()}  # over all, so that parts of a batch add up to it

        return _Task(self._patches(pokes.images, pokes.pixel, rng, turn), self.poke_weight, losses)

    def _identity_task(self, pairs: ObjectPairs, rng: torch.Generator) -> _Task:
        """Cosine embedding loss: an object is like itself in another pose, and unlike the others of the batch."""
        views = [
            self._patches(images, pixel, rng, uniform(len(pairs), -math.pi, math.pi, rng))
            for images, pixel in ((pairs.first, pairs.first_pixel), (pairs.second, pairs.second_pixel))
        ]

        def losses(maps: Tensor) -> dict[str, Tensor]:
            features = self._pool(maps).float()  # [2 B, D]
            first, second = (gather(each) for each in features.chunk(2))  # [world · B, D]
            # Rectified features are all alike, but for what they are about their mean.
            mean = torch.cat([first, second]).mean(0)  # [D]
            objects = gather(pairs.object)
            same = objects[:, None] == objects  # [world · B, world · B]
            terms = cosine_embedding((first - mean)[:, None], second - mean, same, self.margin)
            return {"identity": mean_where(terms, same) + mean_where(terms, ~same)}

        return _Task(torch.cat(views), self.pair_weight, losses)

    def _trunk(self, views: Tensor, chunks: int) -> Tensor:
        """The last maps of views [N, 3, s, s], in chunks that are each a mixture of all tasks as the whole is."""
        if chunks == 1:
            return self.encoder.last_maps(views)
        order = torch.cat([torch.arange(chunk, len(views), chunks, device=views.device) for chunk in range(chunks)])
        return in_chunks((self.encoder.last_maps,), views[order], chunks)[order.argsort()]

    def _pool(self, maps: Tensor) -> Tensor:
        """The trunk's features [N, D] of its last maps."""
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
        return self.poke(self.encoder.last_maps(views)).float() * self.poke_std + self.poke_mean

    @torch.no_grad()
    def predict_push(self, before: Tensor, after: Tensor, middle: Tensor) -> Tensor:
        """Start (px), direction (cosine, sine), length (m) of pushes in windows about `middle` [B, 2] (px), [B, 5]."""
        side = self.push_crop * before.shape[-1]
        maps = [
            self.encoder.last_maps(crop_at(images, middle, side, self.encoder.image_size)) for images in (before, after)
        ]
        found = self.push(torch.cat(maps, 1)).float() * self.push_std + self.push_mean
        return torch.cat([middle + found[:, :2] * side, found[:, 2:]], 1)

    def show(
        self,
        step: Step,
        grasps: Grasps | None = None,
        pushes: Pushes | None = None,
        pokes: Pokes | None = None,
        pairs: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """How likely grasps are to hold; pushes and forces as they were and as predicted; objects seen again."""
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
        middle, side = (pushes.start_pixel + pushes.end_pixel) / 2, pushes.before.shape[-1]
        predicted = self.predict_push(pushes.before, pushes.after, middle)
        predicted[:, :2] /= side
        lengths = (pushes.end - pushes.start)[:, :2].norm(dim=1)  # m
        shares = (
            (pushes.end_pixel - pushes.start_pixel).norm(dim=1) / side / lengths.clamp(min=1e-6)
        )  # of the side, 1/m
        ends = predicted[:, :2] + functional.normalize(predicted[:, 2:4], dim=1) * (predicted[:, 4] * shares)[:, None]
        rows = columns((to_float(pushes.before), "before the push"), (to_float(pushes.after), "after it"))
        for i, row in enumerate(rows):
            was = arrow((pushes.start_pixel[i] / side).tolist(), (pushes.end_pixel[i] / side).tolist())
            lines = [(was, TRUE, 3.0), (arrow(predicted[i, :2].tolist(), ends[i].tolist()), PREDICTED, 3.0)]
            text = f"pushed {100 * lengths[i]:.1f} cm, predicted {100 * predicted[i, 4]:.1f} cm"
            row.append(Panel(with_lines(row[0].image, lines), text))
        return rows

    def _show_pokes(self, pokes: Pokes) -> list[list[Panel]]:
        """Where the finger came down, and the force over the depth; blue as it was felt, orange as predicted."""
        predicted = poke_profile(self.predict_poke(pokes.images, pokes.pixel), pokes.depth_travelled)
        rows = columns((self._patch(pokes.images, pokes.pixel), "the finger comes down in the middle"))
        for row, depth, felt, expected in zip(
            rows, pokes.depth_travelled.clamp(min=0), pokes.force, predicted, strict=False
        ):
            most = max(float(felt.amax()), float(expected.amax()), 1e-3)
            curves = [(depth.tolist(), felt.tolist(), TRUE), (depth.tolist(), expected.tolist(), PREDICTED)]
            chart = curves_chart(curves, max(float(depth.amax()), 1e-6), most)
            row.append(Panel(chart, f"force over depth: {felt.amax():.1f} N felt, {expected.amax():.1f} N predicted"))
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


def _measure(values: Tensor, mean: Tensor, std: Tensor) -> None:
    """Fill buffers [D] with mean and standard deviation of values [N, D], those that are not NaN."""
    mean.copy_(values.nanmean(0).nan_to_num())
    deviation = (values - mean).square().nanmean(0).sqrt().nan_to_num()
    std.copy_(torch.where(deviation > 1e-4, deviation, 1.0))  # rounding is not blown up
