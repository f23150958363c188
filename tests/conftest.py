"""Small data sets, really collected, once per test session; and what is left out where there is no simulator."""

import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from docstring_parser.attrdoc import AttributeDocstrings

# One thread for each of the workers that test side by side: with more than there are cores, torch's threads spin and
# wait for each other, and a test of seconds takes minutes. Before anything imports torch; subprocesses have it as well.
for library in ("OMP", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
hypothesis.settings.register_profile("untimed", deadline=None)  # how busy a machine is tells nothing of the code
hypothesis.settings.load_profile("untimed")

# Parsers of commands are made hundreds of times here, and a quarter of that is reading what stands under the fields of
# the same few dataclasses, out of their source: each is read once.
read_source = AttributeDocstrings.get_attr_docs


@cache
def under_the_fields(source: Any) -> dict[str, Any]:
    return read_source(AttributeDocstrings(), source)


AttributeDocstrings.get_attr_docs = lambda self, source: under_the_fields(source)


SMALL = {
    "roam": {"episodes": 5, "size": 24, "length": 9, "depth": True, "instance": True, "flow": True},
    "orbit": {"episodes": 4, "size": 24, "length": 8, "instance": True},
    "hold": {
        "episodes": 5,
        "size": 24,
        "length": 9,
        "instance": True,
        "flow": True,
        "instances": [0, 1],
        "categories": "mug,duck",
    },
    "grasp": {"episodes": 6, "size": 32, "depth": True, "instance": True},
    "push": {"episodes": 5, "size": 32, "instance": True},
    "poke": {"episodes": 5, "size": 32},
    "push_goal": {"episodes": 4, "size": 32, "instance": True, "cameras": ["wrist"], "wrist": {"image_size": 16}},
}
SIMULATOR = find_spec("pybullet") is not None
SIMULATES = re.compile(
    r"^(from|import) (embodied_ssl\.(envs|datasets\.collect\b|cli\.demo)|gymnasium|pybullet|numba)", re.MULTILINE
)

# Files that import the simulation are left out without one; single tests elsewhere are marked `simulator`.
HERE = Path(__file__).parent
collect_ignore = [] if SIMULATOR else [str(p) for p in HERE.rglob("test_*.py") if SIMULATES.search(p.read_text())]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not SIMULATOR and item.get_closest_marker("simulator"):
        pytest.skip("needs a simulator: pip install 'embodied-ssl[sim]'")


@pytest.hookimpl(trylast=True)  # after those that are not asked for are gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow ones first, file by file in turn to both halves of the list, of which two processes begin with one each.

    So what is left at the end is quick, and no process waits for another.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    files = list(dict.fromkeys(item.path for item in slow))
    one, other = ([item for item in slow if files.index(item.path) % 2 == half] for half in (0, 1))
    middle = max(0, len(items) // 2 - len(one))
    items[:] = one + quick[:middle] + other + quick[middle:]


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, which all processes share that test side by side."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def kept(together: Path) -> None:
    """What the simulator keeps on disk, it keeps for this session: a test says nothing of an earlier one."""
    os.environ["EMBODIED_SSL_CACHE"] = str(together / "kept")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A directory of each kind, in two shards; look, and copy to change."""
    if not SIMULATOR:
        pytest.skip("needs a simulator: pip install 'embodied-ssl[sim]'")
    from embodied_ssl.datasets.collect.collection import collect

    root = tmp_path_factory.mktemp("data")
    for kind, settings in SMALL.items():
        collect(kind, root / kind, shard_episodes=3, progress=False, **settings)
    return {kind: root / kind for kind in SMALL}
