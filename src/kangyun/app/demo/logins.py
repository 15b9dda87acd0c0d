"""Made-up institutions of the demonstration, and a login for each role."""

from __future__ import annotations

from dataclasses import dataclass, field

from kangyun.app.demo.staff import BY, Kept, Login, Wanted, employ
from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.commons.access.actions import clients
from kangyun.commons.access.decisions.clients import Registration
from kangyun.commons.exchange import organization_id, sender_of
from kangyun.commons.population import is_credit_code
from kangyun.support import institutions
from kangyun.support.institutions import Institution
from kangyun.support.institutions.decisions import kinds

_CITY_SCOPE = "system/*.cruds"
_NAMES = "urn:oid:2.16.156.10011.99"


# Institutions of Yunzhou that send messages, by the name in their messages, and others that only work here.
_GROUP = Institution("云州市医疗联合体", "consortium", english="Yunzhou Medical Consortium")
_HOSPITAL = Institution("云州市第一人民医院", "hospital", english="Yunzhou First People's Hospital", address="云州市新城区人民路1号", phone="0990-6120001", sender="YZFH")
_TOWN = Institution("青溪县柳河镇卫生院", "township_hospital", english="Liuhe Township Hospital", address="青溪县柳河镇中街8号", phone="0990-6210008", sender="LHWSY")
_VILLAGE = Institution("云州市村卫生室", "village_clinic", english="Village clinic", sender="YZC0200")
_OTHERS = {
    "retail_pharmacist": Institution("云州百草大药房", "pharmacy", english="Baicao Pharmacy"),
    "courier": Institution("云州医药配送中心", "delivery", english="Yunzhou Medicine Delivery"),
    "insurer": Institution("云州市医疗保障中心", "insurer", english="Yunzhou Medical Insurance"),
    "public_health": Institution("云州市疾病预防控制中心", "disease_control", english="Yunzhou Centre for Disease Control"),
    "supervisor": Institution("云州市卫生健康委员会", "health_bureau", english="Yunzhou Health Commission"),
    "researcher": Institution("云州市医学科学研究所", "academy", english="Yunzhou Institute of Medicine"),
}
_HERE = ("hospital_doctor", "nurse", "pharmacist", "technician", "clerk", "card_desk", "operations", "institution_admin")
# Who treats or dispenses is known by name.
_CALLED = {
    "village_doctor": "田野", "family_doctor": "高洁", "hospital_doctor": "王建国", "nurse": "白荷", "pharmacist": "林静", "technician": "丁一",
    "retail_pharmacist": "罗兰", "courier": "马驰",
}
_WHOLE = ("system_admin", "security_admin", "audit_admin")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the demonstration has made: the logins of staff, and the client of the city with its secret."""

    logins: list[Login]
    client: str
    secret: str = field(repr=False)
    places: dict[str, str]
    """The institution of each role that has one, by its id."""


async def prepare(services: Services) -> Prepared:
    """Make institutions, staff and the city's client, or find those of an earlier demonstration in this data folder."""
    kept = Kept.of(services.settings.data)
    posts = await _posts(services)
    logins = [await employ(services, kept, Wanted(role, f"demo.{role.replace('_', '-')}", _CALLED.get(role, "")), place) for role, place in posts]
    client, secret = await _client(services, kept)
    kept.write()
    return Prepared(logins, client, secret, {role: place for role, place in posts if place})


async def _posts(services: Services) -> list[tuple[str, str]]:
    """Role and institution of everybody, the institutions made."""
    group = await _institution(services, _GROUP, "")
    hospital = await _institution(services, _HOSPITAL, group)
    town = await _institution(services, _TOWN, group)
    village = await _institution(services, _VILLAGE, town)
    others = {role: await _institution(services, one, "") for role, one in _OTHERS.items()}
    posts = [("village_doctor", village), ("family_doctor", town), *((role, hospital) for role in _HERE), *others.items()]
    return [*posts, ("data_steward", others["supervisor"]), *((role, "") for role in _WHOLE)]


async def _institution(services: Services, wish: Institution, parent: str) -> str:
    handle = services.gate.open(BY)
    named = f"{_NAMES}|{wish.sender}" if wish.sender else ""
    known = Institution(
        wish.name, wish.kind, _code(wish.name) if kinds()[wish.kind].coded else "", parent=parent, english=wish.english,
        address=wish.address, phone=wish.phone, sender=wish.sender, identifier=named)
    try:
        return (await institutions.add(services, handle, known)).id
    except Problem as problem:
        if problem.status != 409:
            raise
        if wish.sender:
            return organization_id(sender_of(wish.sender))
        return next(one.id for one in await institutions.named(handle, wish.name) if one.name == wish.name)


def _code(name: str) -> str:
    """A unified social credit code that nobody has: region 990000 exists nowhere; told by the name."""
    told = "92990000" + f"{int.from_bytes(name.encode(), 'big') % 10**9:09d}"
    return next(told + sign for sign in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_credit_code(told + sign))


async def _client(services: Services, kept: Kept) -> tuple[str, str]:
    """The client as which the city sends: a new secret with each start, since nobody else needs it."""
    id_ = kept.told.get("city", {}).get("client", "")
    if id_:
        try:
            return id_, await clients.rotate(services, BY, id_)
        except Problem:
            pass
    told = Registration("云州模拟城市", "The simulated city of Yunzhou", _CITY_SCOPE)
    added = await clients.add(services, BY, told)
    kept.told["city"] = {"client": added.id}
    return added.id, added.secret or ""
