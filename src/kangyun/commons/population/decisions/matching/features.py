"""What of a Patient is compared, in the forms in which it is compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from kangyun.base import clock
from kangyun.commons.population.decisions.matching import dates, names, numbers, places
from kangyun.commons.population.decisions.matching.levels import near
from kangyun.commons.population.decisions.matching.names import Spelling
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

_SEXES = {"male": "1", "female": "2"}
_DOCUMENTS = {"PPN", "TRC", "BC", "HC", "JHN", "NH", "MC", "NI", "SS", "DL", "MIL", "PRC", "HR"}
# Insurance, under which a family may stand with one number: a newborn with its mother's.
_FAMILY = ("MC:", "SS:", "NH:")
_MOTHERS_NAME = "mothersMaidenName"
_PARENTS = {"MTH", "FTH", "PRN", "mother", "father", "parent", "NMTH", "NFTH"}
_OLD_NAMES = {"old", "maiden", "nickname", "anonymous"}


class Features(msgspec.Struct, frozen=True, array_like=True):
    """The comparable forms of one Patient; an empty text or tuple says that nothing is known.

    `encode` and `decode` turn it to and from a JSON array of a few hundred bytes, the order of fields is the format:
    add new ones at the end.
    """

    id_number: str = ""  # 18 characters
    sure_number: str = ""  # the same, when its check digit is right
    number_body: str = ""  # its first 17 characters
    documents: tuple[str, ...] = ()  # `PPN:E12345678`: other documents, health cards, insurance numbers
    name: str = ""  # the main name in usual characters
    names: tuple[str, ...] = ()  # all names, also former ones
    sounds: tuple[str, ...] = ()
    loose: str = ""
    shape: str = ""
    letters: tuple[str, ...] = ()  # of Chinese names in pinyin, in alphabetical order
    surname: str = ""
    given: str = ""
    birth: str = ""  # `1956-03-04`; empty when it is partial or 1 January
    births: tuple[str, ...] = ()  # as stated and as in the ID number
    birth_swapped: str = ""
    birth_lunar: str = ""
    years: tuple[str, ...] = ()
    sex: str = ""  # GB/T 2261.1: 1, 2
    phones: tuple[str, ...] = ()
    counties: tuple[str, ...] = ()
    towns: tuple[str, ...] = ()
    villages: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    parent_numbers: tuple[str, ...] = ()
    parent_names: tuple[str, ...] = ()
    birth_order: str = ""
    died: str = ""
    roman: tuple[str, ...] = ()  # the same of names written in Latin letters
    phone: str = ""  # the first one
    slips: tuple[str, ...] = ()  # the Chinese main name, and it with one character left out
    misread: str = ""  # the main name with the characters that nobody bears as those they were taken for
    called: str = ""  # the given name in its characters
    own: tuple[str, ...] = ()  # mobile telephones that are no parent's: those of people long grown up, unless they are known to be twins
    papers: tuple[str, ...] = ()  # those of the documents that a single person has
    homes: tuple[str, ...] = ()  # doors of others who have the same telephone; known only beside those others (`households`)


_decoder = msgspec.json.Decoder(Features)


def encode(features: Features) -> str:
    """Features as text, a JSON array."""
    return msgspec.json.encode(features).decode()


def decode(text: str | bytes) -> Features:
    """The features that `encode` wrote; raises msgspec.ValidationError when the text is something else."""
    return _decoder.decode(text)


def features(patient: dict[str, Any]) -> Features:
    """What can be compared of a FHIR Patient; rubbish in it is passed over, never an error."""
    number, documents = _numbers(patient)
    texts = list(_name_texts(patient))
    every = [(names.spelling(text), old) for text, old in texts]
    spellings = [spelling for spelling, _ in every if spelling.name]
    main = _main(next((spelling for spelling, old in every if spelling.name and not old), None), spellings)
    stated = str(patient.get("birthDate") or "")
    child = next((found for text, _ in texts if (found := names.child_of(text))), None)
    parent_numbers, parent_names = _parents(patient)
    phones = _phones(patient)
    order = _order(patient) or (child.order if child else "")
    own = not _of_another(number, stated)
    return Features(
        id_number=number.number, sure_number=number.number if number.sure and own else "", number_body=number.number[:17],
        documents=documents,
        name=main.name, names=_distinct([main.name, *(one.name for one in spellings)]),
        sounds=_distinct([*main.sounds, *(sound for one in spellings if one is not main for sound in one.sounds)]), loose=main.loose, shape=main.shape,
        letters=_distinct([one.letters for one in spellings if one.han]), surname=main.surname, given=main.given,
        **_birth(stated, number, own=own),
        sex=_SEXES.get(str(patient.get("gender")), "") or (number.sex if own else ""),
        phones=phones, phone=phones[0] if phones else "", **_places(patient),
        parent_numbers=parent_numbers, parent_names=_distinct([*parent_names, child.parent if child else ""]),
        birth_order=order, died=str(patient.get("deceasedDateTime") or "")[:10],
        roman=_distinct([one.letters for one in spellings if not one.han]), slips=_slips(main),
        misread=main.misread, called=main.called, own=() if order else _own(phones, dates.year(stated) or (number.birth[:4] if own else "")),
        papers=tuple(one for one in documents if not one.startswith(_FAMILY)),
    )


def _main(current: Spelling | None, every: list[Spelling]) -> Spelling:
    """The name in Chinese characters where there is one, else the first."""
    if current is not None and (current.han or not any(one.han for one in every)):
        return current
    return next((one for one in every if one.han), every[0] if every else Spelling())


def _slips(main: Spelling) -> tuple[str, ...]:
    """Two names have one of these in common when one character differs, is missing, or changed places with its neighbour."""
    if not main.han or len(main.name) < 3:
        return ()
    return _distinct([main.name, *(main.name[:place] + main.name[place + 1:] for place in range(len(main.name)))])


def _items(value: Any) -> list[dict[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, values)))


def _name_texts(patient: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each name as text, and whether it is a former or other name."""
    for one in _items(patient.get("name")):
        yield _name_text(one), str(one.get("use")) in _OLD_NAMES


