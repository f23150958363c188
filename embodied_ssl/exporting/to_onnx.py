"""A graph in ONNX, for ONNX Runtime and what else reads it."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import Encoder
from embodied_ssl.exporting.to_torch_export import exported, images_in_words

FILE = "encoder.onnx"


def to_onnx(encoder: Encoder, folder: Path) -> str:
    """Write FOLDER/encoder.onnx, and return how it is loaded. Images in [0, 1]; any number of them.

    Raises DataError where the extra `[export]` is not installed.
    """
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise DataError(f"onnx: {' and '.join(missing)} is not installed; pip install 'embodied-ssl[export]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own making, about its own next version
        torch.onnx.export(
            exported(encoder), (), folder / FILE, dynamo=True, external_data=False, verbose=False,
            input_names=["images"], output_names=["features"],
        )  # fmt: skip
    return f"""import onnxruntime

session = onnxruntime.InferenceSession("{FILE}")
(features,) = session.run(None, {{"images": images}})  # {images_in_words(encoder)}"""
