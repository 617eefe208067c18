"""Reading bounces and complaints, and what they are worth."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.clock import monotonic_s
from libs.ids import new_id, occurrence_key
from services.dispatcher.adapters.report_json import read_report_json
from services.dispatcher.adapters.report_mails import (
    MAX_REPORT_BYTES,
    UnreadableReportError,
    read_report_mail,
)
from services.dispatcher.domain.report import Report, readable_status, verdict_on
from tests.support.deliveries import TODAY
from tests.support.depth import deeper
from tests.support.reports import a_bounce, a_complaint, a_webhook

KEY = occurrence_key(TODAY, new_id(), "birthday")
BOUNCE = a_bounce("ada@example.org", X_Jubilee_Occurrence=KEY)
COMPLAINT = a_complaint("ada@example.org", X_Jubilee_Occurrence=KEY)


@pytest.mark.parametrize("enclosed", ["text/rfc822-headers", "message/rfc822"])
def test_bounce_says_who_why_and_of_which_mail(enclosed: str) -> None:
    raw = a_bounce(
        "Ada@Example.ORG",
        enclosed=enclosed,
        Message_ID="<a-b@jubilee.example>",
        X_Jubilee_Occurrence=KEY,
    )
    [report] = read_report_mail(raw)
    assert (report.type, report.address, report.status) == ("bounced", "ada@example.org", "5.1.1")
    assert (report.message_id, report.occurrence) == ("a-b@jubilee.example", KEY)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded", ""])
def test_status_that_is_no_failure_is_no_bounce(action: str) -> None:
    assert read_report_mail(a_bounce("ada@example.org", action=action)) == []


def test_forwarded_mail_is_about_the_address_we_wrote_to() -> None:
    raw = BOUNCE.replace(
        b"Final-Recipient: rfc822; ada@example.org",
        b"Original-Recipient: rfc822;ada@example.org\r\nFinal-Recipient: rfc822; x@elsewhere.org",
    )
    [report] = read_report_mail(raw)
    assert report.address == "ada@example.org"


def test_failure_without_a_status_is_unspecified() -> None:
    [report] = read_report_mail(BOUNCE.replace(b"Status: 5.1.1\r\n", b""))
    assert report.status == "5.0.0"


def test_complaint_says_who_and_of_which_mail() -> None:
    [report] = read_report_mail(COMPLAINT)
    assert (report.type, report.address) == ("complained", "ada@example.org")
    assert report.occurrence == KEY


def test_complaint_that_hides_its_author_names_the_mail() -> None:
    [report] = read_report_mail(a_complaint(None, X_Jubilee_Occurrence=KEY))
    assert (report.address, report.occurrence) == (None, KEY)


@pytest.mark.parametrize("feedback", ["not-spam", "auth-failure", "other", ""])
def test_other_feedback_is_no_complaint(feedback: str) -> None:
    assert read_report_mail(a_complaint("ada@example.org", feedback=feedback)) == []


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("5.1.1", "suppress"),
        ("5.1.2", "suppress"),
        ("5.1.10", "suppress"),
        ("5.2.1", "suppress"),
        ("5.2.2", "count"),
        ("5.0.0", "count"),
        ("5.4.4", "count"),
        ("5.1.8", "ignore"),
        ("5.2.3", "ignore"),
        ("5.6.0", "ignore"),
        ("5.7.1", "ignore"),
        ("4.2.2", "ignore"),
        ("4.4.7", "ignore"),
        ("2.0.0", "ignore"),
        (None, "count"),
    ],
)
def test_address_gets_what_its_status_deserves(status: str | None, verdict: str) -> None:
    report = Report(type="bounced", source="x", address="ada@example.org", status=status)
    assert verdict_on(report) == verdict


@pytest.mark.parametrize(
    ("text", "status"),
    [("5.1.1 (bad address)", "5.1.1"), (" 4.2.2", "4.2.2"), ("3.1.1", None), ("5.1", None)],
)
def test_status_is_read_where_there_is_one(text: str, status: str | None) -> None:
    assert readable_status(text) == status


@pytest.mark.parametrize(
    ("body", "type_name", "status"),
    [
        (a_webhook("ada@example.org"), "bounced", "5.1.1"),
        (a_webhook("ada@example.org", "SoftBounce"), "bounced", "5.2.2"),
        (a_webhook("ada@example.org", "Transient"), "bounced", "4.0.0"),
        (a_webhook("ada@example.org", "SomethingNew"), "bounced", "4.0.0"),
        (a_webhook("ada@example.org", "SpamComplaint"), "complained", None),
        (a_webhook("ada@example.org", RecordType="SpamComplaint"), "complained", None),
    ],
)
def test_webhook_says_the_same(body: bytes, type_name: str, status: str | None) -> None:
    [report] = read_report_json(body)
    assert (report.type, report.address, report.status) == (type_name, "ada@example.org", status)


def test_webhook_names_the_mail_by_our_metadata() -> None:
    [report] = read_report_json(a_webhook("ada@example.org", Metadata={"occurrence": KEY}))
    assert report.occurrence == KEY


def test_webhook_about_something_else_reports_nothing() -> None:
    assert read_report_json(a_webhook("ada@example.org", RecordType="Open")) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"RecordType":1}', b"[" * 100_000, b"\xff"])
def test_webhook_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableReportError):
        read_report_json(body)


def test_mail_that_is_too_long_is_refused() -> None:
    with pytest.raises(UnreadableReportError):
        read_report_mail(b"x" * (MAX_REPORT_BYTES + 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(
            b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n)
            for n in range(4000)
        ),
        b"Content-Type: message/rfc822\r\n\r\n" * 7000,
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\n" * 30_000,
        b"Content-Type: " + b"a" * 250_000,
        b"Content-Type: multipart/report" + b"; a*0*=''x" * 20_000,
        b"Subject: " + b"=?utf-8?q?" * 20_000,
        b"\x00" * 200_000,
    ],
    ids=["deep", "deep mails", "many parts", "long header", "parameters", "words", "zeros"],
)
def test_bomb_is_survived_quickly(raw: bytes) -> None:
    started_s = monotonic_s()
    with contextlib.suppress(UnreadableReportError):
        assert read_report_mail(raw[:MAX_REPORT_BYTES]) == []
    assert monotonic_s() - started_s < 5


def test_charset_that_the_parser_stumbles_over_is_refused() -> None:
    with pytest.raises(UnreadableReportError):
        read_report_mail(b"Content-Type: multipart/report; charset*=utf-8''x\r\n\r\n\xff")


def mutations() -> st.SearchStrategy[bytes]:
    """Return reports in which pieces were cut out, doubled or replaced."""

    def mutated(raw: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for start, length, piece in changes:
            place = start % (len(raw) + 1)
            raw = raw[:place] + piece + raw[place + length :]
        return raw

    pieces = st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"\r\n", b"\r\n\r\n", b"--", b"\x00", b"=?utf-8?b?/w==?=", b'"', b";"]),
        st.sampled_from([b"Content-Type: message/rfc822\r\n\r\n", b"Content-Transfer-Encoding: x"]),
    )
    change = st.tuples(st.integers(0, 5000), st.integers(0, 60), pieces)
    return st.builds(mutated, st.sampled_from([BOUNCE, COMPLAINT]), st.lists(change, max_size=6))


@settings(max_examples=deeper(300, 20_000), deadline=None)
@given(st.one_of(st.binary(max_size=2000), mutations()))
def test_no_input_does_more_than_report_or_be_refused(raw: bytes) -> None:
    try:
        reports = read_report_mail(raw)
    except UnreadableReportError:
        return
    for report in reports:
        assert report.address is None or report.address.isprintable()
        assert verdict_on(report) in {"suppress", "count", "ignore"}


@settings(max_examples=deeper(300, 20_000), deadline=None)
@given(st.one_of(st.binary(max_size=500), st.text(max_size=300).map(str.encode)))
def test_no_json_does_more_than_report_or_be_refused(body: bytes) -> None:
    with contextlib.suppress(UnreadableReportError):
        assert read_report_json(body) == []
