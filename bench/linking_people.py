"""Made-up Chinese people with the slips of registration desks, for bench/linking.py; the truth is a number beside each record.

Independent of yunzhou on purpose: weights that fit both are less likely to fit only one generator. Households share address,
telephone and surname; twins, namesakes and fathers with sons occur. Every record is a FHIR Patient.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from typing import Any

from pypinyin import lazy_pinyin

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付"
    "方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰志国建文辉力健世广美云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍贞红梅春菊凤洁琳素晶妍茜秋珊莎锦黛青"
    "倩婷姣婉娴瑾颖露瑶怡婵雁蓓纨仪荷丹蓉眉君琴蕊薇菁梦岚苑筠柔竹霭凝晓欢霄枫芸菲寒伊亚宜可姬舒影荔枝思斌宇浩凯鑫波鹏飞龙林峰海山川河东西南北振宏康"
    "清江松柏义仁礼智信忠诚德福禄寿喜富贵兴旺发达永新成学才武功先良友新利民生金银铜铁宝根水木土火天地日星辰光晨曦阳旭昊炎子轩涵梓欣雨诗语博睿泽宸"
)
OLD_GIVEN = "英兰珍芳梅桂秀玉凤香荣华国建德福明贵根发财金生宝元连春学文成忠义庆祥长永有光正新云清德才"
HOMOPHONES = (  # noqa: SIM905 - easier to read and to add to
    "伟炜玮纬 芳方坊 敏闽珉 静婧靖竞 丽莉利俐 磊蕾垒 军君钧均 洋杨阳扬 勇永咏泳 艳燕雁彦 杰洁捷 娟涓鹃 涛滔韬 明铭鸣茗 秀绣 霞遐 平萍苹 英瑛莹樱 华骅桦 玉钰宇雨 兰岚澜 志智致 "
    "国帼 建健剑 文雯纹 辉晖挥 力立历 世仕士 美镁 云芸耘 莲联 雪学 荣容蓉榕 香湘 月悦跃越 佳嘉家 红宏虹鸿洪 梅媒 春椿 琳林霖琳 晶京菁 秋丘 青清卿 倩茜 婷亭 怡仪宜 薇微 "
    "梦孟 晓小笑 欢环 枫峰锋丰 菲非飞 思丝斯 斌彬 浩昊皓 凯恺 鑫心欣新馨 波博 鹏朋 龙隆 海 山珊 东冬 振震镇 康 松 德得 福富 喜禧 永泳 成诚城 学 金今锦 生升声 宝保 "
    "张章 陈程 刘留 黄皇 吴武 周州 徐许 朱诸 胡湖 郭国 何河 林琳 高 罗洛 梁良 谢解 宋送 唐汤 邓 韩寒 冯丰 曹 曾 肖萧 田 于余俞 蒋姜 魏卫 吕 沈 姚 卢鲁 崔 金今 夏 付傅 江姜 钟中 "
).split()
SHAPES = "伟炜 静睛 洋详 玲铃 娟捐 涛寿 明朋 霞露 平苹 玉王 志忘 国园 文交 力刀 雪雷 月用 佳住 晶品 秋秧 清情 薇徽 枫飒 思恩 斌赋 浩洁 凯剀 波坡 鹏鹃 珊姗 振震 松忪 陈阵 杨扬 郭敦 何河 高商 罗岁 宋宗 许讦 沈沉 夏复 江红".split()  # noqa: SIM905
TRADITIONAL: dict[str, str] = {pair[0]: pair[1] for pair in ("张張 刘劉 陈陳 杨楊 黄黃 赵趙 吴吳 孙孫 马馬 罗羅 郑鄭 谢謝 许許 邓鄧 韩韓 冯馮 肖蕭 蒋蔣 叶葉 苏蘇 吕呂 卢盧 钟鍾 谭譚 陆陸 范範 贾賈 韦韋 邹鄒 龙龍 贺賀 顾顧 龚龔 万萬 钱錢 严嚴 伟偉 丽麗 强強 军軍 艳艷 杰傑 涛濤 华華 兰蘭 国國 辉輝 广廣 云雲 莲蓮 环環 荣榮 爱愛 莺鶯 佳佳 琼瓊 贞貞 红紅 凤鳳 洁潔 锦錦 颖穎 瑶瑤 仪儀 梦夢 晓曉 欢歡 枫楓 凯凱 鹏鵬 飞飛 东東 义義 礼禮 诚誠 寿壽 贵貴 兴興 发發 达達 学學 银銀 铜銅 铁鐵 宝寶 阳陽 语語 泽澤").split()}  # noqa: SIM905
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
COUNTIES = [(f"9901{number:02d}", name) for number, name in enumerate(
    ("东城区", "西湖区", "江北区", "北岭区", "云海市", "清溪县", "石门县", "南塘县", "青山县", "海宁市"), 1)]
LUNAR_SHIFT = (18, 52)


@dataclass(frozen=True)
class Someone:
    """One person as they are now."""

    number: int
    surname: str
    given: str
    sex: str
    born: date
    id_number: str
    phone: str
    address: tuple[str, str, str, str, str]  # county code, county, town, village, door
    mother: str = ""
    mother_id: str = ""
    order: int = 0
    passport: str = ""
    insurance: str = ""
    history: tuple[tuple[str, ...], ...] = field(default=())


def check_digit(body: str) -> str:
    return "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


@cache
def _places() -> list[tuple[str, str, str, str]]:
    chance = random.Random(7)
    words = "人和永新东南大石清江白龙金山凤梅柳双河桥上湖溪林泉古城安平云高"
    towns = [(code, county, "".join(chance.sample(words, 2)) + chance.choice(("镇", "镇", "乡", "街道"))) for code, county in COUNTIES for _ in range(14)]
    return [
        (code, county, town, "".join(chance.sample(words, 2)) + ("社区" if town.endswith("街道") else "村"))
        for code, county, town in towns for _ in range(chance.randrange(6, 16))
    ]


class City:
    """Households one after another, from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self._surname_weights = [1 / (place + 4) for place in range(len(SURNAMES))]
        self._given_weights = [1 / (place + 12) ** 0.7 for place in range(len(GIVEN))]
        self._used: set[str] = set()

    def people(self, number: int) -> list[Someone]:
        found: list[Someone] = []
        while len(found) < number:
            found += self._household(self.seed * 100_000_000 + len(found))
        return found[:number]

    def surname(self) -> str:
        if self.chance.random() < 0.004:
            return self.chance.choice(("欧阳", "司马", "上官", "诸葛", "尉迟", "单", "仇", "解"))
        return self.chance.choices(SURNAMES, self._surname_weights)[0]

    def given(self, born: int) -> str:
        pool, weights = (OLD_GIVEN, None) if born < 1970 and self.chance.random() < 0.6 else (GIVEN, self._given_weights)
        size = 1 if self.chance.random() < (0.35 if 1970 < born < 1995 else 0.1) else 2
        return "".join(self.chance.choices(pool, weights, k=size))

    def phone(self) -> str:
        return self.chance.choice(("138", "139", "158", "187", "136", "150", "177")) + f"{self.chance.randrange(10**8):08d}"

    def address(self) -> tuple[str, str, str, str, str]:
        code, county, town, village = self.chance.choice(_places())
        door = f"{self.chance.randrange(1, 30)}幢{self.chance.randrange(101, 2700)}室" if village.endswith("社区") else f"{self.chance.randrange(1, 15)}组{self.chance.randrange(1, 120)}号"
        return code, county, town, village, door

    def id_number(self, code: str, born: date, sex: str, sequence: int | None = None) -> str:
        number = self.chance.randrange(1, 500) * 2 - (sex == "male") if sequence is None else sequence
        body = f"{code}{born:%Y%m%d}{number % 1000:03d}"
        if body in self._used and len(self._used) < 10**7:
            return self.id_number(code, born, sex, (number + 2) % 1000)
        self._used.add(body)
        return body + check_digit(body)

    def _one(self, number: int, surname: str, age: int, sex: str, address: Any, phone: str, **more: Any) -> Someone:  # noqa: PLR0917
        born = date(2026, 6, 30) - timedelta(days=age * 365 + self.chance.randrange(365))
        code = address[0] if self.chance.random() < 0.8 else self.chance.choice(COUNTIES)[0]
        passport = f"E{self.chance.randrange(10**8):08d}" if self.chance.random() < 0.05 else ""
        return Someone(
            number, surname, self.given(born.year), sex, born, self.id_number(code, born, sex), phone, address,
            passport=passport, insurance=f"{self.chance.randrange(10**9):010d}" if self.chance.random() < 0.5 else "", **more,
        )

    def _household(self, start: int) -> list[Someone]:
        chance, address, phone = self.chance, self.address(), self.phone()
        surname, age = self.surname(), min(95, max(20, int(chance.gauss(50, 17))))
        adults = [self._one(start, surname, age, "male", address, phone)]
        if chance.random() < 0.8:
            adults.append(self._one(start + 1, self.surname(), max(20, age - chance.randrange(-2, 6)), "female", address,
                                    phone if chance.random() < 0.2 else self.phone()))
        found = list(adults)
        if len(adults) == 2:
            for place in range(chance.choice((0, 0, 1, 1, 2, 3))):
                found += self._children(start + len(found), adults, age - 24 - place * 3)
        if chance.random() < 0.1:
            found.append(self._one(start + len(found), surname, min(99, age + 26), chance.choice(("male", "female")), address, phone))
        return found

    def _children(self, start: int, parents: list[Someone], age: int) -> list[Someone]:
        if age < 0:
            return []
        father, mother = parents
        sex = self.chance.choice(("male", "female"))
        phone = self.chance.choice((father.phone, mother.phone, self.phone())) if age > 14 else self.chance.choice((father.phone, mother.phone))
        child = self._one(start, father.surname, age, sex, father.address, phone,
                          mother=mother.surname + mother.given, mother_id=mother.id_number)
        if self.chance.random() > 0.015:
            return [child]
        return [replace(child, order=1), self.twin(replace(child, order=1), start + 1)]

    def unlike(self, given: str, other: str, born: int) -> str:
        """A given name that does not sound like the first: nobody calls two children by the same sound."""
        while "".join(lazy_pinyin(given)) == "".join(lazy_pinyin(other)):
            other = given[0] + self.given(born)[-1]
        return other

    def alike(self, given: str) -> str:
        """A given name that sounds or looks like another, of characters that people bear; the same where there is none."""
        groups = [_similar(tuple(HOMOPHONES)), _similar(tuple(SHAPES))]
        similar = {char: "".join(other for group in groups for other in group.get(char, "") if other in GIVEN) for char in given}
        places = [place for place, char in enumerate(given) if similar[char]]
        if not places:
            return given
        place = self.chance.choice(places)
        return given[:place] + self.chance.choice(similar[given[place]]) + given[place + 1:]

    def twin_alike(self, child: Someone) -> Someone:
        """A twin whose name sounds or looks alike. They live together as children, under a parent's telephone, or each has one."""
        given = self.alike(child.given)
        other = self.twin(child, -1)
        grown = 2026 - child.born.year > 25
        return replace(other, given=given if given != child.given else other.given, sex=child.sex, phone=self.phone() if grown else child.phone,
                       id_number=self.id_number(child.id_number[:6], child.born, child.sex, int(child.id_number[14:17]) + 2))

    def twin(self, child: Someone, number: int) -> Someone:
        """A twin: the next number, the same sex or not, often one character of the name in common."""
        sex = child.sex if self.chance.random() < 0.7 else {"male": "female", "female": "male"}[child.sex]
        given = self.given(child.born.year)
        if len(child.given) == 2 and self.chance.random() < 0.7:
            given = child.given[0] + given[-1]
        given = self.unlike(child.given, given, child.born.year)
        sequence = int(child.id_number[14:17]) + (2 if sex == child.sex else 1)
        return replace(child, number=number, given=given, sex=sex, order=2, insurance="", passport="",
                       id_number=self.id_number(child.id_number[:6], child.born, sex, sequence))


