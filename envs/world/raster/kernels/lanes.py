"""Vector stores that LLVM does not find by itself: loops over a run are too short for it.

Each of these writes RUN numbers at once, as LLVM instructions that stand in the compiled function as they are.
"""

from typing import Any

from llvmlite import ir
from numba import extending, types

from embodied_ssl.envs.world.raster.kernels.buffers import INTERPOLATED, LANES, LENGTH

RUN = 8  # fragments of a span that go into a block at once

intrinsic: Any = extending.intrinsic  # a call leaves out the first parameter


@intrinsic
def put_line(_, numbers, at, begin, planes, base, x, y, stride):
    """numbers[k · LENGTH + at + i] = what the k-th plane from `base` is at (x, y) + (begin + i) · stride along the row.

    For all that is interpolated, and i below RUN; float32, but `at` and `base` uint64.
    """

    def generate(context, builder, signature, arguments):
        numbers, at, begin, planes, base, x, y, stride = arguments
        wide, integer = ir.VectorType(ir.FloatType(), LANES), at.type
        terms = [
            builder.load(
                _place_of(context, builder, signature.args[3], planes, builder.add(base, integer(LANES * term)), wide),
                align=4,
            )
            for term in range(3)
        ]
        x, y, stride = (_copies_of(builder, value, LANES) for value in (x, y, stride))
        value = builder.fadd(builder.fadd(builder.fmul(terms[0], x), builder.fmul(terms[1], y)), terms[2])
        step, begin = builder.fmul(terms[0], stride), _copies_of(builder, begin)
        for k in range(INTERPOLATED):
            ramp = _ramp(builder, begin, _copies(builder, value, k), _copies(builder, step, k))
            _store(context, builder, signature.args[0], numbers, builder.add(at, integer(k * LENGTH)), ramp)
        return context.get_dummy_value()

    return types.void(numbers, at, begin, planes, base, x, y, stride), generate


@intrinsic
def put_ramp(_, array, at, begin, first, step):
    """array[at + i] = first + (begin + i) · step for i below RUN; float32, but `at` uint64."""

    def generate(context, builder, signature, arguments):
        ramp = _ramp(builder, *(_copies_of(builder, value) for value in arguments[2:]))
        _store(context, builder, signature.args[0], arguments[0], arguments[1], ramp)
        return context.get_dummy_value()

    return types.void(array, at, begin, first, step), generate


@intrinsic
def put_copies(_, array, at, value):
    """array[at + i] = value for i below RUN; of one type."""

    def generate(context, builder, signature, arguments):
        copies = _copies_of(builder, arguments[2])
        _store(context, builder, signature.args[0], arguments[0], arguments[1], copies)
        return context.get_dummy_value()

    return types.void(array, at, value), generate


def _copies(builder, vector, lane):
    """RUN copies of a number of an LLVM vector."""
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), RUN), [lane] * RUN)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), lanes)


def _copies_of(builder, value, count=RUN):
    """A number as a vector of so many copies."""
    vector, integer = ir.VectorType(value.type, count), ir.IntType(32)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(integer, 0))
    return builder.shuffle_vector(single, single, ir.Constant(ir.VectorType(integer, count), [0] * count))


def _place_of(context, builder, array_type, array, at, vector):
    """Where an array's elements from `at` on lie, as a vector."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _store(context, builder, array_type, array, at, vector):
    builder.store(vector, _place_of(context, builder, array_type, array, at, vector.type), align=4)


def _ramp(builder, begin, first, step):
    counts = builder.fadd(begin, ir.Constant(begin.type, [float(i) for i in range(RUN)]))
    return builder.fadd(first, builder.fmul(counts, step))
