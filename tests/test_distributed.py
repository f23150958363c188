"""Two processes with half a batch each against one with the whole of it: losses, and the methods made of them."""

import os
import subprocess
import sys

import pytest
import torch

from embodied_ssl.distributed import gather, mean_over_processes, rank, synchronize_batch_norm, world_size
from embodied_ssl.encoders import random_encoder
from embodied_ssl.losses import nt_xent, symmetric_info_nce

SHARED = """
import sys

import torch
import torch.distributed as group

from embodied_ssl.distributed import gather, mean_over_processes
from embodied_ssl.losses import nt_xent, symmetric_info_nce

folder, rank = sys.argv[1], int(sys.argv[2])
group.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
found = {"mean": mean_over_processes(torch.tensor(float(rank))), "rows": gather(torch.full((2, 3), float(rank)))}
for name, loss in (("nt_xent", nt_xent), ("symmetric", symmetric_info_nce)):
    first, second = (each[4 * rank :][:4].requires_grad_() for each in torch.load(f"{folder}/codes.pt"))
    value = loss(first, second, 0.2)
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
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    found = [torch.load(tmp_path / f"found{rank}.pt") for rank in range(2)]
    assert [each["mean"].item() for each in found] == [0.5, 0.5]
    assert found[1]["rows"].tolist() == [[0.0] * 3] * 2 + [[1.0] * 3] * 2
    for name, loss in (("nt_xent", nt_xent), ("symmetric", symmetric_info_nce)):
        first, second = (each.clone().requires_grad_() for each in codes)
        whole = loss(first, second, 0.2)
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


METHODS = """
import sys

import numpy as np
import torch
import torch.distributed as group

from embodied_ssl.datasets.batches import CaptionedFrames, FramePairs, Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import clip, dino, mae, make_method
from embodied_ssl.views import to_float

folder, rank, world = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if world > 1:
    group.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
mine = slice(rank * 8 // world, (rank + 1) * 8 // world)
rng = np.random.default_rng(0)
first, second = torch.from_numpy(rng.integers(0, 256, (2, 8, 3, 32, 32), dtype=np.uint8))[:, mine]
numbers, motion = torch.arange(8)[mine], torch.from_numpy(rng.normal(size=(8, 2)).astype("f4"))[mine]
words = torch.from_numpy(rng.integers(2, 30, (8, 20)))[mine]

# Each process draws views of its own; for the comparison there is one view of each picture.
for module in (clip, dino, mae):
    module.random_resized_crop = lambda images, rng, size, *settings, **more: to_float(images, size)
for name in ("color_jitter", "grayscale", "blur", "solarize"):
    setattr(dino, name, lambda images, *settings: images)
order = torch.from_numpy(rng.permutation(64))
mae.MAE.choose = lambda self, count, rng: (order[:16].expand(count, -1), order[16:].expand(count, -1))

body = {"pairs": FramePairs(first, second, motion, numbers, numbers.float())}
frames = {"frames": Frames(first, numbers)}
found = {}
for name, settings, batches in (
    ("simclr", {"views": "body"}, body),
    ("moco", {"views": "body", "version": 1, "queue": 20}, body),
    ("moco", {"views": "body", "version": 2, "queue": 20}, body),
    ("moco", {"views": "body", "version": 3}, body),
    ("dino", {"prototypes": 24, "width": 32, "local_crops": 2}, frames),
    ("dino", {"prototypes": 24, "width": 32, "local_crops": 2, "balance": "centre"}, frames),
    ("mae", {}, frames),
    ("clip", {}, {"captions": CaptionedFrames(first, words, numbers)}),
):
    method = make_method(name, None, 32, **settings).eval()  # batch norm would see the half of a batch
    step = Step(0.5, torch.Generator().manual_seed(rank))
    loss = method.loss(**batches, step=step)["loss"]
    loss.backward()
    gradients = {key: p.grad for key, p in method.named_parameters() if p.grad is not None}
    method.after_step(step)
    for value in (loss := loss.detach(), *gradients.values()):
        if world > 1:
            group.all_reduce(value)
            value /= world  # as DDP does
    found[f"{name} {settings}"] = {"loss": loss, **gradients, **{f"after {k}": v for k, v in method.named_buffers()}}
torch.save(found, f"{folder}/{world}-{rank}.pt")
if world > 1:
    group.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_have_the_loss_and_gradients_of_one_with_the_whole_batch(tmp_path):
    """Of every contrastive and later method, and its queue and centre after the step."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for processes in (((0, 2), (1, 2)), ((0, 1),)):
        started = [
            subprocess.Popen([sys.executable, "-c", METHODS, tmp_path, *map(str, each)], env=environment)
            for each in processes
        ]
        assert [process.wait(timeout=200) for process in started] == [0] * len(started)
    whole = torch.load(tmp_path / "1-0.pt")
    for number in (0, 1):
        shared = torch.load(tmp_path / f"2-{number}.pt")
        assert shared.keys() == whole.keys()
        for method, expected in whole.items():
            assert shared[method].keys() == expected.keys()
            for key, value in expected.items():
                torch.testing.assert_close(shared[method][key], value, rtol=1e-3, atol=1e-5, msg=f"{method}: {key}")
