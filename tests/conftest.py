"""Small data sets, really collected, once per test session."""

from pathlib import Path

import pytest

from embodied_ssl.datasets.collect import collect

SMALL = {
    "roam": {"episodes": 5, "size": 24, "length": 9, "depth": True, "instance": True, "flow": True},
    "orbit": {"episodes": 4, "size": 24, "length": 8, "instance": True},
    "grasp": {"episodes": 6, "size": 32, "depth": True, "instance": True},
    "push": {"episodes": 5, "size": 32, "instance": True},
    "poke": {"episodes": 5, "size": 32},
}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A directory of each kind, in two shards; look, and copy to change."""
    root = tmp_path_factory.mktemp("data")
    for kind, settings in SMALL.items():
        collect(kind, root / kind, shard_episodes=3, progress=False, **settings)
    return {kind: root / kind for kind in SMALL}
