"""What every environment does alike: it begins an episode from a seed, and is copied, saved, restored, pickled exactly.

A simulator cannot be copied bit for bit. But a seed and its actions give the same bytes, so the world of a copy is set
up again from what its episode began with, everything else is copied as it is, and from there on nobody can tell the
two apart.
"""

import copy
import inspect
import pickle
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.physics import World
from embodied_ssl.limits import Whole, hold


@dataclass(frozen=True, eq=False)
class Start:
    """What an episode began with: the generator before `reset` drew from it, and the options of `reset`."""

    generator: np.random.Generator
    options: dict[str, Any] | None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # nobody changes it, and that two are the same one tells that their worlds are


@dataclass(frozen=True, eq=False)
class Saved:
    """An environment at one moment, from `save`; it can be pickled, and restored in any that was set up alike."""

    kind: type["SimulatedEnv"]
    settings: dict[str, Any]
    state: dict[str, Any]


class SimulatedEnv(gymnasium.Env[Any, Any]):
    """An environment in a simulated world.

    `copy.copy`, `copy.deepcopy` and pickling give an independent environment at the same moment of the same episode:
    observations, rewards and infos are, bit for bit, those that the original would give. The price of a copy is a
    simulator of its own and the set-up of the episode once more, which takes as long as `reset`; on a table also every
    interaction of the episode so far. `restore` into an environment that still is in that episode costs no set-up where
    nothing but the body moves (roam, orbit). What was done to the simulator past `step` is not copied.

    A subclass names in `SIMULATED` what belongs to its simulator and its world (it is set up again, and all else is
    copied), makes the simulator in `_connect`, sets up an episode in `_set_up` and, where actions change the world,
    does them in `_interact`, which is called once more with each of `_past`.
    """

    SIMULATED: ClassVar[frozenset[str]] = frozenset({"world"})
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    action_space: gymnasium.spaces.Box
    world: World

    def __init__(self, settings: dict[str, Any]):
        """settings: all that `_connect` needs; `restore` asks that they are the same."""
        self._settings = settings
        self._start: Start | None = None  # before the first reset
        self._past: list[NDArray[np.float64]] = []  # that have changed the world
        self._connect()

    def _connect(self) -> None:
        """Make the simulator, and whatever else belongs to it, from the settings."""
        raise NotImplementedError

    def _set_up(self, options: dict[str, Any] | None) -> None:
        """Set up an episode's world by what `np_random` draws."""
        raise NotImplementedError

    def _interact(self, interaction: NDArray[np.float64]) -> Any:
        """Change the world."""
        raise NotImplementedError

    def _begin(self, seed: int | None, options: dict[str, Any] | None) -> None:
        """Begin an episode: of a seed, or of what the generator draws next."""
        gymnasium.Env.reset(self, seed=hold({"seed": Whole | None}, {"seed": seed})["seed"])
        generator = pickle.loads(pickle.dumps(self.np_random))  # the same as a deep copy, in a tenth of the time
        self._start = Start(generator, copy.deepcopy(options))
        self._past = []
        self._set_up(options)

    def save(self) -> Saved:
        """This moment, to come back to with `restore`. It holds no simulator, and costs next to nothing."""
        spaces = ("action_space", "observation_space")  # whoever samples from them goes on sampling
        state = {name: value for name, value in self._state().items() if name not in spaces}
        return Saved(type(self), self._setting(), copy.deepcopy(state))

    def restore(self, saved: Saved) -> None:
        """Go back to a moment, or to that of another environment of the same kind and settings.

        Raises ValueError where it is of another kind or of other settings.
        """
        if saved.kind is not type(self) or saved.settings != self._setting():
            raise ValueError(
                f"restore: this was saved from a {saved.kind.__name__} with settings {saved.settings}; "
                f"this is a {type(self).__name__} with {self._setting()}"
            )
        self._assume(copy.deepcopy(saved.state))

    def _setting(self) -> dict[str, Any]:
        """All that was given to the constructor and is kept as it was, but for how it is shown."""
        given = [name for name in inspect.signature(type(self)).parameters if name != "render_mode"]
        kept = {name: vars(self)[place] for name in given for place in (name, f"_{name}") if place in vars(self)}
        plain = {name: value for name, value in kept.items() if isinstance(value, bool | int | float | str | tuple)}
        return copy.deepcopy(plain | self._settings) | {"observes": self.observation_space}

    def close(self) -> None:
        self.world.close()

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # a shallow copy would share the generator

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, (type(self), self.world.client < 0), self._state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        closed = self.__dict__.pop("_closed")
        self._settings = state["_settings"]
        self._start, self._past = None, []
        self._connect()
        if closed:
            self.__dict__.update(state)
            self.close()
        else:
            self._assume(state)

    def _state(self) -> dict[str, Any]:
        """All but what belongs to the simulator."""
        return {name: value for name, value in self.__dict__.items() if name not in self.SIMULATED}

    def _assume(self, state: dict[str, Any]) -> None:
        """Be as this state says: set up its world, unless it stands already, and take over the rest."""
        start, interactions = state["_start"], state["_past"]
        stands = (
            start is self._start
            and len(interactions) == len(self._past)
            and all(map(np.array_equal, interactions, self._past))
        )
        if start is not None and not stands:
            self.__dict__.update(state)
            self._np_random = copy.deepcopy(start.generator)
            self._set_up(copy.deepcopy(start.options))
            for interaction in interactions:
                self._interact(interaction)
        self.__dict__.update(state)


def _blank(kind: type[SimulatedEnv], closed: bool) -> SimulatedEnv:
    """An environment that is yet to be told what it is."""
    env = kind.__new__(kind)
    env.__dict__["_closed"] = closed
    return env
