"""FHIRPath (normative N1, FHIR R4) compiled once into Python closures.

Three doors, one parser:

``compile(expression, definitions=None, *, type_name=None, strict=False) -> Expression``
    The complete language. ``expression.evaluate(node, resource=None, root=None, variables=None, resolve=None) -> list``
    returns `Node` for FHIR elements (``.type``, ``.value`` is the raw JSON) and system values for the rest (`bool`,
    `int`, `Decimal`, `str`, `Date`, `DateTime`, `Time`, `Quantity`). ``plain(items)`` turns them into plain JSON.
    With ``type_name`` unknown elements are refused while compiling.

``compile_fast(expression, type_name, definitions=None) -> Extract``
    For search parameters. ``extract(resource: dict) -> list[tuple[str, Json]]`` pairs of FHIR type name and raw JSON
    node, e.g. ``[("HumanName", {...})]`` or ``[("Quantity", {...}), ("dateTime", "2026-01-01")]``. ``extract.types`` is
    the frozenset of type names that can come out. ``where(resolve() is Patient)`` is judged from the reference's text,
    nothing is fetched. Parts of a union that start at another resource type are dropped while compiling.

``compile_invariant(expression, type_name, definitions=None) -> Invariant``
    ``invariant(node, resource=None, root=None, resolve=None) -> bool``. ``type_name`` is the type of the raw JSON
    `node` the constraint stands on: a resource or data type, or the element path of a backbone element, e.g.
    ``"Patient.contact"``. For a constraint on a primitive `node` may be the bare value. An empty result counts as kept.
    ``resource`` is ``%resource`` (defaults to `node`), ``root`` is ``%rootResource`` (defaults to `resource`).

``resolve`` is ``Callable[[str], dict | None]``: the text of a reference to a resource; without it ``resolve()`` finds
contained resources of the root and otherwise makes an empty stand-in of the type the text names.

Faults: `FhirPathError` (``.position`` is the character offset in the expression), while compiling or evaluating.
"""

from __future__ import annotations

from .errors import FhirPathError
from .expression import Expression, compile  # noqa: A004 - the word of re.compile, which this is for FHIRPath
from .fast import Extract, Invariant, compile_fast, compile_invariant
from .nodes import Node
from .quantity import Quantity
from .temporal import Date, DateTime, Time
from .values import plain

__all__ = [
    "Date",
    "DateTime",
    "Expression",
    "Extract",
    "FhirPathError",
    "Invariant",
    "Node",
    "Quantity",
    "Time",
    "compile",
    "compile_fast",
    "compile_invariant",
    "plain",
]
