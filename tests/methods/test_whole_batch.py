"""The loss and the gradients of every method are those of the whole batch, however it is split.

Over parts of an update (`accumulate`), and over two processes that have half of the batch each. Views are the same for
all samples, since each process draws its own; batch norm is at rest, since it sees a part at a time.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as group
from test_methods import COUNT, SIZE, Same, batch

from embodied_ssl.method import Step
from embodied_ssl.methods import make_method, method_names

CASES = [
    *((name, {}) for name in method_names()),
    ("equivariance", {"drlim_weight": 1.0}),
    ("simclr", {"views": {"source": "body"}}),
    ("moco", {"views": {"source": "body"}, "version": 1, "queue_length": 20, "paper_heads": True, "paper_views": True}),
    ("moco", {"version": 3, "paper_heads": True}),
    ("dino", {"prototypes": 24, "width": 32, "balance": "centre", "paper_head": True}),
    ("vicreg", {"views": {"source": "body"}, "inverse_weight": 1.0}),
    ("swav", {"queue_length": 20, "queue_from": 0.0}),
    ("instdisc", {"negatives": 8, "proximal": 1.0}),
    ("pirl", {"pretext": "rotation"}),
    ("mae", {"class_token": True}),
    ("temporal_order", {"sample_by": "energy"}),
    ("context_encoder", {"hole": "centre"}),
    ("joint", {"methods": ("rotation", "drlim")}),
]


def same_for_all(function):
    """Random numbers that are the same for all samples, the first axis, whatever their number."""

    def drawn(*args, generator=None, **more):
        if generator is None:
            return function(*args, **more)
        front, shape = (args[:-1], args[-1]) if isinstance(args[-1], tuple) else ((), args)
        one = function(*front, (1, *shape[1:]), generator=generator, **more)
        return one.expand(shape).clone()

    return drawn


def without_luck(monkeypatch):
    for name in ("rand", "randn", "randint"):
        monkeypatch.setattr(torch, name, same_for_all(getattr(torch, name)))
    first = lambda weights, count, generator: torch.arange(count) * (len(weights) // count)  # noqa: E731
    monkeypatch.setattr(torch, "multinomial", first)  # the first window of each clip


def ready(name, settings):
    method = make_method(name, None, SIZE, seed=0, **settings)
    streams = {stream: Same(spec.batch) for stream, spec in method.input_streams().items()}
    for take in (method.infer_shapes, method.prepare):
        take(streams, np.random.default_rng(0))
    return method.eval()


def data_of(method, rows):
    rng = np.random.default_rng(1)
    made = {name: batch(spec.batch, rng) for name, spec in method.input_streams().items()}
    return {name: each._each(lambda tensor: tensor[rows]) for name, each in made.items()}


def learned(method, rows, parts=1):
    """Loss and gradients of some rows of a batch, and what an update leaves in the buffers."""
    step = Step(0.5, torch.Generator().manual_seed(0), parts)
    loss = method.loss(**data_of(method, rows), step=step)["loss"]
    method.zero_grad()
    loss.backward()
    found = {"loss": loss.detach(), **{key: p.grad for key, p in method.named_parameters() if p.grad is not None}}
    method.after_step(step)
    after = {f"after {key}": value.clone() for key, value in method.named_buffers()}
    if "after queue_identity" in after:  # a queue is filled by one process after the other
        order = after["after queue_identity"].argsort(stable=True)
        after |= {f"after {key}": after[f"after {key}"][order] for key in ("queue_identity", "queue")}
    return found | after


def agree(found, expected, case):
    assert found.keys() == expected.keys()
    lengths = [value.norm() for value in expected.values() if value.is_floating_point()]
    rounding = 1e-6 * torch.stack(lengths).norm()  # of sums whose terms may cancel out
    for key, value in expected.items():
        if not value.is_floating_point():
            assert torch.equal(found[key], value), f"{case}: {key}"
        else:  # gradients are of any size; a term that is missing is no rounding
            assert (found[key] - value).norm() <= 2e-3 * value.norm() + rounding, f"{case}: {key}"


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_parts_of_a_batch_have_the_loss_and_gradients_of_the_whole(monkeypatch, name, settings):
    without_luck(monkeypatch)
    whole = learned(ready(name, settings), slice(None))
    method = ready(name, settings)
    if method.whole_batch:
        return agree(learned(method, slice(None), parts=2), whole, name)
    halves = [learned(ready(name, settings), rows) for rows in (slice(COUNT // 2), slice(COUNT // 2, None))]
    gradients = {key: value for key, value in whole.items() if not key.startswith("after ")}
    agree({key: (halves[0][key] + halves[1][key]) / 2 for key in gradients}, gradients, name)


@pytest.mark.slow
def test_two_processes_have_the_loss_and_gradients_of_one_with_the_whole_batch(monkeypatch, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([sys.executable, __file__, tmp_path, str(rank)], env=environment) for rank in (0, 1)]
    without_luck(monkeypatch)
    whole = [learned(ready(name, settings), slice(None)) for name, settings in CASES]
    assert [process.wait(timeout=600) for process in started] == [0, 0]
    for rank in (0, 1):
        for found, expected, case in zip(torch.load(tmp_path / f"{rank}.pt"), whole, CASES, strict=True):
            agree(found, expected, case)


def half_of_it(folder, rank):
    """One of two processes: everything of half a batch, averaged as DDP does it."""
    group.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_luck(monkeypatch)
        rows = slice(rank * COUNT // 2, (rank + 1) * COUNT // 2)
        found = [learned(ready(name, settings), rows) for name, settings in CASES]
    for values in found:
        for key, value in values.items():
            if not key.startswith("after "):  # buffers are the same already
                group.all_reduce(value)
                value /= 2
    torch.save(found, Path(folder) / f"{rank}.pt")
    group.destroy_process_group()


if __name__ == "__main__":
    half_of_it(sys.argv[1], int(sys.argv[2]))
