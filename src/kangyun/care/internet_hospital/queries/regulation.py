"""Everything that the supervisor's data sets and alerts are computed from: consultations of some days with what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from kangyun.base.database import queries
from kangyun.care.internet_hospital.model import KIND, Node, id_of
from kangyun.care.internet_hospital.model.consultations import Consultation, consultation
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.model.places import Clinic, Hospital
from kangyun.care.internet_hospital.queries import places
from kangyun.commons.access import Handle
from kangyun.support import drugs

sql = queries("kangyun.care.internet_hospital", "queries/regulation.sql")

_AT_ONCE = 40
# Types that R4 finds by the patient only.
_BY_PATIENT = {"AdverseEvent": "subject"}
PAGE = 500
"""How many consultations are gathered at once."""


@dataclass(slots=True)
class Gathered:
    """Consultations, and by consultation what belongs to them; by_type: type -> id of the Encounter -> resources.

    signatures: reference of what is signed -> Provenances. controls: control classes of drugs by code. following: the cursor of the next page, or ''.
    """

    sessions: list[Consultation]
    following: str = ""
    by_type: dict[str, dict[str, list[Node]]] = field(default_factory=dict[str, dict[str, list[Node]]])
    patients: dict[str, Node] = field(default_factory=dict[str, Node])
    doctors: dict[tuple[str, str], Doctor] = field(default_factory=dict[tuple[str, str], Doctor])
    clinics: dict[str, Clinic] = field(default_factory=dict[str, Clinic])
    hospitals: dict[str, Hospital] = field(default_factory=dict[str, Hospital])
    signatures: dict[str, list[Node]] = field(default_factory=dict[str, list[Node]])
    controls: dict[str, str] = field(default_factory=dict[str, str])

    def of(self, type_: str, session: Consultation) -> list[Node]:
        """What belongs to a consultation of a type."""
        return self.by_type.get(type_, {}).get(session.id, [])


async def sessions(handle: Handle, first: date, last: date, *, after: str = "", institution: str = "") -> Gathered:
    """The consultations asked for on some days, both included, the oldest first; at most PAGE, from a cursor on."""
    query = [("_tag", f"{KIND}|"), ("date", f"ge{first.isoformat()}"), ("date", f"lt{(last + timedelta(days=1)).isoformat()}"), ("_sort", "date")]
    query += [("service-provider", f"Organization/{institution}")] if institution else []
    page = await handle.search("Encounter", after or [*query, ("_count", str(PAGE))])
    return Gathered([consultation(one) for one in page.resources], page.next or "")


async def offered(handle: Handle, found: Gathered) -> Gathered:
    """With the clinics and licences, open or closed."""
    for category in ("clinic", "advice-line"):
        found.clinics |= {one.id: one for one in await places.clinics(handle, category=category, closed=True)}
    found.hospitals = {one.institution: one for one in await places.hospitals(handle, closed=True)}
    return found


async def people(handle: Handle, found: Gathered) -> Gathered:
    """With the doctors as they are registered, and the patients."""
    found.doctors = {(one.practitioner, one.institution): one for one in await places.doctors_of(handle)}
    found.patients = {str(one["id"]): one for one in await _by_ids(handle, "Patient", {one.patient for one in found.sessions})}
    return found


async def belonging(handle: Handle, found: Gathered, types: Sequence[str]) -> Gathered:
    """With the resources of some types that refer to the consultations as their encounter."""
    for type_ in types:
        grouped: dict[str, list[Node]] = {one.id: [] for one in found.sessions}
        name = _BY_PATIENT.get(type_, "encounter")
        whose = [f"Patient/{one.patient}" if type_ in _BY_PATIENT else f"Encounter/{one.id}" for one in found.sessions]
        for chunk in _chunks(dict.fromkeys(whose)):
            for node in await _all(handle, type_, [(name, ",".join(chunk)), ("_count", "1000")]):
                if (session := _encounter(node)) in grouped:
                    grouped[session].append(node)
        found.by_type[type_] = grouped
    return found


def _encounter(node: Node) -> str:
    context = node.get("context", {})
    listed = context.get("encounter") if isinstance(context.get("encounter"), list) else None
    return id_of(node.get("encounter")) or (id_of(listed[0]) if listed else "") or id_of(context)


async def dispensed(handle: Handle, found: Gathered) -> Gathered:
    """With what was dispensed of the prescriptions, and with all signatures on prescriptions and records."""
    lines = {f"MedicationRequest/{one['id']}": session for session, nodes in found.by_type.get("MedicationRequest", {}).items() for one in nodes}
    grouped: dict[str, list[Node]] = {}
    for chunk in _chunks(lines):
        for node in await _all(handle, "MedicationDispense", [("prescription", ",".join(chunk)), ("_count", "1000")]):
            for one in node.get("authorizingPrescription", ()):
                grouped.setdefault(lines.get(str(one.get("reference", "")), ""), []).append(node)
    found.by_type["MedicationDispense"] = grouped
    return await signed(handle, found)


async def controlled(handle: Handle, found: Gathered) -> Gathered:
    """With the control classes of the drugs of the region's catalogue."""
    known = (await drugs.catalogue(handle)).drugs
    found.controls = {code: one.control for code, one in known.items() if one.control}
    return found