def _name_text(name: dict[str, Any]) -> str:
    given = name.get("given")
    parts = [name.get("family"), *(given if isinstance(given, list) else [given])]
    return str(name.get("text") or " ".join(str(part) for part in parts if part))


def _numbers(patient: dict[str, Any]) -> tuple[numbers.IdNumber, tuple[str, ...]]:
    found: list[numbers.IdNumber] = []
    documents: list[str] = []
    for one in _items(patient.get("identifier")):
        kind = _kind(one)
        if one.get("system") == ID_NUMBER_SYSTEM or kind in {"NNCHN", "01"}:
            found.append(numbers.id_number(str(one.get("value"))))
        elif kind in _DOCUMENTS and one.get("use") != "temp":
            documents.append(numbers.document(kind, one.get("value")))
    best = sorted((one for one in found if one.number), key=lambda one: not one.sure)
    return best[0] if best else numbers.IdNumber(), _distinct(documents)


def _kind(identifier: dict[str, Any]) -> str:
    kinds = _items(identifier.get("type"))
    codes = [str(coding.get("code")) for kind in kinds for coding in _items(kind.get("coding"))]
    return next((code for code in codes if code in _DOCUMENTS or code in {"NNCHN", "01"}), "")


def _of_another(number: numbers.IdNumber, stated: str) -> bool:
    """Whether a number is of another generation than the Patient: children are registered under a parent's, and the other way."""
    born = dates.parse(stated)
    inside = dates.parse(number.birth)
    if born is None or inside is None or near(stated[:10], number.birth):
        return False
    return abs(born.year - inside.year) >= numbers.generation()


def _birth(stated: str, number: numbers.IdNumber, *, own: bool) -> dict[str, Any]:
    """The birth date as stated, and as in the ID number; 1 January stands for an unknown day."""
    inside = number.birth if own and dates.parse(number.birth) else ""
    main = stated[:10] if dates.parse(stated) and not stated.startswith("-01-01", 4) else ""
    if not main and inside and dates.year(stated) == inside[:4]:
        main = inside
    sure = inside if number.sure or not main else ""
    return {
        "birth": main, "births": _distinct([main, sure]), "birth_swapped": dates.swapped(main),
        "birth_lunar": dates.lunar(main), "years": _distinct([dates.year(stated), sure[:4], main[:4]]),
    }


def _phones(patient: dict[str, Any]) -> tuple[str, ...]:
    return _distinct(
        numbers.phone(str(one.get("value"))) for one in _items(patient.get("telecom")) if str(one.get("system", "phone")) in {"phone", "sms"}
    )[:4]


def _own(phones: tuple[str, ...], born: str) -> tuple[str, ...]:
    """The telephones that two of a family hardly share: a child is reached by a parent's, and a house line by all who live there."""
    mobile = tuple(filter(numbers.is_mobile, phones))
    return mobile if mobile and born.isdigit() and clock.now().year - int(born) > numbers.settled() else ()


def _places(patient: dict[str, Any]) -> dict[str, Any]:
    found = [places.place(one) for one in _items(patient.get("address"))][:3]
    return {
        "counties": _distinct([one.county for one in found]), "towns": _distinct([one.town for one in found]),
        "villages": _distinct([one.village for one in found]), "doors": _distinct([one.door for one in found]),
    }


def _parents(patient: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """ID numbers and names of the parents that the Patient tells, in contacts and extensions."""
    found_numbers: list[str] = []
    found_names: list[str] = []
    for contact in _items(patient.get("contact")):
        codes = {str(coding.get("code")) for kind in _items(contact.get("relationship")) for coding in _items(kind.get("coding"))}
        if codes & _PARENTS:
            found_names += [names.plain(_name_text(one)) for one in _items(contact.get("name"))]
            found_numbers += [_number_inside(one) for one in _items(contact.get("extension"))]
    for extension in _items(patient.get("extension")):
        if _MOTHERS_NAME in str(extension.get("url")):
            found_names.append(names.plain(str(extension.get("valueString") or "")))
        elif "mother" in str(extension.get("url")).lower():
            found_numbers.append(_number_inside(extension))
    return _distinct(found_numbers), _distinct(found_names)


def _number_inside(extension: dict[str, Any]) -> str:
    value = extension.get("valueIdentifier")
    inside = value.get("value") if isinstance(value, dict) else extension.get("valueString")
    return numbers.id_number(str(inside)).number if inside else ""


def _order(patient: dict[str, Any]) -> str:
    order = patient.get("multipleBirthInteger")
    return str(order) if isinstance(order, int) and 0 < order < 10 else ""
