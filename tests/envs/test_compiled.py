"""Numba's cache is a convenience: without one, with a damaged one, with several processes at once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SMALL
from contents import contents

ROOT = Path(__file__).parent.parent.parent
FUNCTION = """
import sys, time
import numba.core.caching as caching
import numpy as np
from embodied_ssl.envs.world.compiled import jit

read = caching.IndexDataCacheFile._load_index
if "slowly" in sys.argv:  # a disk that takes its time, so that two processes meet
    caching.IndexDataCacheFile._load_index = lambda self: (read(self), time.sleep(0.3))[0]

@jit
def double(x):
    return x + x

for kind in sys.argv[1].split(","):
    assert double(np.dtype(kind).type(3)) == 6, kind
print(sum(double.stats.cache_hits.values()))
"""
COLLECT = """
import json, sys
from pathlib import Path

sys.path[:0] = sys.argv[1:3]
import embodied_ssl.datasets
from contents import collect_all

print(embodied_ssl.datasets.__file__)
print(json.dumps(collect_all(Path(sys.argv[3]), json.loads(sys.argv[4]))))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "doubles.py"
    path.write_text(FUNCTION)
    return path


NO_PLACE = {
    "NUMBA_CACHE_DIR": "", "HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip


def start(script: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    settings = {"NUMBA_CACHE_DIR": str(script.parent / "cache"), **environment}
    return subprocess.Popen(
        [sys.executable, script, *arguments], env={**os.environ, **settings},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """How many functions came from the cache, and what was warned of."""
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    return int(out), errors


def test_processes_that_save_at_once_do_not_mix_what_they_save(script):
    for process in [start(script, kind, "slowly") for kind in ("i8", "f8")]:
        assert finish(process) == (0, "")
    assert finish(start(script, "i8,f8")) == (2, "")


def test_a_damaged_cache_is_made_anew(script):
    assert finish(start(script, "f8")) == (0, "")
    for suffix in ("nbi", "nbc"):
        (damaged,) = (script.parent / "cache").rglob(f"*.{suffix}")
        damaged.write_bytes(b"damaged")
        assert finish(start(script, "f8")) == (0, "")
    assert finish(start(script, "f8")) == (1, "")


def test_what_calls_a_file_beside_it_is_compiled_anew_when_that_changes(tmp_path):
    beside, script = tmp_path / "beside.py", tmp_path / "script.py"
    called = (
        "from embodied_ssl.envs.world.compiled import inlined\n\nSHIFT = {}\n@inlined\ndef add(x):\n    return x + {}\n"
    )
    script.write_text(
        "from beside import SHIFT, add\nfrom embodied_ssl.envs.world.compiled import kernel\n\n@kernel\n"
        "def both(x):\n    return add(x) + SHIFT\n\nboth(0)\nprint(both(0), sum(both.stats.cache_hits.values()))\n"
    )
    printed = []
    for shift, step in ((10, 1), (10, 1), (10, 2), (20, 2)):
        beside.write_text(called.format(shift, step))
        printed.append(start(script).communicate()[0].split())
    assert printed == [["11", "0"], ["11", "1"], ["12", "0"], ["22", "0"]]


def test_nowhere_to_keep_what_is_compiled_is_said_once(script):
    (script.parent / "__pycache__").write_text("no folder")
    hits, warned = finish(start(script, "f4,f8", **NO_PLACE))
    assert hits == 0
    assert warned.count("set NUMBA_CACHE_DIR") == 1
    assert finish(start(script, "f8")) == (0, "")  # the way out that it names


@pytest.mark.slow
def test_a_read_only_install_without_a_home_collects(data, tmp_path):
    site = tmp_path / "site" / "embodied_ssl"
    ignore = shutil.ignore_patterns("__pycache__", "*.nb?")
    shutil.copytree(ROOT / "embodied_ssl", site, ignore=ignore)
    for folder in ("envs", "datasets"):
        shutil.copytree(ROOT / folder, site / folder, ignore=ignore)
    for folder in [site, *(path for path in site.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("read-only, for root as well")
    settings = json.dumps({"grasp": {**SMALL["grasp"], "shard_episodes": 3}})
    result = subprocess.run(
        [sys.executable, "-c", COLLECT, site.parent, ROOT / "tests/envs", tmp_path / "data", settings],
        env={**os.environ, **NO_PLACE}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    where, printed = result.stdout.splitlines()
    assert where.startswith(str(site))
    assert result.stderr.count("set NUMBA_CACHE_DIR") == 1
    assert json.loads(printed) == {"grasp": contents(data["grasp"])}
