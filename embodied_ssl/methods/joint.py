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
from embodied_ssl.method import Method, Panel, Recipe, Step, StreamSpec, checked_losses


class Joint(Method):
    """Any of the methods together, as the Curious Robot joins its tasks.

    Idea: Several methods share one encoder, each with its own data, heads and loss. The features have to serve all of
    them.

    Loss: `Σ_m w_m L_m`, the sum of the losses L_m of the methods by weight.

    Differs: There is no paper of it; Pinto et al. 2016 train one trunk on four tasks in this way (`curious_robot`).
    """

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
            methods: by name, or `module:Name`.
            loss_weights: of their losses, in the same order; none: all 1.
            method_settings: of the methods, by name of the method.
        """
        from embodied_ssl.methods import check_method_settings, method_class, method_name

        super().__init__(encoder)
        names = {name: method_name(method_class(name)) for name in methods}  # `tico` of `examples.tico:TiCo`
        if len({*names.values()}) != len(methods) or not methods or len(loss_weights) not in (0, len(methods)):
            raise DataError(
                f"joint: {len(loss_weights)} weights for methods {', '.join(methods)}; name each method once"
            )
        for name in method_settings or {}:
            if name not in (*names, *names.values()):
                raise unknown_name("method in method_settings of joint", name, methods)
        own = {names.get(name, name): settings for name, settings in (method_settings or {}).items()}
        self.members = nn.ModuleDict()
        for named, name in names.items():
            check_method_settings(name, kind := method_class(named), own.get(name, {}))
            member = kind(encoder, **own.get(name, {}))
            if member.encoder is not encoder:
                raise DataError(
                    f"joint: {name} takes an encoder of its own kind; share --encoder {member.encoder.name}"
                )
            self.members[name] = member
        self.whole_batch = any(member.whole_batch for _, member in self._members())

    def settings(self) -> dict[str, Any]:
        own = {name: member.settings() for name, member in self._members()}
        return {"methods": tuple(own), "loss_weights": self.loss_weights, "method_settings": own}

    @classmethod
    def with_defaults(cls, settings: dict[str, Any]) -> dict[str, Any]:
        from embodied_ssl.methods import method_class

        found = super().with_defaults(settings)
        own = (found["method_settings"] or {}).items()
        return found | {"method_settings": {name: method_class(name).with_defaults(given) for name, given in own}}

    def input_streams(self) -> dict[str, StreamSpec]:
        return {
            f"{name}.{stream}": spec
            for name, member in self._members()
            for stream, spec in member.input_streams().items()
        }

    def stream_options(self) -> dict[str, dict[str, Any]]:
        return {
            f"{name}.{stream}": options
            for name, member in self._members()
            for stream, options in member.stream_options().items()
        }

    def batch_shares(self) -> dict[str, float]:
        return {
            f"{name}.{stream}": share
            for name, member in self._members()
            for stream, share in member.batch_shares().items()
        }

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        for name, member in self._members():
            member.infer_shapes(_own(name, streams), rng)

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        for name, member in self._members():
            member.prepare(_own(name, streams), rng)

    def loss(self, *, step: Step, **batches: Batch) -> dict[str, Tensor]:
        weights = self.loss_weights or (1.0,) * len(self.methods)
        terms: list[Tensor] = []
        found: dict[str, Tensor] = {}
        for (name, member), weight in zip(self._members(), weights, strict=True):
            losses = checked_losses(member, member.loss(**_own(name, batches), step=step))
            terms.append(weight * losses["loss"])
            found |= {f"{name}.{key}": value for key, value in losses.items()}
        return {"loss": torch.stack(terms).sum(), **found}

    def show(self, *, step: Step, **batches: Batch) -> list[list[Panel]]:
        """The rows of each method, its name before the text of their first panels."""
        rows = []
        for name, member in self._members():
            for first, *others in member.show(**_own(name, batches), step=step):
                text = f"{name.replace('_', ' ')}: {first.text}" if first.text else name.replace("_", " ")
                rows.append([replace(first, text=text), *others])
        return rows

    def after_step(self, step: Step) -> None:
        for _, member in self._members():
            member.after_step(step)

    def _members(self) -> list[tuple[str, Method]]:
        return [(name, member) for name, member in self.members.items() if isinstance(member, Method)]


def _own(name: str, streams: dict[str, Any]) -> dict[str, Any]:
    """Those of a method, by their own names."""
    return {key.removeprefix(f"{name}."): value for key, value in streams.items() if key.startswith(f"{name}.")}
