"""The wire below HTTP: two readings of one request, endless heads and bodies, slow clients, bombs, folders outside of ours."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from kangyun.base.web import forms
from kangyun.base.web.places import static_folders
from tests.serving import Server

BROWSER = {"accept": "text/html"}


async def raw(server: Server, request: bytes, seconds: float = 20) -> bytes:
    """Everything that the server answers until it closes the line, or has been silent for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    answer = b""
    try:
        writer.write(request)
        async with asyncio.timeout(seconds):
            while part := await reader.read(65_536):
                answer += part
                if b"\r\n\r\n" in answer and answer.count(b"HTTP/1.1") and _whole(answer):
                    break
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return length.isdigit() and len(body) >= int(length)


HOST = b"Host: kangyun.test\r\n"
SMUGGLED = b"GET /fhir/Patient/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
TWO_READINGS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: 5, 6\r\n", b"Content-Length: +5\r\n", b"Content-Length: 0x5\r\n", b"Content-Length: 5 5\r\n", b"Content-Length : 5\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
    b"X: a\r\n Transfer-Encoding: chunked\r\n", b"Content-Length: -1\r\n", b"X\x00Y: 1\r\n", b"X: a\x00b\r\n", b"Content_Length: 5\r\nX: \r\r\n",
]  # fmt: skip


@pytest.mark.parametrize("head", TWO_READINGS)
async def test_what_can_be_read_in_two_ways_is_answered_once(head: bytes, server: Server) -> None:
    answer = await raw(server, b"POST /fhir/Patient HTTP/1.1\r\n" + HOST + head + b"\r\n0\r\n\r\n" + SMUGGLED, 3)
    # Whatever follows a request with a doubtful head is never taken for a request of its own.
    assert answer.count(b"HTTP/1.1 404") == 0, answer
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer[:100]


@pytest.mark.parametrize("line", [b"GET /fhir/metadata", b"get /fhir/metadata HTTP/1.1", b"G\x00T / HTTP/1.1", b"\x16\x03\x01"])
async def test_a_line_that_is_no_request_is_refused(line: bytes, server: Server) -> None:
    answer = await raw(server, line + b"\r\n" + HOST + b"\r\n", 5)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505")), answer[:100]


