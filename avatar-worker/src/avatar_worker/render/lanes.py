"""Eight or four whole numbers side by side, which one instruction works on at once.

A loop over a line as short as a cell is wide becomes single steps, one pixel after the other. In
compiled loops `Lanes` are numbers like others: `+ - * & >>` among themselves and with an integer.
They are 32 bits wide and wrap around; `>>` keeps the sign.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

_INT: Final = ir.IntType(32)
_SPREAD: Final = {
    8: ((0, 1, 2, 3, 4, 5, 6, 7), (0, 0, 0, 0, 0, 1, 2, 3)),
    4: ((1, 5, 9, 13), (0, 0, 1, 5)),
}
_UNALIGNED: Final = 1


def _instruction(function: Any) -> Any:
    """Make a function say what LLVM is to do; numba's own decorator hides the first argument."""
    return intrinsic(function)


class Lanes(types.Type):
    """The type of `count` numbers side by side."""

    def __init__(self, count: int) -> None:
        super().__init__(f"Lanes({count})")
        self.count = count

    @property
    def vector(self) -> ir.VectorType:
        """The same for LLVM."""
        return ir.VectorType(_INT, self.count)


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, kind.vector)  # type: ignore[no-untyped-call]


EIGHT, FOUR = Lanes(8), Lanes(4)


def _constant(kind: Lanes, values: Any) -> ir.Constant:
    return ir.Constant(kind.vector, list(values))


def _same(builder: Any, kind: Lanes, value: Any) -> Any:
    """A number in every lane."""
    narrow = builder.trunc(value, _INT) if value.type.width > 32 else value
    first = builder.insert_element(ir.Constant(kind.vector, ir.Undefined), narrow, _INT(0))
    return builder.shuffle_vector(first, first, _constant(kind, [0] * kind.count))


def _operator(sign: Callable[[Any, Any], Any], step: str) -> None:
    """Teach the compiler `Lanes sign Lanes`, and with an integer on either side."""

    @_instruction
    def work(typing: Any, a: Any, b: Any) -> Any:
        kind = a if isinstance(a, Lanes) else b

        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            left = given[0] if isinstance(a, Lanes) else _same(builder, kind, given[0])
            right = given[1] if isinstance(b, Lanes) else _same(builder, kind, given[1])
            return getattr(builder, step)(left, right)

        return kind(a, b), code

    @overload(sign, strict=False)  # a lambda has no annotations
    def known(a: Any, b: Any) -> Any:
        if not any(isinstance(kind, Lanes) for kind in (a, b)):
            return None
        return lambda a, b: work(a, b)


for _sign, _step in (
    (operator.add, "add"), (operator.sub, "sub"), (operator.mul, "mul"), (operator.and_, "and_"),
    (operator.rshift, "ashr"), (operator.or_, "or_"),
):  # fmt: skip
    _operator(_sign, _step)


def _spread(kind: Lanes) -> Any:
    @_instruction
    def places(typing: Any, start: Any, step: Any, bend: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            first, by, more = (_same(builder, kind, value) for value in given)
            ramp, late = (_constant(kind, values) for values in _SPREAD[kind.count])
            return builder.add(first, builder.add(builder.mul(by, ramp), builder.mul(more, late)))

        return kind(start, step, bend), code

    return places


along_luma = _spread(EIGHT)
"""`start + step x` for x = 0 to 7, and from 4 on `bend (x - 4)` more. Of int32."""

along_chroma = _spread(FOUR)
"""The same between pixels, at x = 0.5, 2.5, 4.5, 6.5; step and bend are given halved."""


@_instruction
def clamped(typing: Any, lanes: Any, most: Any) -> Any:
    """Bring every number between 0 and `most`."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        value, zero = given[0], _constant(lanes, [0] * lanes.count)
        value = builder.select(builder.icmp_signed("<", value, zero), zero, value)
        top = _same(builder, lanes, given[1])
        return builder.select(builder.icmp_signed(">", value, top), top, value)

    return lanes(lanes, most), code


def _data(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """Where an entry of a flat array lies."""
    start = context.make_array(kind)(context, builder, array).data
    return builder.gep(start, [at])


def _read(builder: Any, place: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=_UNALIGNED)


@_instruction
def eight_of(typing: Any, array: Any, at: Any) -> Any:
    """Eight entries of a flat array of bytes or 32-bit numbers, from `at` on."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        width = array.dtype.bitwidth
        kind = ir.VectorType(ir.IntType(width), 8)
        value = _read(builder, _data(context, builder, array, *given), kind)
        return value if width == 32 else builder.zext(value, EIGHT.vector)

    return EIGHT(array, at), code


@_instruction
def four_of(typing: Any, array: Any, at: Any) -> Any:
    """Four bytes of a flat array."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), 4)
        value = _read(builder, _data(context, builder, array, *given), kind)
        return builder.zext(value, FOUR.vector)

    return FOUR(array, at), code


@_instruction
def gathered(typing: Any, array: Any, at: Any) -> Any:
    """The entries of a flat array of 32-bit numbers that lanes name."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        value = ir.Constant(at.vector, ir.Undefined)
        for n in range(at.count):
            index = builder.sext(builder.extract_element(given[1], _INT(n)), cgutils.intp_t)
            place = _data(context, builder, array, given[0], index)
            value = builder.insert_element(value, builder.load(place), _INT(n))
        return value

    return at(array, at), code


def _every_other(first: int) -> Any:
    @_instruction
    def picked(typing: Any, lanes: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            mask = _constant(FOUR, range(first, 8, 2))
            return builder.shuffle_vector(given[0], given[0], mask)

        return FOUR(lanes), code

    return picked


even, odd = _every_other(0), _every_other(1)
"""The first, third, ... of eight; the second, fourth, ..."""


@_instruction
def put(typing: Any, array: Any, at: Any, lanes: Any) -> Any:
    """Write the lowest byte of every number into a flat array of bytes, from `at` on."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), lanes.count)
        place = _data(context, builder, array, given[0], given[1])
        bytes_ = builder.trunc(given[2], kind)
        builder.store(bytes_, builder.bitcast(place, kind.as_pointer()), align=_UNALIGNED)
        return context.get_dummy_value()

    return types.void(array, at, lanes), code
