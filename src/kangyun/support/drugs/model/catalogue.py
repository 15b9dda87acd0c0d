"""What the catalogue says of a drug: what it is, what it costs the insured, and how it may be taken."""

from __future__ import annotations

from dataclasses import dataclass

# Kangyun's own key of a drug; the two others are a region's. What ships with Kangyun is a demonstration: its codes begin with DEMO.
CATALOGUE_SYSTEM = "urn:kangyun:drug"
NATIONAL_SYSTEM = "urn:kangyun:drug-national-code"
INSURANCE_SYSTEM = "urn:kangyun:drug-insurance-code"


@dataclass(frozen=True, slots=True)
class Strength:
    """How much of the active substance one unit (tablet, ampoule, bottle) holds; `value` in `unit`."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Child:
    """Doses under 18 years, in the unit of the dose; amounts per kilogram of body weight. None: nothing known.

    `since`: the age in months from which on it may be given; `single`, `daily`: the most per kilogram.
    """

    since: float = 0
    single: float | None = None
    daily: float | None = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a weak kidney or liver asks for. `below`: an eGFR in ml/min/1.73 m2; `liver`: a Child-Pugh class from which on.

    `act`: `avoid`, `halve` or `care`.
    """

    act: str
    below: float | None = None
    liver: str = ""


@dataclass(frozen=True, slots=True)
class Dose:
    """How much an adult takes, in `unit`: usually at once, at most at once, at most a day; and others than adults.

    `elderly`: the most (at once, a day) from 65 years on, None where it is that of adults.
    """

    unit: str
    route: str
    frequency: str
    usual: float
    single: float
    daily: float
    elderly: tuple[float, float] | None = None
    child: Child | None = None


@dataclass(frozen=True, slots=True)
class Drug:
    """One drug of the catalogue. `kind`: western, patent (中成药) or herb (饮片).

    `control`: narcotic, psychotropic1, psychotropic2, toxic, radioactive, precursor or empty; `tier` of an antimicrobial:
    unrestricted, restricted, special or empty; `insurance`: A, B or C with `first_pay`, the part (0 to 1) of class B that
    the insured pays first; `price` and `limit` (the most that insurance counts) of one `package` in fen, 0 for none.
    `indications`, `never`, `seldom`: prefixes of ICD-10 codes; `pregnancy` and `lactation`: ok, care or never.
    `release` (plain, slow, injection) and `routes` come from the row of `form` in rules/forms.yaml; `contains`: herbs inside;
    `groups`: names of rules/groups.yaml that it has beside those of its ATC code; `usual`: the least and most grams of a herb.
    """

    code: str
    number: int
    kind: str
    zh: str
    en: str
    form: str
    spec: str
    atc: str
    unit: str
    package: str
    per_package: float
    strength: Strength
    dose: Dose
    trade: tuple[str, ...] = ()
    national: str = ""
    insurance_code: str = ""
    essential: bool = False
    insurance: str = "C"
    first_pay: float = 0.0
    price: int = 0
    limit: int = 0
    control: str = ""
    tier: str = ""
    storage: str = "room"
    renal: tuple[Reduction, ...] = ()
    hepatic: tuple[Reduction, ...] = ()
    pregnancy: str = "ok"
    lactation: str = "ok"
    indications: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    seldom: tuple[str, ...] = ()
    skin_test: bool = False
    groups: frozenset[str] = frozenset()
    contains: tuple[str, ...] = ()
    release: str = "plain"
    routes: tuple[str, ...] = ()
    picture: str = ""
    usual: tuple[float, float] = (0, 0)
    poison: str = ""
    decoction: str = ""
    certainty: str = "memory"
    source: str = ""

    @property
    def herb(self) -> bool:
        """Whether it is a decoction piece (中药饮片)."""
        return self.kind == "herb"

    def titled(self, language: str) -> str:
        """The generic name in `zh` or `en`."""
        return self.en if language == "en" and self.en else self.zh

    @property
    def packed(self) -> str:
        """What tells packs on a shelf apart: the generic name, what is in it, the trade name."""
        return " ".join((self.zh, self.spec, *self.trade[:1]))
