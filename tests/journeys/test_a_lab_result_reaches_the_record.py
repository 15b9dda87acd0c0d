"""A hospital's laboratory sends a result over MLLP; the resident's doctor sees it a moment later, on a page and over FHIR."""

from __future__ import annotations

import re
import socket
from typing import Any

import httpx
import pytest

from tests.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RECORD_NUMBERS = "2.16.156.10011.99.1"
ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
LI_NA = "990101198805040024"


def message(control: str, value: str, status: str = "F", at: str = "20261122085500+0800") -> str:
    """A glucose result of 李娜 from the First People's Hospital of Yunzhou."""
    return "\r".join([
        f"MSH|^~\\&|LIS|YZFH|KANGYUN|YUNZHOU|{at}||ORU^R01^ORU_R01|{control}|P|2.5|||AL|NE|CHN|UNICODE UTF-8",
        f"PID|1||F90000001^^^YZFH&{RECORD_NUMBERS}&ISO^MR~{LI_NA}^^^MOPS&2.16.156.10011.1.3&ISO^NNCHN||李^娜^^^^^L^I||19880504|F",
        f"OBR|1||R0001^YZFH.LIS^{RECORD_NUMBERS}.1.3^ISO|24323-8^生化全套^LN|||20261122083000+0800|||||||||||||||{at}||LAB|{status}",
        f"OBX|1|NM|14749-6^葡萄糖^LN||{value}|mmol/L|3.9-6.1|H|||{status}|||20261122083000+0800",
    ]) + "\r"


def send(server: Server, text: str) -> str:
    """What the platform acknowledges."""
    with socket.create_connection(("127.0.0.1", server.mllp_port), timeout=60) as connection:
        connection.sendall(b"\x0b" + text.encode() + b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            part = connection.recv(65536)
            assert part, "the connection was closed without an answer"
            answer += part
    return answer.decode().strip("\x0b\x1c\r")


def one(http: httpx.Client, kind: str, **query: str) -> dict[str, Any]:
    """The one resource that a search finds."""
    answer = http.get(f"/fhir/{kind}", params=query).json()
    assert answer["total"] == 1, answer
    return answer["entry"][0]["resource"]


def test_a_result_is_seen_corrected_and_kept(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        assert "MSA|AA|GLU1" in send(server, message("GLU1", "8.40"))
        resident = one(http, "Patient", identifier=f"{ID_NUMBERS}|{LI_NA}")
        assert (resident["name"][0]["family"], resident["gender"], resident["birthDate"]) == ("李", "female", "1988-05-04")
        result = one(http, "Observation", patient=resident["id"], code="http://loinc.org|14749-6")
        assert '"value":8.40' in http.get(f"/fhir/Observation/{result['id']}").text, "8.40 is not 8.4"
        report = one(http, "DiagnosticReport", result=f"Observation/{result['id']}")
        assert report["subject"]["reference"] == f"Patient/{resident['id']}"
        assert one(http, "Provenance", target=f"Observation/{result['id']}")["agent"]

        assert "MSA|AA|GLU1" in send(server, message("GLU1", "8.40")), "a repetition is answered again"
        assert http.get(f"/fhir/Observation/{result['id']}/_history").json()["total"] == 1, "and stored once"

        assert "MSA|AA|GLU2" in send(server, message("GLU2", "6.90", "C", "20261122093000+0800"))
        corrected = one(http, "Observation", patient=resident["id"], code="http://loinc.org|14749-6")
        assert (corrected["id"], corrected["status"], corrected["meta"]["versionId"]) == (result["id"], "corrected", "2")

        server.kill()
        server.start()
        for language, words in (("zh", ("李娜", "6.90", "mmol/L")), ("en", ("李娜", "6.90", "mmol/L"))):
            for page in (f"/clinician/residents/{resident['id']}", f"/clinician/residents/{resident['id']}/results"):
                shown = http.get(page, headers={"accept": "text/html", "accept-language": language})
                assert shown.status_code == 200
                assert words[0] in shown.text
        assert all(word in shown.text for word in words), "the result stands on the page of results"
        assert "8.40" not in re.sub(r"<[^>]+>", "", shown.text), "the doctor is not shown what was corrected as if it held"

        everything = http.get(f"/fhir/Patient/{resident['id']}/$everything").json()
        kinds = {e["resource"]["resourceType"] for e in everything["entry"]}
        assert kinds >= {"Patient", "Observation", "DiagnosticReport"}


def test_a_message_nobody_can_read_is_refused_and_leaves_nothing_in_the_record(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        before = http.get("/fhir/Observation?_summary=count").json()["total"]
        answer = send(server, message("BAD1", "high"))
        assert "MSA|AE|BAD1" in answer
        assert http.get("/fhir/Observation?_summary=count").json()["total"] == before
        assert "MSA|AA|GLU9" in send(server, message("GLU9", "7.1").replace("R0001", "R0009")), "the next message passes"
