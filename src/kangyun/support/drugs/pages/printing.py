"""The sheet of a prescription as 处方管理办法 annex 1 prints it: head, body, foot, the colour of its kind, and who has signed.

The Chinese font is named, not embedded (Adobe's STSong-Light, which every PDF reader for Chinese brings or replaces).
"""

from __future__ import annotations

import io

import segno
from reportlab.lib.pagesizes import A5
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from kangyun.base import clock, web
from kangyun.base.web.display import age, written_date
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.model import Line, Prescription
from kangyun.support.drugs.pages.printed import Printed

_FONT = "STSong-Light"
_EDGE = 12 * mm
_BOTTOM = 46 * mm
_WIDE = 34


class _Sheet:
    """A page that is written from the top down; a long prescription goes on on the next one with the same head and foot."""

    def __init__(self, printed: Printed) -> None:
        pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
        self.out = io.BytesIO()
        self.canvas = Canvas(self.out, pagesize=A5, invariant=1)
        self.printed = printed
        self.y = 0.0
        self.begin()

    def begin(self) -> None:
        """The paper, the head and the facts of the resident."""
        width, height = A5
        self.canvas.setFillColorRGB(*self.printed.look.colour)
        self.canvas.rect(0, 0, width, height, stroke=0, fill=1)
        self.canvas.setFillGray(0.1)
        self.y = height - _EDGE - 4 * mm
        self._head()
        self._facts()

    def _head(self) -> None:
        printed, width = self.printed, A5[0]
        mark = printed.look.mark["zh"]
        if mark:
            self.canvas.rect(width - _EDGE - 22 * mm, self.y - 2 * mm, 22 * mm, 7 * mm)
            self.canvas.setFont(_FONT, 10)
            self.canvas.drawCentredString(width - _EDGE - 11 * mm, self.y, mark)
        self.canvas.setFont(_FONT, 14)
        self.canvas.drawCentredString(width / 2, self.y, f"{printed.head.name if printed.head else ''} 处方笺")
        self.y -= 7 * mm
        self._text(f"处方编号 {printed.held.number}", _EDGE, 8)
        self._text(f"费别：医保/自费    {printed.look.title['zh']}", width / 2, 8)
        self.y -= 3 * mm
        self._rule()

    def _facts(self) -> None:
        printed, half = self.printed, A5[0] / 2
        who = printed.resident
        rows = [
            (f"姓名 {who.name}", f"性别 {web.translate('zh', f'web.sex.{who.sex}')}    年龄 {age('zh', who.born) if who.born else '—'}"),
            (f"门诊/病历号 {printed.held.patient[:18]}", f"开具日期 {written_date('zh', printed.day)}"),
            (f"临床诊断 {'；'.join(one.text or one.code for one in printed.said.diagnoses)}"[:48], ""),
        ]
        for left, right in rows:
            self.y -= 6 * mm
            self._text(left, _EDGE, 9)
            self._text(right, half, 9)
        self.y -= 3 * mm
        self._rule()
        self.y -= 8 * mm
        self._text("Rp" if printed.said.kind != "herbal" else "Rp（中药饮片）", _EDGE, 13)

    def line(self, place: int, line: Line) -> None:
        """One drug on a line of its own: name, specification and quantity; under it how it is taken."""
        if self.y < _BOTTOM:
            self.foot()
            self.canvas.showPage()
            self.begin()
        self.y -= 8 * mm
        drug = self.printed.known.get(line.code)
        self._text(f"{place + 1}. {line.name}  {drug.spec if drug else ''}"[:_WIDE], _EDGE + 4 * mm, 10)
        self.canvas.setFont(_FONT, 10)
        self.canvas.drawRightString(A5[0] - _EDGE, self.y, f"× {line.quantity:.10g} {line.quantity_unit}")
        self.y -= 5 * mm
        self._text(_taken(line, self.printed.said), _EDGE + 10 * mm, 8.5)

    def foot(self) -> None:
        """Who has prescribed, reviewed, dispensed; the price; the code to be scanned."""
        printed, half, self.y = self.printed, A5[0] / 2, _BOTTOM - 8 * mm
        self._rule()
        checked = printed.signer("reviewer")
        for left, right in (
            (f"医师（签名） {printed.signer('author')}", f"金额 {printed.price}"), (f"医师确认 {printed.signer('coauthor') or '—'}", f"审核药师（签名） {checked}"),
            (f"调配药师 {printed.signer('verifier') or ''}", "核对、发药药师"),
            (f"有效期至 {written_date('zh', clock.instant(printed.held.valid_until))}", "电子签名 ES256 + SM2，可验证"),
        ):
            self.y -= 6.5 * mm
            self._text(left, _EDGE, 9)
            self._text(right, half, 9)
        self._code(printed.held.number, A5[0] - _EDGE - 16 * mm, 6 * mm, 16 * mm)

    def _code(self, text: str, left: float, bottom: float, side: float) -> None:
        matrix = segno.make_qr(text, error="m", boost_error=False).matrix
        module = side / len(matrix)
        for y, row in enumerate(matrix):
            for x, dark in enumerate(row):
                if dark:
                    self.canvas.rect(left + x * module, bottom + side - (y + 1) * module, module, module, stroke=0, fill=1)

    def _text(self, text: str, left: float, size: float) -> None:
        self.canvas.setFont(_FONT, size)
        self.canvas.drawString(left, self.y, text)

    def _rule(self) -> None:
        self.canvas.setStrokeGray(0.4)
        self.canvas.line(_EDGE, self.y, A5[0] - _EDGE, self.y)


def _taken(line: Line, said: Prescription) -> str:
    if said.kind == "herbal":
        return f"每剂 {line.dose:.10g}{line.dose_unit}"
    row = frequencies().get(line.frequency)
    often = str(row["zh"]) if row else line.frequency
    return f"用法：每次 {line.dose:.10g}{line.dose_unit}  {often}  {web.translate('zh', f'drugs.route.{line.route}')}  {line.days:.10g}天"


def sheet_pdf(printed: Printed) -> bytes:
    """The sheet on A5; as many pages as it needs, each with head and foot."""
    sheet = _Sheet(printed)
    sheet.canvas.setTitle("处方笺")
    for place, line in enumerate(printed.said.lines):
        sheet.line(place, line)
    sheet.y -= 8 * mm
    last = f"共 {printed.said.doses} 剂，每日一剂，水煎服　以下空白" if printed.said.kind == "herbal" else "—— 以下空白 ——"
    sheet.canvas.setFont(_FONT, 9)
    sheet.canvas.drawCentredString(A5[0] / 2, sheet.y, last)
    sheet.foot()
    sheet.canvas.save()
    return sheet.out.getvalue()
