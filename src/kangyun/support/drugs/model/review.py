"""What a review reads and what it finds: a prescription, a patient, a prescriber, and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

# stop: not to be dispensed; confirm: the doctor signs a second time, with a reason; advise: to be thought of.
Level = Literal["stop", "confirm", "advise"]
# 合法性, 规范性, 适宜性.
Group = Literal["legality", "form", "suitability"]


@dataclass(frozen=True, slots=True)
class Line:
    """One drug of a prescription. `code`: the catalogue's; `dose` at once in `dose_unit` (an amount or a counted unit).

    `frequency`: a code of rules/frequencies.yaml; `quantity` in `quantity_unit` (the unit or package of the drug);
    `days`: how long it lasts; `skin_test`: empty, asked, negative, positive or exempt; `solvent`: a catalogue code, with
    its `volume` in ml; lines of one `set` (not 0) are given together in one bag; `decoction`: how a herb is boiled, a code of
    rules/herbs/decoctions.yaml; `confirmed`: the reason with which the doctor has signed a second time for this line.
    """

    code: str
    dose: float
    dose_unit: str
    frequency: str
    route: str
    days: float
    quantity: float = 0
    quantity_unit: str = ""
    skin_test: str = ""
    solvent: str = ""
    volume: float = 0
    set: int = 0
    decoction: str = ""
    confirmed: str = ""
    name: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis by its ICD-10 code and its words."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Prescription:
    """What a doctor prescribes. `kind`: western or herbal; `setting`: outpatient, emergency, inpatient or internet.

    `sheet`: ordinary, emergency, paediatric, narcotic, psychotropic2 or toxic (its colour); `reason`: why it is for longer
    than usual; `long_term`: a long-term prescription, `assessed` when the stable state was judged and noted;
    `pain`: cancer pain or moderate to severe chronic pain; `syndrome`: the TCM syndrome (证候) of a herbal one;
    `doses`: how many 剂 of a herbal one; `missing`: names of the parts of the form that are empty; `consulted`: an expert of
    special-use antimicrobials was asked.
    """

    kind: str
    lines: tuple[Line, ...]
    diagnoses: tuple[Diagnosis, ...]
    on: date
    setting: str = "outpatient"
    sheet: str = "ordinary"
    reason: str = ""
    long_term: bool = False
    assessed: bool = False
    pain: bool = False
    syndrome: str = ""
    doses: int = 0
    valid_days: int = 1
    missing: tuple[str, ...] = ()
    consulted: bool = False
    number: str = ""


@dataclass(frozen=True, slots=True)
class Allergy:
    """What somebody does not bear: a coded substance or its words; `severe` when it was an anaphylaxis or alike."""

    text: str
    code: str = ""
    severe: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """A drug that somebody takes already. `code`: of the catalogue, empty when it is not in it; `until`: None when open.

    `number`: of its prescription, so that a prescription does not meet itself.
    """

    name: str
    code: str = ""
    atc: str = ""
    until: date | None = None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What the record says of the patient; None and empty mean that nobody knows.

    `weight` in kg; `egfr` in ml/min/1.73 m2; `liver`: Child-Pugh A, B or C, or empty; `pregnant`: the week of pregnancy,
    0 when pregnant of unknown week, None when not known to be; `conditions`: ICD-10 codes of active problems;
    `guardian`: a guardian is with a child; `specialist`: a specialist of children takes part; `potassium` in mmol/l.
    """

    born: date | None = None
    sex: str = ""
    weight: float | None = None
    egfr: float | None = None
    liver: str = ""
    potassium: float | None = None
    pregnant: int | None = None
    lactating: bool = False
    allergies: tuple[Allergy, ...] = ()
    takes: tuple[Taken, ...] = ()
    conditions: tuple[str, ...] = ()
    guardian: bool = False
    specialist: bool = False
    drinks: bool = False


@dataclass(frozen=True, slots=True)
class Prescriber:
    """Who prescribes.

    `title`: resident, attending, associate or chief; `rights`: prescribe, narcotic, psychotropic1, toxic, radioactive, tcm,
    unrestricted, restricted, special; `registered`: at the institution, on the day; `grade`: 1, 2 or 3, of the institution;
    `is_patient`: set when the prescriber is the patient.
    """

    id: str
    title: str = "attending"
    rights: frozenset[str] = frozenset()
    registered: bool = True
    grade: int = 0
    is_patient: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a review finds. `kind`: a row of rules/findings.yaml; `lines`: which lines, counted from 0; `facts`: for its texts.

    `text`: zh and en; `source`, `certainty`: of the fact behind it; `comment`: the class of 处方点评 (improper form,
    unsuitable, exceptional).
    """

    kind: str
    group: Group
    level: Level
    lines: tuple[int, ...]
    text: Mapping[str, str]
    source: str
    certainty: str
    comment: str = ""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
