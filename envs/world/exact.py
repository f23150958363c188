"""Arithmetic that rounds alike on every processor: all that bytes depend on is computed with it.

BLAS, LAPACK, NumPy's and the C library's sines, exponentials and powers choose their instructions by processor, and
their last bit with them; physics makes millimetres of a last bit. Here is only + − × ÷ √, each of which IEEE 754 rounds
in one way, in an order that is written down. Errors are at most two units in the last place, for angles up to 1e5 rad.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world.compiled import jit

# π/2 and ln 2 in parts of 33 bits, so that small multiples of all but the last are exact.
_QUARTER = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
_LN2 = (0.6931471804855391, 7.440617110012397e-11)
_PER_QUARTER, _PER_LN2 = 1 / _QUARTER[0], 1 / _LN2[0]
_ATAN_OF_EIGHTHS = (
    0.0, 0.12435499454676144, 0.24497866312686414, 0.35877067027057225, 0.4636476090008061, 0.5585993153435624,
    0.6435011087932844, 0.7188299996216245, 0.7853981633974483,
)  # fmt: skip
# Taylor's factors, the highest power first.
_SINES = tuple((-1) ** (n // 2) / math.factorial(n) for n in range(17, 2, -2))
_COSINES = tuple((-1) ** (n // 2) / math.factorial(n) for n in range(18, 1, -2))
_EXPONENTIALS = tuple(1 / math.factorial(n) for n in range(15, -1, -1))
_LOGARITHMS = tuple(1 / n for n in range(23, 0, -2))
_ARCTANGENTS = tuple(1 / n for n in range(15, 0, -2))
_SIN, _COS, _TAN, _EXP, _TANH = range(5)
_ARCTAN2, _POWER = range(2)


def sin(x: ArrayLike) -> Any:
    """The sine. x: rad, a number or an array; returns a float, or an array of the dtype (float64 for integers)."""
    return _of_one(_SIN, x)


def cos(x: ArrayLike) -> Any:
    """The cosine, likewise."""
    return _of_one(_COS, x)


def tan(x: ArrayLike) -> Any:
    """The tangent, likewise."""
    return _of_one(_TAN, x)


def exp(x: ArrayLike) -> Any:
    """The exponential, likewise."""
    return _of_one(_EXP, x)


def tanh(x: ArrayLike) -> Any:
    """The hyperbolic tangent, likewise."""
    return _of_one(_TANH, x)


def arctan2(y: ArrayLike, x: ArrayLike) -> Any:
    """The angle of (x, y) in (−π, π], rad."""
    return _of_two(_ARCTAN2, y, x)


def arcsin(x: float) -> float:
    """The angle in [−π/2, π/2] (rad) of a sine."""
    return arctan2(float(x), math.sqrt(1 - x * x))


def power(base: ArrayLike, exponent: ArrayLike) -> Any:
    """base ** exponent, of bases that are not negative; to a few units in the last place."""
    return _of_two(_POWER, base, exponent)


def hypot(x: Any, y: Any, *more: Any) -> Any:
    """The length of a vector of these numbers or arrays."""
    square = x * x + y * y
    for part in more:
        square = square + part * part
    return math.sqrt(square) if isinstance(square, float) else np.sqrt(square)


def circle(angles: ArrayLike) -> NDArray[np.float64]:
    """The points (cos, sin) [..., 2] of the unit circle at angles [...] (rad)."""
    turns = np.ascontiguousarray(angles, np.float64)
    points = np.empty((turns.size, 2))
    _around(turns.reshape(-1), points)
    return points.reshape(*turns.shape, 2)


def length(vectors: NDArray[Any]) -> Any:
    """Lengths [...] of vectors [..., K]; of one vector, a float."""
    squares = np.sqrt((vectors * vectors).sum(axis=-1))
    return squares if squares.shape else float(squares)


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    """Vectors [..., K] of length 1 that point the same way."""
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cross product of two vectors [3]; of so few numbers, NumPy's takes twenty times as long."""
    (x, y, z), (u, v, w) = a.tolist(), b.tolist()
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def total(values: ArrayLike) -> float:
    """The sum of all values, rounded once: the same in any order."""
    return math.fsum(np.ravel(values).tolist())


def product(a: ArrayLike, b: ArrayLike) -> NDArray[Any]:
    """The matrix product of a [..., K] and b [K, M]: [..., M]; float32 where both are, else float64."""
    left, right = np.asarray(a), np.asarray(b)
    dtype = np.float32 if left.dtype == right.dtype == np.float32 else np.float64
    rows = np.ascontiguousarray(left, dtype).reshape(-1, right.shape[0])
    out = np.zeros((len(rows), right.shape[1]), dtype)
    _multiply(rows, np.ascontiguousarray(right, dtype), out)
    return out.reshape(*left.shape[:-1], right.shape[1])


