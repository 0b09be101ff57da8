"""What ONNX nodes do, in torch, by kinds. Only the operators that our synthesisers use are known."""

from . import pointwise, products, shapes
from .pointwise import ARITHMETIC
from .recurrent import remember
from .registry import OPERATORS, Attributes, Operator

SHAPED = products.SHAPED | shapes.SHAPED
"""Operators whose other inputs say how, not what."""

__all__ = ["ARITHMETIC", "OPERATORS", "SHAPED", "Attributes", "Operator", "pointwise", "remember"]
