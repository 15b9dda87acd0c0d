"""The segments of HL7 v2 as each hospital writes them, with its habits."""

from __future__ import annotations

from datetime import date, datetime

from yunzhou import hl7, laboratory
from yunzhou.cards import Card
from yunzhou.hl7 import components, escape, segment
from yunzhou.institutions import NATIONAL_ID, Department, Doctor, Institution
from yunzhou.laboratory import Report, Result
from yunzhou.places import city
from yunzhou.plans import Diagnosis
from yunzhou.visits import Allergen, Visit

CLASSES = {"outpatient": "O", "emergency": "E", "inpatient": "I", "checkup": "O", "immunisation": "O"}
MARRIED = {
    "hl7": {"married": "M", "single": "S", "widowed": "W"},
    "gb": {"married": "20", "single": "10", "widowed": "30"},
}
SEXES = {"hl7": {"male": "M", "female": "F"}, "gb": {"male": "1", "female": "2"}}


class Pen:
    """Writes the segments of one hospital."""

    def __init__(self, house: Institution) -> None:
        self.house, self.habits = house, house.habits
        self._card: Card | None = None
        self._pid = ""
        self._visit: Visit | None = None
        self._pv1: dict[tuple[datetime | None, bool], str] = {}

    def identifier(self, number: str, kind: str, code: str = "") -> str:
        """Return a CX of the hospital; `kind` is "" for the record number, else as in institutions.KINDS."""
        if not self.habits.authority:
            return number
        oid = self.house.system(kind) if kind else self.house.oid
        return f"{number}^^^{self.house.mnemonic}&{oid}&ISO" + (f"^{code}" if code else "")

    def entity(self, number: str, kind: str) -> str:
        """Return an EI of an order or a report."""
        if not self.habits.authority:
            return number
        application = "HIS" if kind == "order" else "LIS"
        return f"{number}^{self.house.mnemonic}.{application}^{self.house.system(kind)}^ISO"

    def event(self, code: str, at: datetime) -> str:
        """Return EVN."""
        return segment("EVN", {1: code, 2: hl7.stamp(at, self.house)})

    def patient(self, card: Card) -> str:
        """Return PID; the messages of a visit have the same."""
        if self._card is not card:
            self._card, self._pid = card, self._patient(card)
        return self._pid

    def _patient(self, card: Card) -> str:
        person, habits = card.person, self.habits
        in_pid3 = habits.national_id == "pid3"
        numbers = [self.identifier(card.record, "", "MR")]
        if card.id_number and in_pid3:
            numbers.append(f"{card.id_number}^^^MOPS&{NATIONAL_ID}&ISO^NNCHN")
        newborn = card.newborn
        return segment("PID", {
            1: "1", 3: "~".join(numbers), 5: self.name(card), 7: plain(card.birth),
            8: SEXES[habits.codes][card.sex], 11: self.address(card), 13: self.phone(card.phone),
            16: MARRIED[habits.codes][card.marriage], 19: "" if in_pid3 else card.id_number,
            21: self.identifier(card.mother_record, "", "MR") if newborn else "",
            22: components(*person.ethnicity, "GB/T 3304"), 28: "CHN",
            29: plain(card.death) if card.death else "", 30: "Y" if card.death else "",
        })  # fmt: skip

    def name(self, card: Card) -> str:
        """Return the name in characters, and in pinyin where the hospital has it."""
        name = card.name
        if self.habits.name == "whole":
            return escape(name.text if not card.latin else f"{name.family_pinyin} {name.given_pinyin}".strip())
        pinyin = components(name.family_pinyin, name.given_pinyin, "", "", "", "", "L", "A")
        if card.latin:
            return pinyin
        return f"{components(name.family, name.given, '', '', '', '', 'L', 'I')}~{pinyin}"

    def address(self, card: Card) -> str:
        """Return the address in parts or in one piece."""
        place, area = card.place, city()
        if self.habits.address == "whole":
            return escape(card.address)
        return components(card.line, "", area.city.name, area.province.name, place.zip, "CHN", "H", "", place.division)

    def phone(self, number: str) -> str:
        """Return an XTN: the number in the component of the hospital's habit."""
        if not number or self.habits.phone == 1:
            return number
        return "^PRN^CP" + "^" * (self.habits.phone - 3) + number

    def relative(self, card: Card) -> list[str]:
        """Return NK1 with the nearest relative, if there is one."""
        contact = card.contact
        if contact is None:
            return []
        spouse = contact.member == card.person.partner
        name = contact.name
        text = (
            escape(name.text)
            if self.habits.name == "whole"
            else components(name.family, name.given, "", "", "", "", "L", "I")
        )
        relation = components(*(("SPO", "配偶") if spouse else ("MTH", "母亲")), "HL70063")
        return [segment("NK1", {1: "1", 2: text, 3: relation, 5: self.phone(card.contact_phone)})]

    def doctor(self, doctor: Doctor) -> str:
        """Return XCN of a doctor."""
        if not self.habits.authority:
            return components(doctor.number, doctor.name.text)
        staff = f"{self.house.mnemonic}&{self.house.system('staff')}&ISO"
        return f"{components(doctor.number, doctor.name.family, doctor.name.given)}^^^^^^{staff}"

    def location(self, department: Department, bed: str) -> str:
        """Return PL: department, room, bed."""
        room, _, number = bed.partition("-")
        if not self.habits.authority:
            return components(department.code, room, number)
        place = f"{department.code}^{room}^{number}^{self.house.mnemonic}&{self.house.oid}&ISO"
        return f"{place}^^^^^{escape(department.name)}"

    def visit(self, visit: Visit, *, ended: datetime | None = None, moved: bool = False) -> str:
        """Return PV1; `moved` after the transfer of the visit, `ended` at or after its end."""
        known = self._pv1.get((ended, moved)) if self._visit is visit else None
        if known is None:
            if self._visit is not visit:
                self._visit = visit
                self._pv1.clear()
            known = self._pv1[ended, moved] = self._written_visit(visit, ended, moved=moved)
        return known

    def _written_visit(self, visit: Visit, ended: datetime | None, *, moved: bool) -> str:
        before, now = "", self.location(visit.department, visit.bed)
        if moved and visit.transfer:
            before, now = now, self.location(visit.transfer.department, visit.transfer.bed)
        return segment("PV1", {
            1: "1", 2: CLASSES[visit.kind], 3: now, 6: before, 7: self.doctor(visit.doctor), 10: visit.department.code,
            19: self.identifier(visit.number, "visit", "VN"), 36: "01" if ended and visit.kind == "inpatient" else "",
            44: hl7.stamp(visit.start, self.house), 45: hl7.stamp(ended, self.house) if ended else "",
        })  # fmt: skip

    def diagnosis(self, number: int, diagnosis: Diagnosis, kind: str, at: datetime) -> str:
        """Return DG1; `kind` is A admitting, W working or F final (HL7 table 0052)."""
        modern = self.habits.diagnosis_system
        code = components(diagnosis.code, diagnosis.name, "I10" if modern else "")
        stamp = hl7.stamp(at, self.house)
        return segment("DG1", {1: str(number), 2: "" if modern else "I10", 3: code, 5: stamp, 6: kind})

    def allergy(self, number: int, allergen: Allergen) -> str:
        """Return AL1."""
        code = components(allergen.code, allergen.name, f"99{self.house.mnemonic}")
        fields = {1: str(number), 2: allergen.kind, 3: code, 4: allergen.severity, 5: escape(allergen.reaction)}
        return segment("AL1", fields)

    def merged(self, record: str) -> str:
        """Return MRG: the record number that disappears."""
        return segment("MRG", {1: self.identifier(record, "", "MR")})

    def request(
        self, visit: Visit, number: str, code: str, collected: datetime, issued: datetime, *, kind: str = "report",
    ) -> list[str]:  # fmt: skip
        """Return ORC (where the hospital has it) and OBR of a report or a document (`kind`)."""
        order, report = self.entity(f"{number}P", "order"), self.entity(number, kind)
        orc = [segment("ORC", {1: "RE", 2: order, 3: report, 5: "CM"})] if self.habits.orders else []
        obr = segment("OBR", {
            1: "1", 2: order, 3: report, 4: code, 7: hl7.stamp(collected, self.house), 16: self.doctor(visit.doctor),
            22: hl7.stamp(issued, self.house), 24: "LAB", 25: "F",
        })  # fmt: skip
        return [*orc, obr]

    def panel(self, report: Report) -> str:
        """Return OBR-4 of a report."""
        panel = laboratory.catalogue().panels[report.panel]
        local = panel.tcm if self.habits.local_first else panel.local
        return self.coded(panel.loinc, local, panel.name)

    def coded(self, loinc: str, local: str, name: str) -> str:
        """Return a CE with LOINC and the local code in the order of the hospital's habit."""
        public = (loinc, name, "LN") if loinc else ()
        private = (local, name, f"99{self.house.mnemonic}")
        return components(*private, *public) if self.habits.local_first else components(*public, *private)

    def result(self, number: int, result: Result, *, arrows: bool) -> str:
        """Return OBX of a laboratory result; `arrows` for analysers that print ↑ and ↓."""
        code, unit = self.item(result.item)
        flag = ARROWS.get(result.flag, result.flag) if arrows else result.flag
        kind = "NM" if result.numeric else "ST"
        at = hl7.stamp(result.at, self.house)
        return f"OBX|{number}|{kind}|{code}||{escape(result.value)}|{unit}|{self.reference(result)}|{flag}|||F|||{at}"

    def item(self, key: str) -> tuple[str, str]:
        """Return OBX-3 and OBX-6 of a laboratory item."""
        known = ITEMS.get((self.house.key, key))
        if known is None:
            item = laboratory.catalogue().items[key]
            local, unit = item.tcm if self.habits.local_first else (item.local, item.unit)
            known = ITEMS[self.house.key, key] = self.coded(item.loinc, local, item.name), escape(unit)
        return known

    def reference(self, result: Result) -> str:
        """Return the reference range: `3.9-6.1`, or `>=1.00`, or `<=5.20`."""
        if result.low and result.high:
            return f"{result.low}{self.habits.dash}{result.high}"
        if result.low:
            return f">={result.low}"
        return f"<={result.high}" if result.high else ""


def plain(day: date) -> str:
    """Return a day as YYYYMMDD."""
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


ITEMS: dict[tuple[int, str], tuple[str, str]] = {}
ARROWS = {"N": "", "H": "↑", "HH": "↑", "L": "↓", "LL": "↓", "A": ""}