@cache
def _similar(groups: tuple[str, ...]) -> dict[str, str]:
    return {char: "".join(other for other in group if other != char) for group in groups for char in group}


class Desk:
    """Writes people down, with the habits of a registration desk."""

    def __init__(self, chance: random.Random, scale: float = 1.0, missing_id: float = 1 / 3) -> None:
        self.chance, self.scale, self.missing_id = chance, scale, missing_id

    def happens(self, share: float) -> bool:
        return self.chance.random() < share * self.scale

    def write(self, one: Someone) -> dict[str, Any]:
        patient: dict[str, Any] = {"resourceType": "Patient", "name": [self.name(one)], "identifier": self.identifiers(one)}
        if not self.happens(0.01):
            patient["gender"] = one.sex if not self.happens(0.004) else {"male": "female", "female": "male"}[one.sex]
        birth = self.birth(one)
        phone = self.phone(one)
        address = self.address(one)
        if birth:
            patient["birthDate"] = birth
        if phone:
            patient["telecom"] = [{"system": "phone", "value": phone}]
        if address:
            patient["address"] = [address]
        if one.mother and self.chance.random() < 0.3:
            mother = {"coding": [{"code": "MTH"}]}
            patient["contact"] = [{"relationship": [mother], "name": {"text": one.mother}}]
        if one.order and self.chance.random() < 0.5:
            patient["multipleBirthInteger"] = one.order
        return patient

    def name(self, one: Someone) -> dict[str, Any]:
        chance, full = self.chance, one.surname + one.given
        age = 2026 - one.born.year
        if age < 1 and one.mother and chance.random() < 0.4:
            return {"text": f"{one.mother}之{'子' if one.sex == 'male' else '女'}"}
        place = chance.randrange(len(full)) if chance.random() < 0.15 else chance.randrange(len(one.surname), len(full))
        if self.happens(0.035):
            full = self._change(full, place, _similar(tuple(HOMOPHONES)))
        elif self.happens(0.01):
            full = self._change(full, place, _similar(tuple(SHAPES)))
        elif self.happens(0.006):
            full = "".join(TRADITIONAL.get(char, char) for char in full)
        elif self.happens(0.002):
            full = full[:place] + chance.choice(GIVEN) + full[place + 1:]
        elif self.happens(0.0005):
            full = full[:-1] if len(full) > 2 else full
        elif self.happens(0.0005):
            full = full[0] + full[1:][::-1]
        elif self.happens(0.004):
            parts = lazy_pinyin(one.surname)[0].upper(), "".join(lazy_pinyin(one.given))
            return {"text": " ".join(parts if chance.random() < 0.6 else parts[::-1])}
        elif self.happens(0.004):
            full = f"{full} " if chance.random() < 0.5 else full + "（" + chance.choice("男女") + "）"
        if chance.random() < 0.3:
            return {"family": full[: len(one.surname)], "given": [full[len(one.surname):]]}
        return {"text": full}

    def _change(self, full: str, place: int, similar: dict[str, str]) -> str:
        others = similar.get(full[place], "")
        return full[:place] + self.chance.choice(others) + full[place + 1:] if others else full

    def identifiers(self, one: Someone) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if self.chance.random() > self.missing_id:
            found.append({"system": "urn:oid:2.16.156.10011.1.3", "value": self._number(one)})
        elif self.happens(0.03):
            found.append({"system": "urn:oid:2.16.156.10011.1.3", "value": self.chance.choice(("0", "111111111111111111", "000000000000000000", "123456789012345678"))})
        if one.passport and self.chance.random() < 0.3:
            found.append({"type": {"coding": [{"code": "PPN"}]}, "system": "urn:x:passport", "value": one.passport})
        if one.insurance and self.chance.random() < 0.4:
            found.append({"type": {"coding": [{"code": "MC"}]}, "system": "urn:x:insurance", "value": one.insurance})
        return found

    def _number(self, one: Someone) -> str:
        number, chance = one.id_number, self.chance
        if self.happens(0.012):
            place = chance.randrange(17)
            return number[:place] + str((int(number[place]) + chance.randrange(1, 10)) % 10) + number[place + 1:]
        if self.happens(0.004):
            place = chance.randrange(16)
            return number[:place] + number[place + 1] + number[place] + number[place + 2:]
        if self.happens(0.003) and one.mother_id:
            return one.mother_id
        if one.born.year < 1985 and self.happens(0.02):
            return number[:6] + number[8:17]
        return number.lower() if self.happens(0.02) else number

    def birth(self, one: Someone) -> str:
        chance, text = self.chance, one.born.isoformat()
        if self.happens(0.012):
            return ""
        if self.happens(0.01):
            place = chance.choice((3, 5, 6, 8, 9))
            return text[:place] + str((int(text[place]) + chance.randrange(1, 10)) % 10) + text[place + 1:]
        if self.happens(0.005) and one.born.day <= 12:
            return f"{one.born.year}-{one.born.day:02d}-{one.born.month:02d}"
        if self.happens(0.008):
            return f"{one.born.year}-01-01"
        if self.happens(0.008):
            return _lunar(one.born)
        return text

    def phone(self, one: Someone) -> str:
        if self.happens(0.02):
            return ""
        if self.happens(0.01):
            return self.chance.choice(("13800000000", "13888888888", "11111111111", "0", "1"))
        if self.happens(0.01):
            place = self.chance.randrange(3, 11)
            return one.phone[:place] + str(self.chance.randrange(10)) + one.phone[place + 1:]
        return f"+86{one.phone}" if self.happens(0.05) else one.phone

    def address(self, one: Someone) -> dict[str, Any]:
        if self.happens(0.015):
            return {}
        _code, county, town, village, door = one.address
        if self.happens(0.12):
            door = ""
        if self.happens(0.02):
            village, door = "", ""
        if self.happens(0.1):
            village = village.replace("村", "村委会").replace("社区", "居委会")
        style = self.chance.random()
        if style < 0.4:
            return {"text": f"云州市{county}{town}{village}{door}"}
        if style < 0.6:
            return {"text": f"{county}{town}{village}{door}"}
        if style < 0.8:
            return {"state": "云州省", "city": "云州市", "district": county, "line": [f"{town}{village}{door}"]}
        return {"text": f"云州省云州市{county}{town}{village}{door}".replace("室", "")}


