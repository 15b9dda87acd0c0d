"""Master files of studies (CM0 to CM2), of stock (IIM, ITM, ILT) and of diagnosis related groups (DMI).

HL7 v2.5.1 chapter 8, sections 8.11 and 8.12; v2.6 chapters 8 and 17; table 0776.
"""

from __future__ import annotations

from typing import Any

from kangyun.commons.exchange.decisions import codes, numbers, quantities, times
from kangyun.commons.exchange.decisions.directory import in_use
from kangyun.commons.exchange.decisions.drafts import Draft, Sheet
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.values import asserter, company_of
from kangyun.commons.exchange.model import Fault

_STAYS = ((3, "shortest-stay"), (4, "longest-stay"), (5, "mean-stay"))


def entry_of_list(segment: Segment, sheet: Sheet) -> None:
    """MFE whose entry stands in the segment behind it, of the list that MFI has named."""
    sheet.order = segment


def group(segment: Segment, sheet: Sheet) -> None:
    """DMI: a diagnosis related group of the list, its main category and how many days such stays last. Raises Fault."""
    draft = _behind(sheet, "CodeSystem", "MFI")
    code, text = segment.text(1), segment.text(1, 2)
    if not code:
        raise Fault("exchange.missing-field", "DMI-1", code="101")
    if sheet.order is not None and sheet.order.text(1).upper() == "MDL":
        draft.gone.append(code)
        return
    told: list[dict[str, Any]] = [] if in_use(sheet) else [{"code": "inactive", "valueBoolean": True}]
    category = " ".join(one for one in (segment.text(2), segment.text(2, 2)) if one)
    told += [{"code": "mdc", "valueString": category}] if category else []
    told += [{"code": name, "valueDecimal": _decimal(segment, field)} for field, name in _STAYS if segment.text(field)]
    one = {"code": code, **({"display": text} if text else {}), **({"property": told} if told else {})}
    earlier = [other for other in draft.resource.get("concept", []) if other["code"] != code]
    draft.resource["concept"] = [*earlier, one]


def study(segment: Segment, sheet: Sheet) -> None:
    """CM0 to ResearchStudy, known by its sponsor's number. Raises Fault."""
    given = [one for field in (2, 3) if (one := numbers.entity(segment, field, "FILL", sheet))]
    if not segment.text(2):
        raise Fault("exchange.missing-field", "CM0-2", code="101")
    if not segment.text(4):
        raise Fault("exchange.missing-field", "CM0-4", code="101")
    found: dict[str, Any] = {
        "resourceType": "ResearchStudy", "status": "active" if in_use(sheet) else "administratively-completed", "title": segment.text(4),
        "identifier": [{"system": one["system"], "value": one["value"]} for one in given], "sponsor": sheet.organization(),
    }  # fmt: skip
    leader = asserter(segment, 5, sheet, {})
    if leader:
        found["principalInvestigator"] = leader
    sheet.request = sheet.add(found, given[0]["system"], given[0]["value"], join="update")


def phase(segment: Segment, sheet: Sheet) -> None:
    """CM1: a phase of the study before it. Raises Fault."""
    draft = _behind(sheet, "ResearchStudy", "CM0")
    name, text = segment.text(2, 2) or segment.text(2), segment.text(3)
    if not name:
        raise Fault("exchange.missing-field", "CM1-2", code="101")
    draft.resource.setdefault("arm", []).append({"name": name, **({"description": text} if text else {})})


def visit_of_study(segment: Segment, sheet: Sheet) -> None:
    """CM2: a time at which the study sees its people, as a note. Raises Fault."""
    draft = _behind(sheet, "ResearchStudy", "CM0")
    line = " ".join(one for one in (segment.text(2, 2) or segment.text(2), segment.text(3)) if one)
    if line:
        draft.resource.setdefault("note", []).append({"text": line})


def stocked(segment: Segment, sheet: Sheet) -> None:
    """IIM to Device: a lot of what is in stock, and how much of it. Raises Fault."""
    key, kind = segment.text(1), codes.concept(segment.parts(segment.raw(2)), sheet.sender)
    if not key or kind is None:
        raise Fault("exchange.missing-field", "IIM-2" if key else "IIM-1", code="101")
    found = _lot(segment, sheet, (3, 4), (12, 13))
    maker = company_of(segment.text(5), segment.text(5, 2), sheet)
    found |= {"type": kind, "identifier": [{"system": f"{sheet.sender.urn}:stock", "value": key}]}
    found |= {"manufacturer": maker["display"]} if maker else {}
    sheet.request = sheet.add(found, sheet.sender.key, "IIM", key, segment.text(3), join="update")


def material(segment: Segment, sheet: Sheet) -> None:
    """ITM to DeviceDefinition: a thing that the sender keeps in stock. Raises Fault."""
    number, name = segment.text(1), segment.text(2)
    if not number or not name:
        raise Fault("exchange.missing-field", "ITM-2" if number else "ITM-1", code="101")
    kind = codes.concept(segment.parts(segment.raw(4)), sheet.sender, "HL70778")
    found: dict[str, Any] = {
        "resourceType": "DeviceDefinition", "identifier": [{"system": f"{sheet.sender.urn}:materials", "value": number}],
        "deviceName": [{"name": name, "type": "user-friendly-name"}], "owner": sheet.organization(),
        **({"type": kind} if kind else {}), **({"manufacturerString": segment.text(8)} if segment.text(8) else {}),
        **({"modelNumber": segment.text(9)} if segment.text(9) else {}),
    }  # fmt: skip
    sheet.request = sheet.add(found, sheet.sender.key, "ITM", number, join="update")


def lot(segment: Segment, sheet: Sheet) -> None:
    """ILT to Device: a lot of the thing before it, and how much of it there is. Raises Fault."""
    draft = _behind(sheet, "DeviceDefinition", "ITM")
    if not segment.text(2):
        raise Fault("exchange.missing-field", "ILT-2", code="101")
    found = _lot(segment, sheet, (2, 3), (9, 10))
    found["definition"] = draft.reference
    found["deviceName"] = draft.resource["deviceName"]
    sheet.add(found, *draft.seed, segment.text(2), join="update")


def _lot(segment: Segment, sheet: Sheet, batch: tuple[int, int], stock: tuple[int, int]) -> dict[str, Any]:
    """The Device of a lot: `batch` are the fields of its number and expiry, `stock` of what is on hand and its unit."""
    number, expiry = segment.text(batch[0]), segment.text(batch[1])
    found: dict[str, Any] = {"resourceType": "Device", "status": "active" if in_use(sheet) else "inactive", "owner": sheet.organization()}
    found |= {"lotNumber": number} if number else {}
    try:
        found |= {"expirationDate": times.to_datetime(expiry, sheet.sender.zone)} if expiry else {}
    except Fault as fault:
        fault.place = f"{segment.name}-{batch[1]}"
        raise
    if segment.text(stock[0]):
        unit = segment.text(stock[1], 2) or segment.text(stock[1])
        amount = {"value": _decimal(segment, stock[0]), **({"unit": unit} if unit else {})}
        found["property"] = [{"type": {"text": "on hand"}, "valueQuantity": [amount]}]
    return found


def _behind(sheet: Sheet, type_: str, segment: str) -> Draft:
    draft = sheet.request
    if draft is None or draft.type != type_:
        raise Fault("exchange.missing-segment", segment, {"segment": segment}, code="100")
    return draft


def _decimal(segment: Segment, field: int) -> Any:
    try:
        return quantities.decimal(segment.text(field))
    except Fault as fault:
        fault.place = f"{segment.name}-{field}"
        raise
