"""The printed card: a sheet with one card to cut out, drawn without system libraries or fonts.

The Chinese font is named, not embedded (Adobe's STSong-Light, which every PDF reader for Chinese brings or replaces).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from kangyun.base import clock, web
from kangyun.base.web.display import masked, written_date
from kangyun.commons.access import Letterhead
from kangyun.commons.access import letterhead_rgb as rgb
from kangyun.commons.population.pages.people import Shown

_FONT = "STSong-Light"
# ISO/IEC 7810 ID-1, as bank cards are.
_WIDTH, _HEIGHT = 85.6 * mm, 53.98 * mm
_TEAL = (0.04, 0.46, 0.44)
_HEAD = 18 * mm


@dataclass(frozen=True, slots=True)
class Printed:
    """What stands on the card."""

    region: str
    kind: str
    who: Shown
    code: str
    hint: str
    deadline: datetime | None
    head: Letterhead | None = None


def card_pdf(card: Printed, language: str) -> bytes:
    """One A4 page with the card and how to use it."""
    pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(card.kind)
    left, bottom = 20 * mm, A4[1] - 20 * mm - _HEIGHT
    if card.head:
        _head(canvas, card.head, language, left)
        bottom -= _HEAD
    _frame(canvas, card, left, bottom)
    _code(canvas, card.code, left + _WIDTH - 42 * mm, bottom + 4 * mm, 38 * mm)
    _facts(canvas, card, language, left + 5 * mm, bottom + _HEIGHT - 20 * mm)
    canvas.setFillGray(0.25)
    _text(canvas, card.hint, left, bottom - 8 * mm, 9)
    canvas.save()
    return out.getvalue()


def _head(canvas: Canvas, head: Letterhead, language: str, left: float) -> None:
    """The institution that prints, above everything."""
    top = A4[1] - 20 * mm
    if head.mark.logo:
        side = 12 * mm
        canvas.drawImage(ImageReader(io.BytesIO(head.mark.logo)), left, top - side, side, side, mask="auto", preserveAspectRatio=True)
        left += side + 4 * mm
    canvas.setFillColorRGB(*(rgb(head.mark.colour) or _TEAL))
    _text(canvas, head.called(language), left, top - 5 * mm, 13)
    _text(canvas, "  ".join(filter(None, (head.address, head.phone))), left, top - 11 * mm, 8)


def _frame(canvas: Canvas, card: Printed, left: float, bottom: float) -> None:
    canvas.setStrokeGray(0.7)
    canvas.roundRect(left, bottom, _WIDTH, _HEIGHT, 3 * mm)
    canvas.setFillColorRGB(*_TEAL)
    _text(canvas, card.region, left + 5 * mm, bottom + _HEIGHT - 8 * mm, 9)
    _text(canvas, card.kind, left + 5 * mm, bottom + _HEIGHT - 13 * mm, 11)


def _facts(canvas: Canvas, card: Printed, language: str, left: float, top: float) -> None:
    who = card.who
    lines = [who.name, f"{web.translate(language, f'web.sex.{who.sex}')}  {written_date(language, who.born)}", masked(who.identifier)]
    if card.deadline:
        lines.append(web.translate(language, "population.print.until", date=written_date(language, clock.instant(card.deadline))))
    canvas.setFillGray(0.1)
    for number, line in enumerate(lines):
        _text(canvas, line, left, top - number * 6 * mm, 13 if number == 0 else 8)


def _code(canvas: Canvas, text: str, left: float, bottom: float, side: float) -> None:
    matrix = segno.make_qr(text, error="m", boost_error=False).matrix
    module = side / len(matrix)
    canvas.setFillGray(0)
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                canvas.rect(left + x * module, bottom + side - (y + 1) * module, module, module, stroke=0, fill=1)


def _text(canvas: Canvas, text: str, left: float, bottom: float, size: float) -> None:
    canvas.setFont(_FONT, size)
    canvas.drawString(left, bottom, text)
