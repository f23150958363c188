"""The arrows of the design: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {  # what each folder may import of ours
    "envs": {"embodied_ssl.envs", "embodied_ssl.limits", "embodied_ssl.plugins"},
    "datasets": {"embodied_ssl.datasets", "embodied_ssl.limits", "embodied_ssl.plugins"},
}
ALSO = {  # single files that may import more
    "datasets/collect/collection.py": {"embodied_ssl.envs", "embodied_ssl"},
}
OUTSIDE = {  # libraries that only some files may know
    "torch": {
        "datasets/read/batches.py",
        "datasets/read/streams.py",
        "datasets/images/image_set.py",
        "datasets/images/encoded.py",
        "datasets/read/joined.py",
        "datasets/read/captions.py",
        "embodied_ssl",
    },
    "pybullet": {"envs"},
    "numba": {"envs"},
    "h5py": {"datasets"},
    "lightning_fabric": {"embodied_ssl/training"},
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: only absolute imports"
            names.add(node.module or "")
    return names


def sources() -> list[str]:
    return sorted(
        str(p.relative_to(ROOT)) for f in ("embodied_ssl", "envs", "datasets") for p in (ROOT / f).rglob("*.py")
    )


@pytest.mark.parametrize("source", sources())
def test_imports_follow_the_arrows(source):
    folder = source.split("/")[0]
    for name in imports(ROOT / source):
        if name.split(".")[0] == "embodied_ssl" and folder in ALLOWED:
            allowed = ALLOWED[folder] | ALSO.get(source, set())
            assert any(name == a or name.startswith(a + ".") for a in allowed) or name == "embodied_ssl", name
        for library, places in OUTSIDE.items():
            if name.split(".")[0] == library:
                assert any(source.startswith(place) for place in places), f"{source} imports {name}"


@pytest.mark.parametrize("source", [each for each in sources() if "/evaluation/protocols/" in each])
def test_protocols_know_no_sibling_and_no_method(source):
    if not source.endswith("__init__.py"):
        assert not {name for name in imports(ROOT / source) if "protocols" in name or ".methods" in name}


def compiled(source: str) -> set[str]:
    """The functions of a file that numba compiles."""
    functions = [node for node in ast.walk(ast.parse((ROOT / source).read_text())) if isinstance(node, ast.FunctionDef)]
    marks = {"jit", "kernel", "inlined"}
    return {f.name for f in functions if any(ast.unparse(d).partition("(")[0] in marks for d in f.decorator_list)}


COMPILED = {source: names for source in sources() if source.startswith("envs/") and (names := compiled(source))}


@pytest.mark.parametrize("source", COMPILED)
def test_compiled_code_calls_none_of_another_folder(source):
    """Its cache is kept by folder, and would not notice a change in another."""
    folder = Path(source).parent
    elsewhere = set().union(*(names for each, names in COMPILED.items() if Path(each).parent != folder))
    tree = ast.parse((ROOT / source).read_text())
    taken = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not taken & elsewhere


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_import_stays_light():
    heavy = ("torch", "numba", "pybullet", "cv2", "h5py")
    assert run(f"import sys, embodied_ssl; print([m for m in {heavy} if m in sys.modules])").strip() == "[]"


@pytest.mark.parametrize("name", ["datasets", "envs"])
def test_bare_names_are_not_ours(name):
    code = f"import sys; sys.path.insert(0, '.')\ntry:\n import {name}\nexcept ImportError: print('absent')"
    assert run(code).strip() == "absent"


def test_what_the_package_offers_is_found_when_asked_for():
    assert run("import embodied_ssl; print(embodied_ssl.load_encoder.__name__)").strip() == "load_encoder"
    assert run("import embodied_ssl; print(hasattr(embodied_ssl, 'loadencoder'))").strip() == "False"
