"""The arithmetic of the simulator against longer numbers, and that nothing else is used on the way to bytes."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from embodied_ssl.envs.world import exact

ROOT = Path(__file__).parent.parent.parent
EXACT = {"sqrt", "floor", "ceil", "trunc", "copysign", "factorial", "prod", "isfinite", "isnan", "pi", "inf", "nan"}
BY_PROCESSOR = {  # of NumPy: what chooses its instructions by processor, BLAS and LAPACK, or goes through the C library
    *("dot", "vdot", "inner", "matmul", "tensordot", "einsum", "linalg", "convolve", "correlate", "polyfit", "fft"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "hypot", "cbrt", "sinc"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "power", "float_power", "angle"),
}


def rounds_by_processor(node: ast.AST) -> bool:
    """Whether an expression is of a kind that may round differently on another processor."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id == "math":
            return node.attr not in EXACT
        return node.value.id in ("np", "numpy") and node.attr in BY_PROCESSOR
    if isinstance(node, ast.Attribute):
        return node.attr == "dot"
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.MatMult):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        whole = isinstance(node.left, ast.Constant) and isinstance(node.left.value, int)
        return not whole and not (isinstance(node.right, ast.Constant) and node.right.value == 2)
    if isinstance(node, ast.ImportFrom):
        return node.module in ("math", "scipy.linalg", "scipy.spatial.transform", "scipy.ndimage")
    return False


def on_the_way_to_bytes() -> list[Path]:
    return [path for path in sorted((ROOT / "envs").rglob("*.py")) if path.name != "exact.py"] + [
        ROOT / "datasets" / "collect" / "recorder.py"
    ]


@pytest.mark.parametrize("path", on_the_way_to_bytes(), ids=lambda path: path.stem)
def test_nothing_on_the_way_to_bytes_rounds_by_processor(path):
    found = [node for node in ast.walk(ast.parse(path.read_text())) if rounds_by_processor(node)]
    assert not found, [f"{path.name}:{node.lineno}: {ast.unparse(node)}; take it from world/exact.py" for node in found]


@pytest.mark.parametrize(
    ("ours", "reference", "low", "high", "most"),
    [
        (exact.sin, np.sin, -20, 20, 3e-16),
        (exact.cos, np.cos, -20, 20, 3e-16),
        (exact.tan, np.tan, -1.5, 1.5, 1e-14),
        (exact.exp, np.exp, -30, 3, 1e-14),
        (exact.tanh, np.tanh, -30, 30, 3e-16),
    ],
)
def test_functions_of_one_number_are_those_of_longer_numbers(ours, reference, low, high, most):
    x = np.random.default_rng(0).uniform(low, high, 20_000)
    expected = reference(x.astype(np.longdouble))
    assert np.abs(ours(x) - expected).max() <= most
    assert [ours(float(each)) for each in x[:50]] == ours(x[:50]).tolist()
    short = ours(x.astype(np.float32))
    assert short.dtype == np.float32
    assert ours(0) == float(reference(0.0))


def test_functions_of_two_numbers_are_those_of_longer_numbers():
    rng = np.random.default_rng(1)
    y, x = rng.normal(size=(2, 20_000))
    assert np.abs(exact.arctan2(y, x) - np.arctan2(y.astype(np.longdouble), x)).max() < 1e-15
    assert [exact.arctan2(float(a), float(b)) for a, b in zip(y[:50], x[:50], strict=True)] == exact.arctan2(
        y[:50], x[:50]
    ).tolist()
    base, exponent = rng.uniform(0, 2, 20_000), rng.uniform(-2, 4, 20_000)
    expected = base.astype(np.longdouble) ** exponent
    assert (np.abs(exact.power(base, exponent) - expected) / expected).max() < 1e-14
    assert exact.power(0.0, 2.0) == 0.0
    assert exact.power(0.0, 0) == 1.0
    assert exact.arctan2(0.0, -1.0) == math.pi
    assert exact.arcsin(1.0) == pytest.approx(math.pi / 2, abs=1e-15)


def test_vectors_and_matrices():
    rng = np.random.default_rng(2)
    points, turn = rng.normal(size=(4, 5, 3)), rng.normal(size=(3, 3))
    assert np.allclose(exact.product(points, turn.T), points @ turn.T, rtol=0, atol=1e-14)
    assert exact.product(points.astype("f4"), turn.astype("f4")).dtype == np.float32
    poses = rng.normal(size=(4, 5, 4, 4))
    moved = np.einsum("...ij,...j->...i", poses[..., :3, :3], points) + poses[..., :3, 3]
    assert np.allclose(exact.moved(poses, points), moved, rtol=0, atol=1e-14)
    assert np.allclose(exact.length(points), np.linalg.norm(points, axis=-1), rtol=1e-15)
    assert exact.hypot(3.0, 4.0) == 5.0
    assert exact.hypot(2.0, 3.0, 6.0) == 7.0
    assert np.allclose(exact.length(exact.unit(points)), 1)
    assert np.allclose(exact.circle([0.0, math.pi / 2]), [[1, 0], [0, 1]], atol=1e-15)
