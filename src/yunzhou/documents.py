"""Documents in words and as small real PDF files."""

from __future__ import annotations

from yunzhou.laboratory import catalogue
from yunzhou.plans import CHINA
from yunzhou.visits import Visit, pharmacy


def discharge_summary(visit: Visit) -> list[str]:
    """Return the lines of a discharge summary."""
    return [
        f"{visit.institution.name} 出院小结",
        f"入院时间：{visit.start.astimezone(CHINA):%Y-%m-%d %H:%M}  出院时间：{visit.end.astimezone(CHINA):%Y-%m-%d %H:%M}",
        f"科别：{visit.department.name}  住院医师：{visit.doctor.name.text}",
        f"诊断：{'；'.join(f'{d.name}（{d.code}）' for d in visit.diagnoses)}",
        "诊疗经过：入院后完善相关检查，予对症治疗，病情好转。",
        *_abnormal(visit),
        f"出院带药：{'；'.join(_medicines(visit)) or '无'}",
        "出院医嘱：注意休息，按时服药，两周后门诊复查，不适随诊。",
    ]


def checkup_report(visit: Visit) -> list[str]:
    """Return the lines of the report of a yearly examination."""
    return [
        f"{visit.institution.name} 健康体检报告",
        f"体检日期：{visit.start.astimezone(CHINA):%Y-%m-%d}  主检医师：{visit.doctor.name.text}",
        *_abnormal(visit),
        "健康指导：合理膳食，适量运动，戒烟限酒，定期复查。",
    ]


def _abnormal(visit: Visit) -> list[str]:
    items = catalogue().items
    found = [
        f"{items[result.item].name} {result.value} {result.unit}".strip()
        for report in visit.reports
        for result in report.results
        if result.flag not in {"", "N"}
    ]
    return [f"异常结果：{'，'.join(found) if found else '未见异常'}"]


def _medicines(visit: Visit) -> list[str]:
    return [pharmacy().medicines[prescription.medicine].name for prescription in visit.prescriptions]


def pdf(lines: list[str]) -> bytes:
    """Return a one-page PDF (1.4) of the lines; the Chinese font is one of those that every reader brings along."""
    wrapped = [piece for line in lines for piece in _wrap(line, 40)]
    shown = [f"<{line.encode('utf-16-be').hex()}> Tj T*" for line in wrapped]
    content = "\n".join(["BT /F1 12 Tf 20 TL 56 780 Td", *shown, "ET"]).encode("ascii")
    return _file([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> >> /Contents 7 0 R >>",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [5 0 R] >>",
        (b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /DW 1000 /FontDescriptor 6 0 R >>"),
        (b"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0"
        b" /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>"),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ])  # fmt: skip


def _wrap(line: str, width: int) -> list[str]:
    return [line[start : start + width] for start in range(0, len(line), width)] or [""]


def _file(objects: list[bytes]) -> bytes:
    """Join numbered objects with the cross-reference table (ISO 32000 7.5.4)."""
    out, offsets = bytearray(b"%PDF-1.4\n%\xe4\xba\x91\xe5\xb7\x9e\n"), list[int]()
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
