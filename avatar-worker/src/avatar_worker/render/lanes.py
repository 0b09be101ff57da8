"""Eight whole numbers side by side, which one instruction works on at once.

A loop over a line as short as a cell is wide becomes single steps, one pixel after the other. In
compiled loops `Lanes` are numbers like others: `+ - * & | >>` among themselves and with an integer.
They are 32 bits wide and wrap around; `>>` keeps the sign.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

COUNT: Final = 8

_BYTE: Final = ir.IntType(8)
_INT: Final = ir.IntType(32)
_VECTOR: Final = ir.VectorType(_INT, COUNT)
_UNALIGNED: Final = 1


def _instruction(function: Any) -> Any:
    """Make a function say what LLVM is to do; numba's own decorator hides the first argument."""
    return intrinsic(function)


class Lanes(types.Type):
    """The type of `COUNT` numbers side by side."""

    def __init__(self) -> None:
        super().__init__("Lanes")


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


LANES: Final = Lanes()


def _constant(values: Iterable[int]) -> ir.Constant:
    return ir.Constant(_VECTOR, list(values))


def _same(builder: Any, value: Any) -> Any:
    """A number in every lane."""
    narrow = builder.trunc(value, _INT) if value.type.width > 32 else value
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), narrow, _INT(0))
    return builder.shuffle_vector(first, first, _constant([0] * COUNT))


def _operator(sign: Callable[[Any, Any], Any], step: str) -> None:
    """Teach the compiler `Lanes sign Lanes`, and with an integer on either side."""

    @_instruction
    def work(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            left = given[0] if isinstance(a, Lanes) else _same(builder, given[0])
            right = given[1] if isinstance(b, Lanes) else _same(builder, given[1])
            return getattr(builder, step)(left, right)

        return LANES(a, b), code

    @overload(sign, strict=False)  # a lambda has no annotations
    def known(a: Any, b: Any) -> Any:
        if not any(isinstance(kind, Lanes) for kind in (a, b)):
            return None
        return lambda a, b: work(a, b)


for _sign, _step in (
    (operator.add, "add"), (operator.sub, "sub"), (operator.mul, "mul"), (operator.and_, "and_"),
    (operator.or_, "or_"), (operator.rshift, "ashr"),
):  # fmt: skip
    _operator(_sign, _step)


@_instruction
def along(typing: Any, start: Any, step: Any, bend: Any) -> Any:
    """`start + step x` for x = 0 to 7, and from 4 on `bend (x - 4)` more. Of int32."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        first, by, more = (_same(builder, value) for value in given)
        late = builder.mul(more, _constant(max(x - 4, 0) for x in range(COUNT)))
        return builder.add(first, builder.add(builder.mul(by, _constant(range(COUNT))), late))

    return LANES(start, step, bend), code


@_instruction
def clamped(typing: Any, lanes: Any, most: Any) -> Any:
    """Bring every number between 0 and `most`."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        value, zero = given[0], _constant([0] * COUNT)
        value = builder.select(builder.icmp_signed("<", value, zero), zero, value)
        top = _same(builder, given[1])
        return builder.select(builder.icmp_signed(">", value, top), top, value)

    return LANES(lanes, most), code


def _every_other(first: int) -> Any:
    @_instruction
    def picked(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return builder.shuffle_vector(*given, _constant(range(first, 2 * COUNT, 2)))

        return LANES(a, b), code

    return picked


evens, odds = _every_other(0), _every_other(1)
"""The first, third, ... of two rows of lanes, one after the other; the second, fourth, ..."""


def _place(context: Any, builder: Any, kind: Any, array: Any, at: Any, width: int) -> Any:
    """Where entries of a flat array lie, as a vector."""
    start = context.make_array(kind)(context, builder, array).data
    vector = ir.VectorType(ir.IntType(kind.dtype.bitwidth), width)
    return builder.bitcast(builder.gep(start, [at]), vector.as_pointer())


@_instruction
def eight_of(typing: Any, array: Any, at: Any) -> Any:
    """Eight entries of a flat array of bytes or 32-bit numbers, from `at` on."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, array, given[0], given[1], COUNT)
        value = builder.load(place, align=_UNALIGNED)
        return value if array.dtype.bitwidth == 32 else builder.zext(value, _VECTOR)

    return LANES(array, at), code


@_instruction
def four_and_four_of(typing: Any, array: Any, at: Any, then: Any) -> Any:
    """Four bytes of a flat array from `at` on, and four from `then` on."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        both = [
            builder.load(_place(context, builder, array, given[0], place, 4), align=_UNALIGNED)
            for place in given[1:]
        ]
        return builder.zext(builder.shuffle_vector(*both, _constant(range(COUNT))), _VECTOR)

    return LANES(array, at, then), code


@_instruction
def gathered(typing: Any, array: Any, at: Any) -> Any:
    """The entries of a flat array of 32-bit numbers that lanes name."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        value, start = ir.Constant(_VECTOR, ir.Undefined), context.make_array(array)
        entries = start(context, builder, given[0]).data
        for n in range(COUNT):
            index = builder.sext(builder.extract_element(given[1], _INT(n)), cgutils.intp_t)
            one = builder.load(builder.gep(entries, [index]))
            value = builder.insert_element(value, one, _INT(n))
        return value

    return LANES(array, at), code


@_instruction
def put(typing: Any, array: Any, at: Any, lanes: Any) -> Any:
    """Write every number, or its lowest byte, into a flat array of 32 bits, or bytes, from `at` on."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place, value = _place(context, builder, array, given[0], given[1], COUNT), given[2]
        if array.dtype.bitwidth == 8:
            value = builder.trunc(value, ir.VectorType(_BYTE, COUNT))
        builder.store(value, place, align=_UNALIGNED)
        return context.get_dummy_value()

    return types.void(array, at, lanes), code


@_instruction
def put_four_and_four(typing: Any, array: Any, at: Any, then: Any, lanes: Any) -> Any:
    """As `put`, four from `at` on and four from `then` on."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        low = builder.trunc(given[3], ir.VectorType(_BYTE, COUNT))
        for n, place in enumerate(given[1:3]):
            mask = ir.Constant(ir.VectorType(_INT, 4), list(range(4 * n, 4 * n + 4)))
            four = builder.shuffle_vector(low, low, mask)
            where = _place(context, builder, array, given[0], place, 4)
            builder.store(four, where, align=_UNALIGNED)
        return context.get_dummy_value()

    return types.void(array, at, then, lanes), code