async def signed(handle: Handle, found: Gathered) -> Gathered:
    """With all signatures on prescriptions and records."""
    targets = [
        f"{type_}/{one['id']}" for type_ in ("MedicationRequest", "Composition") for nodes in found.by_type.get(type_, {}).values() for one in nodes
    ]
    for chunk in _chunks(targets):
        for node in await _all(handle, "Provenance", [("target", ",".join(chunk)), ("_count", "1000")]):
            for one in node.get("target", ()):
                found.signatures.setdefault(str(one.get("reference", "")).partition("/_history/")[0], []).append(node)
    return found


async def following(handle: Handle, found: Gathered) -> Gathered:
    """With bookings of what was ordered, payments, and complaints."""
    orders = {f"ServiceRequest/{one['id']}": session for session, nodes in found.by_type.get("ServiceRequest", {}).items() for one in nodes}
    found.by_type["Appointment"] = await _grouped(handle, "Appointment", "based-on", orders, "basedOn")
    found.by_type["Task"] = await _grouped(handle, "Task", "focus", {f"Encounter/{one.id}": one.id for one in found.sessions}, "focus")
    found.by_type["Invoice"] = await _invoices(handle, found)
    return found


async def _grouped(handle: Handle, type_: str, parameter: str, whose: dict[str, str], element: str) -> dict[str, list[Node]]:
    grouped: dict[str, list[Node]] = {}
    for chunk in _chunks(whose):
        for node in await _all(handle, type_, [(parameter, ",".join(chunk)), ("_count", "1000")]):
            named = node.get(element, [])
            for one in named if isinstance(named, list) else [named]:
                if (session := whose.get(str(one.get("reference", "")))) is not None:
                    grouped.setdefault(session, []).append(node)
    return grouped


async def _invoices(handle: Handle, found: Gathered) -> dict[str, list[Node]]:
    """The fee of each consultation, and what was paid for its prescriptions."""
    abouts = {one.id: one.id for one in found.sessions}
    for session, nodes in found.by_type.get("MedicationRequest", {}).items():
        abouts |= {str(one["groupIdentifier"]["value"]): session for one in nodes if "groupIdentifier" in one}
    async with handle.connection() as connection:
        rows = await connection.fetch(sql.orders, list(abouts))
    session_of = {str(row["order_id"]): abouts[row["about"]] for row in rows}
    grouped: dict[str, list[Node]] = {}
    for node in await _by_ids(handle, "Invoice", session_of):
        grouped.setdefault(session_of[str(node["id"])], []).append(node)
    return grouped


async def _by_ids(handle: Handle, type_: str, ids: Iterable[str]) -> list[Node]:
    found: list[Node] = []
    for chunk in _chunks(sorted(set(ids) - {""})):
        found += await _all(handle, type_, [("_id", ",".join(chunk)), ("_count", "1000")])
    return found


async def _all(handle: Handle, type_: str, query: list[tuple[str, str]]) -> list[Node]:
    """All pages of a search."""
    page = await handle.search(type_, query)
    found = list(page.resources)
    while page.next:
        page = await handle.search(type_, page.next)
        found += page.resources
    return found


def _chunks(found: Iterable[str]) -> Iterable[list[str]]:
    listed = list(found)
    return (listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE))
