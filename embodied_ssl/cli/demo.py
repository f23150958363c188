"""The main job at small scale: bodies act, encoders learn from it, and what they learned is measured and shown."""

from pathlib import Path
from typing import Any

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.gallery.page import view
from embodied_ssl.datasets.store.check import check
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.limits import Count, within_limits
from embodied_ssl.report.text import print_tables
from embodied_ssl.studies.run import study
from embodied_ssl.studies.write import PAGE

STUDY = "first_look"
CAMERAS: dict[str, Any] = {"cameras": ("scene", "wrist"), "scene": {"image_size": 128}, "wrist": {"image_size": 96}}


@within_limits
def demo(out: Path = Path("demo"), workers: Count = 2) -> int:
    """Run the study `first_look` at its smallest size: every kind of data is collected, learned from, and measured.

    Beside it an arm grasps once, and all of that is logged: its joints and forces, and what its cameras see.

    Args:
        out: the directory for data sets, runs and pages.
        workers: processes that collect and learn, each on one core.

    Returns 0, or 1 where a data set turned out bad.
    """
    act = grasp_once(out)
    results = study(STUDY, out, "minute", workers=workers)
    folders = sorted(path.parent for path in (out / "data").glob(f"*/{MANIFEST}"))
    problems = [problem for folder in folders for problem in check(folder)]
    page = view([act, *(folder for folder in folders if folder != act)], out / "data.html")
    print_tables(results)
    for problem in problems:
        print(problem)
    print(f"\n{'all data sets are sound' if not problems else f'{len(problems)} problems'}; look at")
    print(f"  {page.resolve()}    what was collected\n  {(out / PAGE).resolve()}    what was learned")
    return int(bool(problems))


def grasp_once(out: Path) -> Path:
    """The directory of a data set of one grasp by an arm, with its whole trajectory, made if it is not there."""
    folder = out / "data" / "one_grasp"
    whole: dict[str, Any] = {"trajectory": True, "depth": True, "instance": True, **CAMERAS}
    collect("grasp", folder, episodes=1, policy="antipodal", progress=False, body="panda", **whole)
    return folder
