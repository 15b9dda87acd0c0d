"""The nouns of a prescription's way: what a doctor hands in, where it stands, what a parcel is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256

from kangyun.support.drugs.model.review import Prescription

PRESCRIPTION_SYSTEM = "urn:kangyun:prescription"
"""Numbers of prescriptions, which are their trace codes too: `groupIdentifier` of each MedicationRequest."""
LINE_SYSTEM = "urn:kangyun:prescription-line"
TITLE_SYSTEM = "urn:kangyun:title"
"""Titles of doctors in PractitionerRole.code: resident, attending, associate, chief."""
RIGHT_SYSTEM = "urn:kangyun:prescribing-right"
"""What a doctor may prescribe, in Practitioner.qualification.code: the words of `Prescriber.rights`."""
REVIEW_SYSTEM = "urn:kangyun:review"
"""Codes of the Task and of the DetectedIssues of a review."""
PARCEL_SYSTEM = "urn:kangyun:parcel"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a doctor hands in: for which Patient (id) in which Encounter (id); `replaces`: number of a returned one."""

    patient: str
    encounter: str
    prescription: Prescription
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Where a prescription stands: the row of drugs_prescription (migration 0631 says what each field is)."""

    resident: int
    number: str
    patient: str
    encounter: str
    institution: str
    practitioner: str
    kind: str
    sheet: str
    setting: str
    control: str
    lines: int
    state: str
    version: int
    made: datetime
    signed: datetime | None
    valid_until: datetime
    review_due: datetime | None
    claimed_until: datetime | None
    reviewer: str
    asked: bool
    way: str
    pharmacy: str
    courier: str
    address: str
    lock_until: datetime | None
    lock_key: str
    paid: datetime | None
    code_salt: int
    code_tries: int
    cold: str
    keep_until: date | None

    @property
    def urgent(self) -> bool:
        """Whether the doctor must do something about it."""
        return self.state in {"returned", "confirming", "draft"}

    @property
    def line_ids(self) -> list[str]:
        """The ids of its MedicationRequests."""
        return [f"{self.number}-{place + 1}" for place in range(self.lines)]

    @property
    def task(self) -> str:
        """The id of the Task of its review."""
        return f"{self.number}-review"

    @property
    def errand(self) -> str:
        """The id of the Task of the pharmacy that is to dispense it."""
        return f"{self.number}-dispense"


def dispense_id(number: str, line: int, key: str) -> str:
    """The id of the MedicationDispense of a line (counted from 0) and a request."""
    return f"{number}-{line + 1}-{sha256(key.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Choice:
    """How a resident wants the medicine: `way` hospital, retail or courier; `pharmacy` (id of an Organization) dispenses.

    For a courier: who takes the parcel, where, and which telephone; `courier`: id of the delivering Organization.
    """

    way: str
    pharmacy: str
    courier: str = ""
    name: str = ""
    address: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of a line is to be dispensed and was, in the drug's smallest unit; `other`: offered in place of `code`."""

    line: int
    code: str
    wanted: Decimal
    given: Decimal
    other: str = ""
    agreed: datetime | None = None

    @property
    def left(self) -> Decimal:
        """What is still to be dispensed."""
        return self.wanted - self.given

    @property
    def handed(self) -> str:
        """The code of the drug that is handed over: the offered one once the patient has agreed."""
        return self.other if self.other and self.agreed else self.code


@dataclass(frozen=True, slots=True)
class Priced:
    """What a line costs. `quantity` in packages (`unit`); `amount` in fen, rounded once; `limit`: the most that insurance counts.

    `insurance`: class A, B or C with `first_pay`, the part that the insured pays first.
    """

    line: int
    code: str
    name: str
    quantity: Decimal
    unit: str
    unit_price: int
    amount: int
    insurance: str
    first_pay: float
    limit: int
    insurance_code: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel: the row of drugs_parcel."""

    resident: int
    id: str
    number: str
    patient: str
    pharmacy: str
    courier: str
    carrier: str
    state: str
    storage: str
    made: datetime
    changed: datetime


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a pharmacy has of a drug, in the smallest unit."""

    code: str
    amount: Decimal
    batch: str
    expires: date | None
