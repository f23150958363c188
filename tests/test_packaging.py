"""What is uploaded: a source distribution that builds a wheel from itself, with every file and a README that shows."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import embodied_ssl

ROOT = Path(__file__).parent.parent
FOLDERS = {"embodied_ssl": "embodied_ssl", "envs": "embodied_ssl/envs", "datasets": "embodied_ssl/datasets"}
URL = "https://host.example/owner/embodied_ssl"
NO_SOURCE = (".git", ".venv", "build", "dist", "data", "runs", "demo", "*.egg-info", "__pycache__", ".*_cache")


def not_the_source(folder: str, names: list[str]) -> set[str]:
    """What `make` and its users leave at the top of a checkout, and the caches of Python anywhere."""
    patterns = NO_SOURCE if Path(folder) == ROOT else ("__pycache__",)
    return shutil.ignore_patterns(*patterns)(folder, names)


build = pytest.importorskip("build", reason="of the dev extra")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    tree, out = tmp_path_factory.mktemp("build") / "tree", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, tree, ignore=not_the_source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    result = subprocess.run(
        command, env={**os.environ, "EMBODIED_SSL_URL": URL}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return out


@pytest.fixture(scope="module")
def metadata(built) -> Message:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return email.message_from_string(archive.read(name).decode())


def tree() -> set[str]:
    """Every file of the three folders."""
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_both_distributions_have_every_file_of_the_three_folders(built):
    [source], [wheel] = built.glob("*.tar.gz"), built.glob("*.whl")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tree() <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "setup.py", "tests/test_packaging.py"} <= names
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {FOLDERS[(parts := name.partition("/"))[0]] + "/" + parts[2] for name in tree()}


def test_an_index_takes_them(built):
    pytest.importorskip("twine", reason="of the dev extra")
    files = map(str, built.iterdir())
    result = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_pictures_and_links_of_the_readme_are_whole_addresses_of_files_that_exist(metadata):
    text = str(metadata.get_payload())
    pictures = re.findall(r"""!\[[^]]*\]\(([^)]+)\)|<img[^>]* src=["']([^"']+)""", text)
    assert pictures
    addresses = {address for found in pictures for address in found if address}
    addresses |= set(re.findall(r"\]\(([^)#]+)[^)]*\)", text))
    for address in addresses:
        assert address.startswith("https://"), address
        if address.startswith(URL):
            kind, tag, path = address.removeprefix(f"{URL}/").split("/", 2)
            assert (kind in ("raw", "blob"), tag) == (True, f"v{embodied_ssl.__version__}")
            assert (ROOT / path).exists(), path


def test_the_version_stands_in_one_place_and_what_repeats_it_agrees(metadata):
    assert metadata["Version"] == embodied_ssl.__version__
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None
    assert cited[1] == embodied_ssl.__version__
    heading = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] in ("Unreleased", embodied_ssl.__version__)


def test_the_metadata_name_addresses_words_and_extras(metadata):
    urls = dict(value.split(", ", 1) for value in metadata.get_all("Project-URL"))
    assert {"Source", "Issues", "Documentation", "Changelog"} <= set(urls)
    assert all(address.startswith(URL) for address in urls.values())
    assert "self-supervised learning" in metadata["Keywords"].split(",")
    extras = set(metadata.get_all("Provides-Extra"))
    ours = "sim", "ray", "dask", "slurm", "lerobot", "rerun", "export", "imagenet", "docs", "notebook", "dev"
    assert {*ours} <= extras


def test_the_wheel_works_alone(built, tmp_path):
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import embodied_ssl, embodied_ssl.envs, embodied_ssl.datasets; from embodied_ssl.cli.main import main;"
        "print(embodied_ssl.__version__, embodied_ssl.datasets.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [
        embodied_ssl.__version__, str(tmp_path / "embodied_ssl" / "datasets" / "__init__.py")
    ]  # fmt: skip


def test_hooks_run_what_lint_and_types_run():
    """Every linter of `make lint` is a hook, and a hook runs nothing else."""
    makefile = (ROOT / "Makefile").read_text()
    entries = re.findall(r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    commands = {entry.removeprefix(".venv/bin/").removesuffix(" --force-exclude") for entry in entries}
    linted = set(re.findall(r"\$\(BIN\)/(ruff .+?) \.$", makefile, re.MULTILINE))
    assert commands == {*linted, "make types"}
