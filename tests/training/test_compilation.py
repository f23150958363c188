"""`--compile` compiles what a method calls: all its weights are at work in compiled functions."""

import copy

import pytest
import torch
from torch import nn

from embodied_ssl.method import Method
from embodied_ssl.methods import make_method, method_names
from embodied_ssl.training.devices.compilation import compiled
from tests.methods.test_methods import given, ready, step

CASES = [
    *((name, {}) for name in method_names()),
    ("moco", {"version": 3}),
    ("simclr", {"encoder": "kitti_net"}),
    ("curious_robot", {"encoder": "kitti_net"}),
    ("dino", {"encoder": "vit_tiny_cls"}),
]


def made(name, settings):
    return ready(name) if not settings else make_method(name, settings.get("encoder"), 32, seed=0, **{
        key: value for key, value in settings.items() if key != "encoder"
    })  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_all_weights_are_at_work_in_compiled_functions(name, settings):
    method, inside, outside = made(name, settings), set(), set()
    depth = 0

    def transform(function):
        def call(*args, **kwargs):
            nonlocal depth
            depth += 1
            try:
                return function(*args, **kwargs)
            finally:
                depth -= 1

        return call

    def note(module, key):
        (inside if depth or "forward" in vars(module) else outside).add(key)  # hooks come before `forward`

    for key, module in method.named_modules():
        if list(module.parameters(recurse=False)) and not isinstance(module, Method):
            module.register_forward_pre_hook(lambda module, inputs, key=key: note(module, key))
    with compiled(method, transform):
        method.loss(**given(method), step=step())
    assert not outside
    for part in ("encoder", "teacher", "key_encoder"):  # whichever a method has
        assert not hasattr(method, part) or any(key.startswith(part) for key in inside)
    assert not any(name in vars(module) for module in method.modules() for name in ("forward", "stages"))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's own, of dynamo
@pytest.mark.parametrize("name", ["rotation", "moco"])
def test_what_is_compiled_gives_the_same(name):
    """Captured as graphs by torch, and run as they are."""
    method = ready(name)
    plain = copy.deepcopy(method)
    graphs = []

    def backend(graph, inputs):
        graphs.append(sum(node.op == "call_function" and node.target is torch.conv2d for node in graph.graph.nodes))
        return graph.forward

    results = []
    for each, transform in ((plain, None), (method, lambda function: torch.compile(function, backend=backend))):
        with compiled(each, transform) if transform else torch.enable_grad():
            loss = each.loss(**given(each), step=step())["loss"]
            loss.backward()
        results.append({"loss": loss.detach(), **{k: p.grad for k, p in each.named_parameters() if p.grad is not None}})
    expected, found = results
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)
    assert sum(graphs) >= len([each for each in method.encoder.modules() if isinstance(each, nn.Conv2d)])
    torch._dynamo.reset()
