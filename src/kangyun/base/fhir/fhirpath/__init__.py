"""FHIRPath (normative N1, FHIR R4) compiled once into Python closures.

Three doors, one parser:

``compile(expression, definitions=None, *, type_name=None, strict=False) -> Expression``
    The complete language. ``expression.evaluate(node, resource=None, root=None, variables=None, resolve=None,
    member_of=None, conforms_to=None) -> list`` returns `Node` for FHIR elements (``.type``, ``.value`` is the raw JSON)
    and system values for the rest (`bool`, `int`, `Decimal`, `str`, `Date`, `DateTime`, `Time`, `Quantity`);
    ``expression.holds(...)`` the same as True, False or None. ``plain(items)`` turns items into plain JSON. With
    ``type_name`` unknown elements are refused while compiling. ``strict`` also refuses what R4's own expressions need:
    ``as`` on several items, System types for FHIR primitives, positions in unordered collections.

``compile_invariant(expression, type_name, definitions=None) -> Invariant``
    ``invariant(node, resource=None, root=None, resolve=None) -> bool``. ``type_name`` is the type of the raw JSON
    `node` the constraint stands on: a resource or data type, or the element path of a backbone element, e.g.
    ``"Patient.contact"``. For a constraint on a primitive `node` is the bare value. An empty result counts as kept.
    ``resource`` is ``%resource`` (defaults to `node`), ``root`` is ``%rootResource`` (defaults to `resource`).

``compile_fast(expression, type_name, definitions=None) -> Extract``
    Search parameters. ``extract(resource) -> list[tuple[str, Json]]`` gives pairs of FHIR type name and raw JSON, e.g.
    ``[("Quantity", {...}), ("dateTime", "2026-01-01")]``; ``extract.types`` are the type names that can come out.
    ``where(resolve() is Patient)`` is judged by the reference's text, nothing is fetched. Parts of a union that begin at
    another resource type are dropped while compiling, and equal values of a union are kept twice.

The last two know the type of every path from the definitions (package `fast`): a choice element becomes one closure for
each type, and no value is wrapped. Parts without a static type (``descendants()``, ``iif()``) run in the complete
language, which carries the type with every value.

``resolve`` is ``Callable[[str], dict | None]``: the text of a reference to a resource; without it ``resolve()`` finds
contained resources of the root and otherwise makes an empty stand-in of the type the text names.

Faults: `FhirPathError` (``.position`` is the character offset in the expression), while compiling or evaluating; its
message never shows values. Regular expressions of ``matches()`` run without a time limit, so expressions from outside
must come from people who may administer the platform.
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
