"""One Questionnaire with every question type, and responses to it."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]
_EXT = "http://hl7.org/fhir/StructureDefinition/"


def translated(text: str) -> Node:
    parts = [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": text}]
    return {"extension": [{"url": f"{_EXT}translation", "extension": parts}]}


def option(code: str, zh: str, en: str) -> Node:
    return {"valueCoding": {"system": "urn:x", "code": code, "display": zh, "_display": translated(en)}}


QUESTIONNAIRE: Node = {
    "resourceType": "Questionnaire",
    "url": "https://kangyun.example/follow-up",
    "version": "1",
    "status": "active",
    "language": "zh-CN",
    "title": "高血压随访",
    "_title": translated("Hypertension follow-up"),
    "contained": [
        {
            "resourceType": "ValueSet",
            "id": "salt",
            "compose": {"include": [{"system": "urn:salt", "concept": [{"code": "low", "display": "少"}, {"code": "high", "display": "多"}]}]},
        },
    ],
    "item": [
        {"linkId": "intro", "type": "display", "text": "请如实填写"},
        {"linkId": "visited", "type": "date", "text": "随访日期", "_text": translated("Date of visit"), "required": True},
        {"linkId": "started", "type": "dateTime", "text": "开始时间"},
        {"linkId": "clock", "type": "time", "text": "服药时间"},
        {"linkId": "smokes", "type": "boolean", "text": "吸烟", "_text": translated("Smokes")},
        {
            "linkId": "cigarettes", "type": "integer", "text": "每日支数", "required": True,
            "enableWhen": [{"question": "smokes", "operator": "=", "answerBoolean": True}],
            "extension": [{"url": f"{_EXT}minValue", "valueInteger": 1}, {"url": f"{_EXT}maxValue", "valueInteger": 100}],
        },
        {"linkId": "name", "type": "string", "text": "填写人", "maxLength": 8, "initial": [{"valueString": "王医生"}]},
        {"linkId": "phones", "type": "string", "text": "电话", "repeats": True,
         "item": [{"linkId": "kind", "type": "choice", "text": "类别", "answerOption": [{"valueString": "家"}, {"valueString": "单位"}]}]},
        {"linkId": "remark", "type": "text", "text": "备注"},
        {"linkId": "site", "type": "url", "text": "网址"},
        {"linkId": "salt", "type": "choice", "text": "盐", "answerValueSet": "#salt"},
        {"linkId": "symptoms", "type": "choice", "repeats": True, "text": "症状",
         "answerOption": [option("h", "头痛", "Headache"), option("d", "头晕", "Dizziness"), option("n", "恶心", "Nausea")]},
        {"linkId": "drug", "type": "open-choice", "text": "药物", "answerOption": [option("a", "氨氯地平", "Amlodipine")]},
        {"linkId": "doctor", "type": "reference", "text": "医生"},
        {"linkId": "paper", "type": "attachment", "text": "附件"},
        {
            "linkId": "readings", "type": "group", "text": "测量", "repeats": True,
            "item": [
                {"linkId": "systolic", "type": "decimal", "text": "收缩压", "required": True},
                {"linkId": "weight", "type": "quantity", "text": "体重",
                 "extension": [{"url": f"{_EXT}questionnaire-unit", "valueCoding": {"system": "http://unitsofmeasure.org", "code": "kg", "display": "千克"}}]},
                {"linkId": "why", "type": "string", "text": "原因",
                 "enableWhen": [
                     {"question": "systolic", "operator": ">=", "answerDecimal": 160},
                     {"question": "smokes", "operator": "exists", "answerBoolean": True},
                 ], "enableBehavior": "all"},
                {"linkId": "inner", "type": "group", "text": "内组", "item": [{"linkId": "deep", "type": "integer", "text": "深"}]},
            ],
        },
    ],
}
