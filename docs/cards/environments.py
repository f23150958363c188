"""A card per environment, as Gymnasium's pages have it: image, action, observation, reward, record, settings."""

import inspect
import re
from importlib import import_module
from typing import Any

import cv2
import gymnasium
import numpy as np

from cards.data import asked
from cards.markdown import code, first_paragraph, settings, table
from embodied_ssl.datasets.kinds import Kind, collected_kinds
from embodied_ssl.envs.control.env import ControlEnv
from embodied_ssl.envs.simulated import SimulatedEnv
from embodied_ssl.envs.table import TableEnv

LABELS = re.compile(r"^(Action|Interaction|Observation|Reward|info[^:]*|An episode|Episodes)\b", re.MULTILINE)
EPISODES, STEPS, SIDE_PX = 2, 10, 240


def pages() -> dict[str, str | bytes]:
    """The overview, and for each environment a card and an image, by path."""
    found: dict[str, str | bytes] = {}
    rows = []
    for kind, declared in collected_kinds().items():
        name = declared.env_id
        env = gymnasium.make(name, render_mode="rgb_array", disable_env_checker=True)
        plain = env.unwrapped
        assert isinstance(plain, SimulatedEnv)
        found[f"environments/{kind}.png"] = _picture(declared, plain, EPISODES * len(rows))
        found[f"environments/{kind}.md"] = _card(declared, plain)
        rows.append([f"[{code(name)}]({kind}.md)", first_paragraph(type(plain).__doc__)])
        env.close()
    return {"environments/index.md": _INDEX + table(["environment", "what it is"], rows), **found}


_INDEX = """# Environments

Bodies in simulated worlds, as [Gymnasium](https://gymnasium.farama.org) environments. They pass its checker, run in
vector environments, and can be looked ahead in: `copy.deepcopy(env)`, pickling, `env.unwrapped.save()` and `restore`
give the same bits.

![Scenes of every type as a roaming body sees them, generated household objects, tables from above](../worlds.jpg)

"""


def _card(declared: Kind, env: SimulatedEnv) -> str:
    said, kind, name = _said(type(env)), declared.name, declared.env_id
    title, unit = kind.capitalize().replace("_", " "), "episode" if declared.closed_loop else "step"
    policies = [[code(policy), first_paragraph(_load(path).__doc__)] for policy, path in declared.policies.items()]
    fields = [field for field in declared.fields if field.table == declared.rows]
    recorded = [
        [
            code(field.path),
            f"{np.dtype(field.dtype).name} {_shape(field.shape)}",
            field.unit,
            field.description + asked(field),
        ]
        for field in fields
    ]
    return "\n\n".join(
        [
            f"# {title}",
            f"![Two episodes of {name}, each at its start and a while later]({kind}.png)",
            said["about"],
            "```python\nimport embodied_ssl as es\n\n"
            f'env = es.make_env("{kind}")  # or gymnasium.make("{name}")\n'
            "observation, info = env.reset(seed=0)\n```",
            "## Action",
            said["action"],
            table(["number", "from", "to"], _actions(declared, env)),
            f"{code(env.action_space)}",
            "## Observation",
            said["observation"],
            _observations(type(env)),
            "## Reward and end",
            said["reward"],
            said["info"],
            "## Record",
            f"What `embodied-ssl collect {kind}` writes of each {unit}; the rest is on [the data card](../data.md).",
            table(["field", "type", "unit", "what it is"], recorded),
            "## Policies",
            f"Of `embodied-ssl collect {kind}` as `--policy`; so is any callable from observation to action.",
            table(["name", "how it acts"], policies),
            "## Settings",
            "Of `gymnasium.make`, and of `embodied-ssl collect` as `--NAME`.",
            settings(type(env), skip=("render_mode",)),
        ]
    )


def _actions(declared: Kind, env: SimulatedEnv) -> list[list[object]]:
    """What the numbers of an action stand for, and their ranges: on a table those of the interaction."""
    if isinstance(env, TableEnv):
        last = env.camera.width - 1
        names = ("u, of the image point (px)", "v (px)", *env.NUMBERS)
        low, high = (0, 0, *env.LOW), (last, last, *env.HIGH)
    else:
        names = env.numbers if isinstance(env, ControlEnv) else declared.motor_signals
        low, high = env.action_space.low, env.action_space.high
    return [[name, f"{a:.4g}", f"{b:.4g}"] for name, a, b in zip(names, low, high, strict=True)]


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _said(env: type[SimulatedEnv]) -> dict[str, str]:
    """The docstrings of an environment and of what it is made from, by what they speak of."""
    found = {"about": "", "action": "", "observation": "", "reward": "", "info": ""}
    for kind in (each for each in env.__mro__ if issubclass(each, SimulatedEnv) and each is not SimulatedEnv):
        about, *labelled = LABELS.split(inspect.cleandoc(kind.__doc__ or ""))
        found["about"] += "\n\n" + about.strip()
        for label, text in zip(labelled[::2], labelled[1::2], strict=True):
            key = {"Interaction": "action", "An episode": "reward", "Episodes": "reward"}.get(
                label, label.split()[0].lower()
            )
            found[key] += f"\n\n{label}{text.rstrip()}"
    return {key: text.strip() for key, text in found.items()}


def _observations(kind: type[SimulatedEnv]) -> str:
    """A table of the observation space with everything that can be asked for."""
    if issubclass(kind, ControlEnv):
        asked = {name: f"cameras={name}" for name in ("overhead", "scene", "wrist")}
        env = kind(cameras=tuple(asked))
        asked["proprioception"] = "cameras"
    else:
        asked = {name: f"{name}=True" for name in ("depth", "instance") if name in inspect.signature(kind).parameters}
        env = kind(**dict.fromkeys(asked, True))
    spaces = env.observation_space.spaces
    env.close()
    size = next(space.shape[0] for space in spaces.values() if space.dtype == np.uint8)
    rows = [
        [code(name), str(space.dtype), _shape(["S" if side == size else side for side in space.shape]), _range(space),
         "" if name not in asked else f"with {code(asked[name])}"]
        for name, space in spaces.items()
    ]  # fmt: skip
    return table(["key", "dtype", "shape", "range", ""], rows)


def _range(space: gymnasium.spaces.Box) -> str:
    return f"{space.low.min():g} to {space.high.max():g}"


def _shape(shape: object) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"  # type: ignore[call-overload]


def _picture(declared: Kind, env: SimulatedEnv, first: int) -> bytes:
    """Some episodes from a seed on, each at its start and after some steps, side by side, as PNG."""
    policy, shown = _load(next(iter(declared.policies.values())))(), []
    for seed in range(first, first + EPISODES):
        observation, _ = env.reset(seed=seed)
        policy.reset(env, np.random.default_rng(seed))
        shown.append(env.render())
        for _ in range(STEPS if declared.is_video or declared.closed_loop else 1):
            observation, *_ = env.step(policy(observation))
        shown.append(env.render())
    tiles = [cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for picture in shown]
    return cv2.imencode(".png", np.hstack(tiles)[..., ::-1])[1].tobytes()
