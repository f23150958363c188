"""The main job at small scale: collect every kind of data, check it, and write a page that shows it."""

from pathlib import Path

from embodied_ssl.datasets.check import check
from embodied_ssl.datasets.collect import collect
from embodied_ssl.datasets.gallery import view

EPISODES = {"roam": 32, "orbit": 40, "grasp": 160, "push": 120, "poke": 160}
SETTINGS: dict[str, dict[str, object]] = {
    "roam": {"size": 96, "length": 60, "depth": True, "instance": True},
    "orbit": {"size": 96, "length": 40, "instance": True},
    "grasp": {"instance": True},
    "push": {"instance": True},
    "poke": {"instance": True},
}


def demo(out: Path = Path("demo"), scale: float = 1.0, seed: int = 0, workers: int = 2) -> int:
    """Collect a little of every kind of data, check it, and write a page that shows it.

    Args:
        out: the directory for data sets and page.
        scale: how many times the usual number of episodes.
        seed: of all data.
        workers: processes.

    Returns 0, or 1 where a data set turned out bad.
    """
    folders = []
    for kind, episodes in EPISODES.items():
        folder = out / kind
        print(collect(kind, folder, max(1, round(episodes * scale)), seed, workers, **SETTINGS[kind]), end="\n\n")  # type: ignore[arg-type]
        folders.append(folder)
    problems = [problem for folder in folders for problem in check(folder)]
    for problem in problems:
        print(problem)
    page = view(folders, out / "index.html")
    print(f"{'all data sets are sound' if not problems else f'{len(problems)} problems'}; look at {page.resolve()}")
    return int(bool(problems))
