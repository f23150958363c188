"""Two processes with half a batch each against one with the whole of it: losses; batch norm over processes."""

import os
import subprocess
import sys

import pytest
import torch

from embodied_ssl.encoders import random_encoder
from embodied_ssl.parts.losses import nt_xent, symmetric_info_nce
from embodied_ssl.training.devices.distributed import (
    gather,
    mean_over_processes,
    rank,
    synchronize_batch_norm,
    world_size,
)

SHARED = """
import sys

import torch
import torch.distributed as group

from embodied_ssl.training.devices.distributed import gather, mean_over_processes
from embodied_ssl.parts.losses import nt_xent, symmetric_info_nce

folder, rank = sys.argv[1], int(sys.argv[2])
group.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
found = {"mean": mean_over_processes(torch.tensor(float(rank))), "rows": gather(torch.full((2, 3), float(rank)))}
again = torch.tensor([0, 0, 1, 1, 2, 3, 4, 5])[4 * rank :][:4]
for name, loss, numbers in (("nt_xent", nt_xent, None), ("symmetric", symmetric_info_nce, None),
                            ("repeated", nt_xent, again), ("symmetric, repeated", symmetric_info_nce, again)):
    first, second = (each[4 * rank :][:4].requires_grad_() for each in torch.load(f"{folder}/codes.pt"))
    value = loss(first, second, 0.2, numbers)
    value.backward()
    found[name] = value.detach(), first.grad, second.grad
torch.save(found, f"{folder}/found{rank}.pt")
group.destroy_process_group()
"""


def test_one_process_is_alone():
    assert (world_size(), rank()) == (1, 0)
    rows = torch.randn(3, 2)
    assert gather(rows) is rows
    torch.testing.assert_close(mean_over_processes(rows), rows)


@pytest.mark.slow
def test_two_processes_contrast_all_samples_with_all(tmp_path):
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(2, 8, 16, generator=generator)
    torch.save(codes, tmp_path / "codes.pt")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", SHARED, tmp_path, str(rank)], env=environment) for rank in range(2)
    ]
    assert [process.wait(timeout=600) for process in processes] == [0, 0]
    found = [torch.load(tmp_path / f"found{rank}.pt") for rank in range(2)]
    assert [each["mean"].item() for each in found] == [0.5, 0.5]
    assert found[1]["rows"].tolist() == [[0.0] * 3] * 2 + [[1.0] * 3] * 2
    again = torch.tensor([0, 0, 1, 1, 2, 3, 4, 5])  # one process has more positives than the other
    for name, loss, numbers in (
        ("nt_xent", nt_xent, None),
        ("symmetric", symmetric_info_nce, None),
        ("repeated", nt_xent, again),
        ("symmetric, repeated", symmetric_info_nce, again),
    ):
        first, second = (each.clone().requires_grad_() for each in codes)
        whole = loss(first, second, 0.2, numbers)
        whole.backward()
        shares = [each[name] for each in found]
        torch.testing.assert_close(torch.stack([share[0] for share in shares]).mean(), whole.detach())
        # DDP averages the gradients of weights over the two processes.
        torch.testing.assert_close(torch.cat([share[1] for share in shares]) / 2, first.grad)
        torch.testing.assert_close(torch.cat([share[2] for share in shares]) / 2, second.grad)


@pytest.mark.parametrize("name", ["conv4", "resnet18_small", "timm/efficientnet_b0", "timm/resnet18"])
def test_batch_norm_over_processes_keeps_weights_names_and_what_it_says_at_rest(name):
    encoder = random_encoder(name, 32, seed=0).eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before, said = {key: value.clone() for key, value in encoder.state_dict().items()}, encoder(images)
    parameters = {id(parameter) for parameter in encoder.parameters()}
    synchronize_batch_norm(encoder)
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert all(isinstance(norm, torch.nn.SyncBatchNorm) for norm in norms)
    assert {id(parameter) for parameter in encoder.parameters()} == parameters
    after = encoder.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())
    torch.testing.assert_close(encoder(images), said)
