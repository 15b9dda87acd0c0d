"""The residents of the demonstration who can log in: an old woman with hypertension, her daughter, and some neighbours."""

from __future__ import annotations

from kangyun.app.demo.logins import Prepared
from kangyun.app.demo.residents import HYPERTENSION, Known, Past, Resident, guard, settle_all
from kangyun.app.services import Services
from kangyun.commons.access import Actor

DIABETES = Past("E11", "2型糖尿病", (("1558-6", "空腹血糖", 7.8, "mmol/L"),))
MOTHER = Resident("周秀兰", "990101195803040246", "13800001958", "云州市东湖区梧桐里8号", HYPERTENSION)
DAUGHTER = Resident("李梅", "990101198506120462", "13800001985", "云州市新城区滨河路21号", role="guardian")
_OTHERS = (
    Resident("王德福", "990101196211050111", "13800001962", "青溪县柳河镇中街12号", DIABETES),
    Resident("陈志明", "990101197909200331", "13800001979", "云州市东湖区学府路3号", HYPERTENSION),
)

# Whom the simulated city plays.
CITY = tuple(Resident(name, number, f"1390000{place:04d}", "云州市东湖区学府路1号", HYPERTENSION) for place, (name, number) in enumerate((
    ("徐凤", "990101196903180005"), ("张翠娥", "990101194707130001"), ("余秀兰", "990101195603020005"), ("陈昊明", "990101198606270011"),
    ("吴胜义", "990101196410210018"), ("丛清", "990101194302150004"))))


async def settle(services: Services, made: Prepared) -> list[Known]:
    """Put them into the record; the daughter may act for her mother. Once for each data folder."""
    known = await settle_all(services, (MOTHER, DAUGHTER, *_OTHERS), made.places["hospital_doctor"])
    mother, daughter = known[:2]
    if mother.is_new:
        await guard(services, daughter, mother, Actor("demo/clerk", "clerk", institution=made.places["clerk"], account="demo"))
    await settle_all(services, CITY, made.places["hospital_doctor"])
    return known