def moved(poses: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """Points [..., 3] moved by poses [..., 4, 4], each by its own: [..., 3]."""
    x, y, z = points[..., 0:1], points[..., 1:2], points[..., 2:3]
    return poses[..., :3, 0] * x + poses[..., :3, 1] * y + poses[..., :3, 2] * z + poses[..., :3, 3]


def _of_one(which: int, x: ArrayLike) -> Any:
    if isinstance(x, float):
        return _one(which, x)
    values = np.asarray(x)
    if not values.shape:
        return _one(which, float(values))
    out = np.empty(values.size)
    _each(which, np.ascontiguousarray(values, np.float64).reshape(-1), out)
    return out.reshape(values.shape).astype(_kept(values), copy=False)


def _of_two(which: int, x: ArrayLike, y: ArrayLike) -> Any:
    if isinstance(x, float) and isinstance(y, (float, int)):
        return _two(which, x, float(y))
    first, second = np.broadcast_arrays(x, y)
    out = np.empty(first.size)
    pair = (np.array(values, np.float64, order="C").reshape(-1) for values in (first, second))
    _each_of_two(which, *pair, out)
    kept = out.reshape(first.shape).astype(_kept(first), copy=False)
    return kept if kept.shape else float(kept)


def _kept(values: NDArray[Any]) -> np.dtype[Any]:
    return values.dtype if values.dtype == np.float32 else np.dtype(np.float64)


@jit
def _multiply(a, b, out):
    for n in range(a.shape[0]):
        for k in range(a.shape[1]):
            for m in range(b.shape[1]):
                out[n, m] += a[n, k] * b[k, m]


@jit
def _one(which, x):
    """One of the functions of one number."""
    if which == _EXP:
        return _exp(x)
    if which == _TANH:
        smaller = _exp(-2.0 * abs(x))
        return math.copysign((1.0 - smaller) / (1.0 + smaller), x)
    c, s = _cos_sin(x)
    return s if which == _SIN else c if which == _COS else s / c


@jit
def _each(which, values, out):
    for n in range(len(values)):
        out[n] = _one(which, values[n])


@jit
def _two(which, x, y):
    """One of the functions of two numbers."""
    if which == _ARCTAN2:
        return _angle(x, y)
    return _exp(y * _log(x)) if x > 0.0 else np.float64(y == 0.0)


@jit
def _each_of_two(which, first, second, out):
    for n in range(len(first)):
        out[n] = _two(which, first[n], second[n])


@jit
def _around(angles, points):
    for n in range(len(angles)):
        points[n, 0], points[n, 1] = _cos_sin(angles[n])


# Series, as far as they count within the interval to which the argument is brought first.
@jit
def _cos_sin(x):
    quarters = math.floor(x * _PER_QUARTER + 0.5)
    rest = ((x - quarters * _QUARTER[0]) - quarters * _QUARTER[1]) - quarters * _QUARTER[2]  # at most π/4
    square, turn = rest * rest, np.int64(quarters) & 3
    s, c = 0.0, 0.0
    for factor in _SINES:
        s = s * square + factor
    for factor in _COSINES:
        c = c * square + factor
    s, c = rest + rest * (square * s), 1.0 + square * c
    if turn & 1:
        s, c = c, -s
    if turn & 2:
        s, c = -s, -c
    return c, s


@jit
def _exp(x):
    if x < -700.0 or x > 700.0:
        return 0.0 if x < 0.0 else math.inf
    doublings = math.floor(x * _PER_LN2 + 0.5)
    rest = (x - doublings * _LN2[0]) - doublings * _LN2[1]
    total = 0.0
    for factor in _EXPONENTIALS:
        total = total * rest + factor
    return total * np.int64((np.int64(doublings) + 1023) << 52).view(np.float64)


@jit
def _log(x):
    """Of a number above 0."""
    bits = np.float64(x).view(np.int64)
    doublings = np.float64((bits >> 52) - 1023)
    share = np.int64((bits & ((np.int64(1) << 52) - 1)) | (np.int64(1023) << 52)).view(np.float64)  # 1 to 2
    if share > 1.4142135623730951:
        share, doublings = 0.5 * share, doublings + 1.0
    ratio = (share - 1.0) / (share + 1.0)
    total, square = 0.0, ratio * ratio
    for factor in _LOGARITHMS:
        total = total * square + factor
    return doublings * _LN2[0] + (doublings * _LN2[1] + 2.0 * ratio * total)


@jit
def _angle(y, x):
    """Of (x, y), rad."""
    if x == 0.0 and y == 0.0:
        return 0.0
    tall = abs(y) > abs(x)
    slope = abs(x) / abs(y) if tall else abs(y) / abs(x)
    eighths = math.floor(8.0 * slope + 0.5)
    rest = (slope - eighths / 8.0) / (1.0 + slope * eighths / 8.0)  # at most 1/16
    total, square = 0.0, rest * rest
    for factor in _ARCTANGENTS:
        total = factor - total * square
    angle = _ATAN_OF_EIGHTHS[np.int64(eighths)] + rest * total
    if tall:
        angle = _QUARTER[0] - angle + _QUARTER[1]
    if x < 0.0:
        angle = 2.0 * _QUARTER[0] - angle + 2.0 * _QUARTER[1]
    return angle if y >= 0.0 else -angle
