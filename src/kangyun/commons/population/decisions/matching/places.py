"""Addresses in comparable parts: county, town, village, door, however the text is written."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import msgspec

_SIGNS = re.compile(r"[\s,，。.;；、()（）#＃]+")
_REGION = re.compile(r"^(?:中国)?(?:[^省区县市]{2,8}?(?:省|自治区|特别行政区))?(?P<city>[^市盟县区]{2,8}?(?:市|自治州|地区|盟))?")
_COUNTY = re.compile(r"^(?P<county>[^县区市旗镇乡路街]{1,8}?(?:自治县|县|区|市|旗))(?!街道)")
_TOWN = re.compile(r"^(?P<town>[^镇乡村]{1,8}?街道(?:办事处)?|[^镇乡村路]{1,8}?(?:镇|民族乡|乡|苏木))")
_VILLAGE = re.compile(r"^(?P<village>.{1,10}?(?:村民委员会|居民委员会|村委会|居委会|行政村|社区|村|嘎查))")
_DIGITS = {**{char: str(place) for place, char in enumerate("〇一二三四五六七八九")}, "零": "0", "两": "2"}
_DOOR_NUMBER = re.compile(r"\d+[a-z]?")
_NUMBERED = re.compile("[〇零一二三四五六七八九十两]+(?=组|队|社|号|栋|幢|单元|室|楼|弄|巷|期|区)")
_ENDINGS = re.compile("(?:街道办事处|民族乡|自治县|街道|镇|乡|苏木|县|区|市|旗)$")
_VILLAGE_ENDINGS = re.compile("(?:村民委员会|居民委员会|村委会|居委会|行政村|社区|村|嘎查)$")


class Place(msgspec.Struct, frozen=True):
    """The parts of one address, each with what stands above it so that equal parts are equal places."""

    county: str = ""
    town: str = ""
    village: str = ""
    door: str = ""


def place(address: dict[str, Any]) -> Place:
    """The parts of a FHIR Address: its fields where they are told, the rest read from its text."""
    lines = address.get("line")
    district, line = str(address.get("district") or ""), "".join(map(str, lines)) if isinstance(lines, list) else ""
    return _read(str(address.get("text") or "") or f"{address.get('state') or ''}{address.get('city') or ''}{district}{line}", district)


@lru_cache(maxsize=16384)
def _read(text: str, district: str) -> Place:
    rest = _SIGNS.sub("", unicodedata.normalize("NFKC", text[:120])).lower()
    county, rest = _county(rest, district)
    town, rest = _part(_TOWN, "town", rest)
    village, rest = _part(_VILLAGE, "village", rest)
    short = _ENDINGS.sub("", town) or town
    hamlet = _VILLAGE_ENDINGS.sub("", village) or village
    return Place(
        county=county, town=f"{county}/{short}" if short else "", village=f"{short}/{hamlet}" if hamlet else "",
        door=_door(short, hamlet, rest),
    )


def _county(rest: str, district: str) -> tuple[str, str]:
    if district and (at := rest.find(district.lower())) >= 0:
        return _ENDINGS.sub("", district) or district, rest[at + len(district):]
    region = _REGION.match(rest)
    above, rest = (region["city"] or "", rest[region.end():]) if region else ("", rest)
    county, rest = _part(_COUNTY, "county", rest)
    # A city without districts stands where a county does: 临河市河口镇, also below its prefecture 云州市临河市河口镇.
    county = county or above
    return _ENDINGS.sub("", county) or county, rest


def _part(pattern: re.Pattern[str], name: str, rest: str) -> tuple[str, str]:
    match = pattern.match(rest)
    return (match[name], rest[match.end():]) if match else ("", rest)


def _door(town: str, village: str, rest: str) -> str:
    """Street and numbers; nothing when the address ends before the number of a house."""
    text = _NUMBERED.sub(lambda found: _number(found[0]), rest)
    numbers = _DOOR_NUMBER.findall(text)
    if not numbers:
        return ""
    street = re.sub(r"[^\u4e00-\u9fff].*", "", text)
    return f"{village or town}/{street[:6]}/{'-'.join(numbers)}"


def _number(text: str) -> str:
    """A Chinese number under a hundred in digits: `十二` -> `12`, `二〇三` -> `203`."""
    if "十" not in text:
        return "".join(_DIGITS[char] for char in text)
    tens, _, ones = text.partition("十")
    return f"{_DIGITS.get(tens, '1')}{_DIGITS.get(ones, '0')}"