@pytest.fixture(scope="module")
async def http(server: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        await client.get("/", headers=BROWSER)
        yield client


async def test_a_packed_body_is_not_unpacked(http: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    for path in ("/fhir/Patient", "/fhir", "/exchange/hl7v2", "/exchange/cda"):
        answer = await http.post(path, content=bomb, headers={"content-encoding": "gzip", "content-type": "application/fhir+json"})
        assert 400 <= answer.status_code < 500, path


async def test_deep_and_wide_json_is_refused_quickly(http: httpx.AsyncClient) -> None:
    for content in (b"[" * 200_000, b'{"a":' * 100_000, b'{"resourceType":"Basic","x":' + b"[" * 5000 + b"]" * 5000 + b"}"):
        answer = await http.post("/fhir/Basic", content=content, headers={"content-type": "application/fhir+json"})
        assert answer.status_code in {400, 413, 422}


async def test_workbooks_and_maps_that_grow_are_refused(http: httpx.AsyncClient) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<c/>" * 100_000_000)
    answer = await http.post("/exchange/tables?sender=S1&kind=results", content=packed.getvalue())
    assert answer.status_code in {400, 413, 422}, answer.text
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    token = forms.token_for(str(http.cookies[forms.COOKIE]))
    fields = {forms.FIELD: token, "sender": "S1", "maps": "\n".join(levels) + "\ncodes: {sex: {a: *a8}}"}
    answer = await http.post("/exchange/senders/edit", data=fields, headers=BROWSER)
    assert answer.status_code == 422
    fields["maps"] = "codes: {sex: &a {b: *a}}"
    assert (await http.post("/exchange/senders/edit", data=fields, headers=BROWSER)).status_code == 422


async def test_xml_is_read_without_entities_and_without_the_outside(http: httpx.AsyncClient) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    for document in (
        f"<!DOCTYPE x [{laughs}]><ClinicalDocument xmlns='urn:hl7-org:v3'>&l9;</ClinicalDocument>",
        "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><ClinicalDocument xmlns='urn:hl7-org:v3'><title>&f;</title></ClinicalDocument>",
        "<!DOCTYPE x SYSTEM 'http://169.254.169.254/x.dtd'><ClinicalDocument xmlns='urn:hl7-org:v3'/>",
    ):
        answer = await http.post("/exchange/cda", content=document.encode(), headers={"content-type": "application/xml"})
        assert answer.status_code in {400, 422}
        assert "root:" not in answer.text


async def test_a_form_is_bounded_in_fields_and_bytes(http: httpx.AsyncClient) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded", **BROWSER}
    assert (await http.post("/preferences", content=b"a=1&" * 5000, headers=kind)).status_code == 400
    assert (await http.post("/preferences", content=b"a=" + b"x" * 3_000_000, headers=kind)).status_code == 400
    large = {"logo": ("x.png", b"\x89PNG" + b"x" * 40_000_000, "image/png")}
    assert (await http.post("/preferences", files=large, headers=BROWSER)).status_code == 413
    many = [("f", (f"{n}.png", b"x", "image/png")) for n in range(50)]
    assert (await http.post("/preferences", files=many, headers=BROWSER)).status_code == 400


async def test_a_form_that_drips_is_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    slow = Server(tmp_path_factory.mktemp("dripping") / "data", slow_client_seconds="1")
    slow.start(60)
    try:
        head = b"POST /preferences HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na="
        assert (await raw(slow, head, 30)).startswith(b"HTTP/1.1 408")
    finally:
        slow.stop()


ESCAPES = ["../settings.py", "..%2fsettings.py", "%2e%2e/%2e%2e/settings.py", "..%5c..%5csettings.py", "/etc/passwd", "%2fetc%2fpasswd", "....//settings.py", "..;/settings.py", "%00", "clinician/../../settings.py", "clinician/%2e%2e/pages.py"]


@pytest.mark.parametrize("escape", ESCAPES)
async def test_no_address_leaves_the_folders_of_static_files(escape: str, server: Server) -> None:
    answer = await raw(server, b"GET /static/0/" + escape.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n", 5)
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")), answer[:200]
    assert b"root:" not in answer
    assert b"from __future__" not in answer


async def test_names_of_files_sent_in_reach_no_folder(http: httpx.AsyncClient) -> None:
    for name in ("../../escaped.hl7", "/tmp/escaped.hl7", "..\\escaped.hl7", "con", "a\x00b"):
        answer = await http.post(f"/exchange/tables?sender={quote(name)}&kind={quote(name)}", content=b"x,y\n1,2\n")
        assert answer.status_code < 500
        assert (await http.get(f"/exchange/cda/{quote(name, safe='')}?patient=x")).status_code in {400, 404, 422}
        assert (await http.get(f"/exchange/senders/one?name={quote(name)}", headers=BROWSER)).status_code < 500
    assert not await asyncio.to_thread(Path("/tmp/escaped.hl7").exists)
    assert all(folder.is_dir() for folder in static_folders().values())


async def test_what_a_file_is_decides_its_content_and_not_its_name(http: httpx.AsyncClient) -> None:
    html = b"<html><script>alert(1)</script></html>"
    for kind in ("application/vnd.ms-excel", "text/csv", "application/pdf", "image/png"):
        answer = await http.post("/exchange/tables?sender=S1&kind=results.xlsx", content=html, headers={"content-type": kind})
        assert answer.status_code in {400, 415, 422}
    answer = await http.post("/exchange/cda", content=b"%PDF-1.7 x", headers={"content-type": "application/xml"})
    assert answer.status_code in {400, 422}
    assert json.loads(answer.content)["resourceType"] == "OperationOutcome"


async def test_an_answer_is_one_packet_and_one_without_a_body_is_whole(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for request, body in ((b"GET", True), (b"HEAD", False), (b"GET", True)):
            writer.write(request + b" /health/live HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = await asyncio.wait_for(reader.read(65_536), 10)
            head, _, rest = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert bool(rest) is body
            assert not body or _whole(answer)
        writer.write(b"HEAD /health/live HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200"), "the head leaves before the line is closed"
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /fhir/Patient HTTP/1.1\r\n" + HOST + b"Content-Type: application/fhir+json\r\nExpect: 100-continue\r\nContent-Length: 27\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(65_536), 10)).startswith(b"HTTP/1.1 100"), "whoever asks before sending the body is told"
        writer.write(b'{"resourceType":"Patient"  }'[:27])
        assert (await asyncio.wait_for(reader.read(65_536), 10)).startswith(b"HTTP/1.1 4"), "that is no whole resource"
    finally:
        writer.close()
