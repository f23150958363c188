"""The same bytes on every processor: those that are committed, and those of other arithmetics than this processor's.

Where the simulator is meant to give other bytes from now on,
`python tests/envs/test_bytes.py` writes `contents.json` anew.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent))  # where pytest finds it by itself
from conftest import SMALL
from contents import collect_all, contents, versions

HERE = Path(__file__).parent
COMMITTED = HERE / "contents.json"
VIDEO = {"episodes": 20, "size": 24, "length": 4, "depth": True, "instance": True, "flow": True}
INTERACTIONS = {"episodes": 20, "size": 24, "depth": True, "instance": True}
MANY = {"roam": VIDEO, "orbit": VIDEO, "hold": VIDEO, "grasp": INTERACTIONS, "push": INTERACTIONS, "poke": INTERACTIONS}
ARITHMETICS = {  # what another processor would do; None: what there is
    "OpenBLAS for Nehalem": {"OPENBLAS_CORETYPE": "Nehalem"},
    "NumPy without AVX": {"NPY_DISABLE_CPU_FEATURES": None},
    "numba for any processor": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": None},
    "OpenCV without SSE4": {"OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,AVX2,FMA3,AVX512-SKX", "OPENCV_IPP": "disabled"},
}


def levels_above_the_lowest() -> str:
    """NumPy's names of what it has code for, beyond what it needs, and this processor has: versions differ in them."""
    try:
        from numpy._core import _multiarray_umath as core
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as core
    return " ".join(name for name in core.__cpu_dispatch__ if core.__cpu_features__[name])


def has_fused_arithmetic() -> bool:
    """The C library's sines are others without it, and PyBullet uses them."""
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    return {"fma", "avx2"} <= set(flags.split())


@pytest.mark.parametrize("kind", SMALL)
def test_contents_are_the_committed_ones(data, kind):
    """A fault on the way from seed to bytes, a library that draws otherwise, or a processor that rounds otherwise.

    Where it is meant: `python tests/envs/test_bytes.py`.
    """
    committed = json.loads(COMMITTED.read_text())
    assert committed["settings"][kind] == {**SMALL[kind], "shard_episodes": 3}, "python tests/envs/test_bytes.py"
    found, expected = contents(data[kind]), committed["contents"][kind]
    if found != expected and versions() != committed["versions"]:
        pytest.skip(f"committed with {committed['versions']}, here are {versions()}")
    if kind in ("grasp", "push", "poke") and not has_fused_arithmetic():
        pytest.skip("a processor without AVX2 and FMA")
    assert found == expected


@pytest.mark.slow
def test_every_arithmetic_gives_the_same_contents(tmp_path):
    """All of them at once: where that gives other contents, each by itself tells which arithmetic it is."""
    expected = collected_by({}, tmp_path / "as it is")
    every = {key: value for settings in ARITHMETICS.values() for key, value in settings.items()}
    if collected_by(every, tmp_path / "every") == expected:
        return
    for name, settings in ARITHMETICS.items():
        for kind, fields in collected_by(settings, tmp_path / name).items():
            others = [field for field in fields if fields[field] != expected[kind][field]]
            assert not others, f"{name}, {kind}: {others}"
    pytest.fail("each arithmetic by itself gives the same contents, all of them together others")


def collected_by(arithmetic: dict[str, str | None], folder: Path) -> dict[str, dict[str, str]]:
    """The contents of a data set of each kind, by fields, as another processor would collect them."""
    given = {"NPY_DISABLE_CPU_FEATURES": levels_above_the_lowest(), "NUMBA_CACHE_DIR": str(folder / "cache")}
    changed = {key: given[key] if value is None else value for key, value in arithmetic.items()}
    result = subprocess.run(
        [sys.executable, HERE / "contents.py", folder, json.dumps(MANY)],
        env={**os.environ, **changed}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    *told, printed = result.stdout.splitlines()
    found, late = json.loads(printed).values()
    assert not late, "what a collection needs is compiled before it begins"
    if "NUMBA_CACHE_DIR" in changed:
        assert told == ["compiling the simulator, once per machine: about 20 s"]
    return found


CALCULATE = """
import hashlib, numpy as np
rng = np.random.default_rng(0)
a, b = rng.normal(size=(300, 3)), rng.normal(size=(3, 3))
for values in (a @ b, np.sin(a.astype("f4"))):
    print(hashlib.sha256(values.tobytes()).hexdigest())
"""


@pytest.mark.skipif(not has_fused_arithmetic(), reason="a processor without AVX2 and FMA")
def test_those_arithmetics_differ():
    """Or the test above would compare a processor with itself."""

    def digests(**settings: str) -> list[str]:
        environment = {**os.environ, **settings}
        return subprocess.check_output([sys.executable, "-c", CALCULATE], env=environment, text=True).split()

    product, sine = digests()
    assert digests(OPENBLAS_CORETYPE="Nehalem")[0] != product
    assert digests(NPY_DISABLE_CPU_FEATURES=levels_above_the_lowest())[1] != sine


def write_committed() -> None:
    settings = {kind: {**each, "shard_episodes": 3} for kind, each in SMALL.items()}
    with tempfile.TemporaryDirectory() as folder:
        found = collect_all(Path(folder), settings)
    COMMITTED.write_text(json.dumps({"settings": settings, "versions": versions(), "contents": found}, indent=1) + "\n")


if __name__ == "__main__":
    write_committed()