@cache
def _lunar_table() -> dict[date, str]:
    from kangyun.commons.population.decisions.matching import dates  # noqa: PLC0415 - only the calendar, not the matching

    start = date(1920, 1, 1)
    return {start + timedelta(days=day): dates.lunar((start + timedelta(days=day)).isoformat()) for day in range(39500)}


def _lunar(born: date) -> str:
    return _lunar_table().get(born) or born.isoformat()


def later(one: Someone, city: City) -> Someone:
    """The same person some years on: some have moved, have another telephone, or another name."""
    chance = city.chance
    moved = chance.random() < 0.08
    return replace(
        one, address=city.address() if moved else one.address,
        phone=city.phone() if chance.random() < (0.15 if moved else 0.05) else one.phone,
        given=city.given(one.born.year) if chance.random() < 0.001 else one.given,
        surname=city.surname() if chance.random() < 0.001 else one.surname,
    )


def records(seed: int, people: int, duplicates: float = 0.18, scale: float = 1.0) -> Iterator[tuple[int, dict[str, Any]]]:
    """(person, Patient) pairs: everybody once, and as many more as make `duplicates` of all records."""
    city = City(seed)
    everybody = city.people(people)
    desk = Desk(city.chance, scale)
    extra = int(people * duplicates / (1 - duplicates))
    for one in everybody:
        yield one.number, desk.write(one)
    for _ in range(extra):
        one = city.chance.choice(everybody)
        yield one.number, desk.write(later(one, city))


