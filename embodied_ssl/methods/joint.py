"""Joint: several methods on one shared encoder, each on its own data."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative
from embodied_ssl.method import Method, Need, Panel, Recipe, Step


class Joint(Method):
    """Any of the methods together: the sum of their losses by weight, as the Curious Robot joins its tasks."""

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=3000)

    def __init__(
        self,
        encoder: Encoder,
        methods: tuple[str, ...] = ("equivariance", "curious_robot"),
        loss_weights: tuple[NonNegative, ...] = (),
        method_settings: dict[str, dict[str, Any]] | None = None,
    ):
        """The streams of a method are named after it: `equivariance.pairs`.

        Args:
            encoder: shared by all.
            methods: by name.
            loss_weights: of their losses, in the same order; none: all 1.
            method_settings: of the methods, by name of the method.
        """
        from embodied_ssl.methods import method_class

        super().__init__(encoder)
        if len(set(methods)) != len(methods) or not methods or len(loss_weights) not in (0, len(methods)):
            raise DataError(
                f"joint: {len(loss_weights)} weights for methods {', '.join(methods)}; name each method once"
            )
        for name in method_settings or {}:
            if name not in methods:
                raise unknown_name("method in method_settings of joint", name, methods)
        self.parts = nn.ModuleDict()
        for name in methods:
            self.parts[name] = part = method_class(name)(encoder, **(method_settings or {}).get(name, {}))
            if part.encoder is not encoder:
                raise DataError(f"joint: {name} takes an encoder of its own kind; share --encoder {part.encoder.name}")
        self.whole_batch = any(part.whole_batch for _, part in self._parts())

    def settings(self) -> dict[str, Any]:
        own = {name: part.settings() for name, part in self._parts()}
        return {"methods": self.methods, "loss_weights": self.loss_weights, "method_settings": own}

    def needs(self) -> dict[str, Need]:
        return {f"{name}.{stream}": need for name, part in self._parts() for stream, need in part.needs().items()}

    def cuts(self) -> dict[str, dict[str, Any]]:
        return {f"{name}.{stream}": cut for name, part in self._parts() for stream, cut in part.cuts().items()}

    def take_shape(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        for name, part in self._parts():
            part.take_shape(_own(name, streams), rng)

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        for name, part in self._parts():
            part.prepare(_own(name, streams), rng)

    def loss(self, *, step: Step, **batches: Batch) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        terms = []
        for (name, part), weight in zip(self._parts(), self.loss_weights or (1.0,) * len(self.methods), strict=True):
            losses = part.loss(**_own(name, batches), step=step)
            terms.append(weight * losses["loss"])
            found |= {f"{name}.{key}": value for key, value in losses.items()}
        return {"loss": torch.stack(terms).sum(), **found}

    def show(self, *, step: Step, **batches: Batch) -> list[list[Panel]]:
        """The rows of each method, its name before the text of their first panels."""
        rows = []
        for name, part in self._parts():
            for first, *others in part.show(**_own(name, batches), step=step):
                text = f"{name.replace('_', ' ')}: {first.text}" if first.text else name.replace("_", " ")
                rows.append([replace(first, text=text), *others])
        return rows

    def after_step(self, step: Step) -> None:
        for _, part in self._parts():
            part.after_step(step)

    def _parts(self) -> list[tuple[str, Method]]:
        return [(name, part) for name, part in self.parts.items() if isinstance(part, Method)]


def _own(name: str, streams: dict[str, Any]) -> dict[str, Any]:
    """Those of a method, by their own names."""
    return {key.removeprefix(f"{name}."): value for key, value in streams.items() if key.startswith(f"{name}.")}
