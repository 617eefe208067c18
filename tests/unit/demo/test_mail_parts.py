"""Mail sources are read as their writers meant them."""

from email.message import EmailMessage
from email.policy import SMTP

from deploy.demo.mail_parts import read_headers, texts_of
from deploy.demo.mail_store import Arrival


def _source() -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = "<1@jubilee.example>"
    mail["Subject"] = "Alles Gute, Zoë 🎂, und noch einmal alles Gute in einer sehr langen Zeile!"
    mail["X-Jubilee-Occurrence"] = "2027-02-28/0192/birthday"
    mail.set_content("Hey, Zoë 🎂\r\nSubject: not a header")
    mail.add_alternative("<p>Hey, Zoë 🎂</p>", subtype="html")
    return mail.as_bytes()


def test_headers_are_unfolded_and_decoded() -> None:
    headers = read_headers(_source())
    assert headers.message_id == "1@jubilee.example"
    assert headers.occurrence == "2027-02-28/0192/birthday"
    assert headers.subject.startswith("Alles Gute, Zoë 🎂, und")
    assert headers.subject.endswith("!")


def test_header_words_in_the_body_are_not_headers() -> None:
    assert read_headers(b"To: a@b.example\r\n\r\nSubject: no\r\n").subject == ""


def test_both_bodies_are_decoded() -> None:
    texts = texts_of(Arrival(accepted_s=0, to="", raw=_source().decode()))
    assert texts.text.startswith("Hey, Zoë 🎂")
    assert texts.html.strip() == "<p>Hey, Zoë 🎂</p>"
