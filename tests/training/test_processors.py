"""What training gives on another kind of processor: near, not equal, since PyTorch's kernels sum in other orders."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from embodied_ssl.training.logs import read_metrics

TRAIN = ["--encoder", "conv4", "--image_size", "24", "--batch_size", "32", "--steps", "20", "--device", "cpu"]
PROCESSORS = {
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "SSE4": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
}


def trained(data, out, **settings):
    command = [sys.executable, "-m", "embodied_ssl", "train", "simclr", "--frames", data["roam"], "--out", out, *TRAIN]
    result = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True)
    assert (out / "encoder.safetensors").exists(), result
    weights = load_file(out / "encoder.safetensors")
    losses = [row["loss"] for row in read_metrics(out)]
    return losses, torch.cat([values.float().flatten() for _, values in sorted(weights.items())])


@pytest.mark.slow
def test_processors_agree_to_what_train_says(data, tmp_path):
    (loss, weights), *others = (
        trained(data, tmp_path / name.replace(" ", "_"), **settings)
        for name, settings in [("as it is", {}), *PROCESSORS.items()]
    )
    for other_loss, other_weights in others:
        assert other_loss[0] == pytest.approx(loss[0], rel=1e-4)
        assert other_loss[-1] == pytest.approx(loss[-1], rel=0.02)
        assert (other_weights - weights).norm() < 0.03 * weights.norm()