def hard_pairs(seed: int, number: int) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Pairs of two people who are easily taken for one: twins (also alike in name), namesakes born on one day, father and son."""
    city = City(seed)
    desk = Desk(city.chance)
    everybody = city.people(number)
    for place in range(number):
        one = everybody[place]
        kind = ("twins", "namesakes", "generations", "number", "alike")[place % 5]
        other = _double(kind, one, city)
        told = desk.write(one), desk.write(other)
        if kind == "alike":  # A slip that writes down the name of the other twin cannot be found out by anybody.
            for who, patient in zip((one, other), told, strict=True):
                patient["name"] = [{"text": who.surname + who.given}]
        yield kind, *told


def _double(kind: str, one: Someone, city: City) -> Someone:
    if kind == "alike":
        return city.twin_alike(replace(one, order=1))
    if kind == "twins":
        return city.twin(replace(one, order=1), -1)
    if kind == "namesakes":
        address = city.address()
        return replace(one, id_number=city.id_number(address[0], one.born, one.sex), phone=city.phone(), address=address,
                       mother="", mother_id="", passport="", insurance="")
    born = one.born + timedelta(days=city.chance.randrange(7300, 14600) * (1 if one.born.year < 1990 else -1))
    given = city.unlike(one.given, one.given[0] + city.given(born.year)[-1], born.year)
    sex = "male"
    own = one.id_number if kind == "number" else city.id_number(one.id_number[:6], born, sex)
    return replace(one, given=given, born=born, sex=sex, id_number=own, mother="", mother_id="", passport="", insurance="")
