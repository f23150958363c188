"""What exists in a world and how it looks; nothing here acts."""

from importlib.util import find_spec

_NEEDED = ("pybullet", "numba", "trimesh")

if _missing := [name for name in _NEEDED if find_spec(name) is None]:
    raise ModuleNotFoundError(
        f"simulation needs {', '.join(_missing)}, not installed here: pip install 'embodied-ssl[sim]' "
        "(PyBullet has wheels for CPython 3.11 on Linux x86-64, and is compiled elsewhere); "
        "reading, training and evaluating go without",
        name=_missing[0],
    )
