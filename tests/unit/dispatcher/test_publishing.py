"""What may be published: texts that keep to the language, say something, and escape every value."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.kinds import KINDS, Template
from contracts.kinds.anniversary import ANNIVERSARY
from contracts.kinds.birthday import BIRTHDAY
from services.dispatcher.domain.markup import MARKS
from services.dispatcher.domain.publishing import TemplateFault, find_faults
from services.dispatcher.domain.template import (
    UNFILLABLE,
    VARIABLES,
    TemplateError,
    Values,
    compile_template,
)

GOOD = Template(subject="For {{ first_name }}", text="Hey {{ first_name }}", html="{{first_name}}")


def faults(**parts: str) -> list[TemplateFault]:
    return find_faults(BIRTHDAY, msgspec.structs.replace(GOOD, **parts))


@pytest.mark.parametrize(
    ("kind", "language"),
    [(kind, language) for kind in KINDS.values() for language in kind.templates],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_whatever_ships_could_be_published(kind: Any, language: str) -> None:
    assert find_faults(kind, kind.templates[language]) == []


@pytest.mark.parametrize(
    ("parts", "part", "line", "words"),
    [
        ({"text": "{{ first_name }}\n{{ ssn }}"}, "text", 2, "'ssn' is not one of"),
        ({"html": "{{ first_name }}\n\n{{ first_name | safe }}"}, "html", 3, "Filter"),
        ({"text": "{% for x in y %}{% endfor %}"}, "text", 1, "For is not allowed"),
        ({"text": "{{ first_name"}, "text", 1, "expected"),
        ({"text": "Hello"}, "text", None, "{{ first_name }} must be shown"),
        ({"html": "<p>Hello</p>"}, "html", None, "{{ first_name }} must be shown"),
        ({"text": "{% if first_name > 3 %}{{ first_name }}{% endif %}"}, "text", None, "filled"),
        ({"subject": "one\ntwo"}, "subject", 2, "one line"),
        ({"subject": "a\x07b"}, "subject", 1, "control"),
        ({"text": "{% if years %}" * 40 + "x" + "{% endif %}" * 40}, "text", 1, "deep"),
        ({"text": "{% if years == " + "9" * 5000 + " %}x{% endif %}"}, "text", 1, ""),
    ],
    ids=[
        "unknown hole", "filter", "loop", "not closed", "text without the name",
        "HTML without the name", "cannot be filled", "two lines", "control character",
        "nested deeply", "endless number",
    ],
)  # fmt: skip
def test_fault_is_named_with_its_part_and_line(
    parts: dict[str, str], part: str, line: int | None, words: str
) -> None:
    found = faults(**parts)
    assert any(
        (fault.part, fault.line) == (part, line) and words in fault.reason for fault in found
    ), found


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        pytest.param({"subject": ""}, "it is empty", id="EC-ST-012 no subject"),
        pytest.param({"text": " \n"}, "it is empty", id="EC-ST-012 blank text"),
        pytest.param({"html": ""}, "it is empty", id="EC-ST-012 no HTML"),
        pytest.param(
            {"text": "{% if years %}{{ first_name }}{% endif %}"},
            "it is empty: where the years are unknown",
            id="EC-ST-012 empty for some",
        ),
    ],
)
def test_empty_text_cannot_be_published(parts: dict[str, str], words: str) -> None:
    assert [fault.reason for fault in faults(**parts)].count(words) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<p title="{{ first_name }}">x</p>',
        "<p {{ first_name }}>x</p>",
        "<{{ first_name }}>",
        '<a href="https://x.example/{{ first_name }}">x</a>',
        "<!-- {{ first_name }} -->",
        "<style>p:before { content: '{{ first_name }}' }</style>",
        "<script>greet('{{ first_name }}')</script>",
        "<script>1</script>{{ first_name }}",
        '<p onclick="x()">{{ first_name }}</p>',
        '<a href="javascript:alert(1)">{{ first_name }}</a>',
        '<a href=" JaVa\tscript:alert(1)">{{ first_name }}</a>',
        '<img src="https://tracker.example/x.gif">{{ first_name }}',
        "<style>@import 'x'</style>{{ first_name }}",
        '<p style="background: url(x)">{{ first_name }}</p>',
        "<form>{{ first_name }}</form>",
        "<iframe></iframe>{{ first_name }}",
        "</{{ first_name }}>",
        '{{ first_name }}<p title="',
    ],
)
@pytest.mark.edge_case("EC-SEC-002")
def test_html_that_escaping_could_not_hold_is_refused(html: str) -> None:
    assert [fault.part for fault in faults(html=html)][:1] == ["html"]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://jubilee.example/x?a=1&amp;b=2">{{ first_name }}</a>',
        '<p style="color: red">{{ first_name }} &amp; {{ last_name }}</p>',
        '<img src="cid:cake" alt="A cake">{{ first_name }}',
        "<style>p { color: red }</style><p>{{ first_name }}</p>",
    ],
)
def test_html_of_text_and_shape_is_fine(html: str) -> None:
    assert faults(html=html) == []


def test_anniversary_must_name_the_years() -> None:
    found = find_faults(ANNIVERSARY, GOOD)
    assert [(fault.part, fault.reason) for fault in found] == [
        ("text", "{{ years }} must be shown"),
        ("html", "{{ years }} must be shown"),
    ]


TOKENS = (
    "{{ }} {% %} {# #} if elif else endif years first_name == > ( ) not and or 'a' 1 1.5 None | ."
    " [ ] ~ for x in set raw endraw \n <p> %s % \x00 \ud800"
)
PIECES = st.sampled_from(TOKENS.split(" "))


@given(st.lists(PIECES, max_size=25).map(" ".join) | st.text(max_size=60))
def test_any_text_is_compiled_or_refused_and_nothing_else(source: str) -> None:
    try:
        render = compile_template(source, is_html=True)
    except TemplateError:
        return
    values: dict[str, str | int | None] = dict.fromkeys(VARIABLES, "x")
    values["years"] = 1
    try:
        assert isinstance(render(values), str)
    except UNFILLABLE:
        assert find_faults(BIRTHDAY, msgspec.structs.replace(GOOD, html=source))


@given(st.text(max_size=40), st.text(max_size=40))
@pytest.mark.edge_case("EC-DV-006", "EC-SEC-002")
def test_no_value_ever_becomes_markup(first_name: str, last_name: str) -> None:
    source = (
        "<p>{{ first_name }}</p><b>{{ last_name }}</b>{% if years %}{{ first_name }}{% endif %}"
    )
    assert faults(html=source) == []
    values: Values = {"first_name": first_name, "last_name": last_name, "years": 1}
    filled = compile_template(source, is_html=True)(values)
    assert (filled.count("<"), filled.count(">")) == (4, 4)
    assert not any(mark in source for mark in MARKS)


@pytest.mark.edge_case("EC-DV-006")
def test_script_in_a_name_is_kept_in_text_and_escaped_in_html() -> None:
    values = dict.fromkeys(VARIABLES) | {"first_name": "<script>alert(1)</script>"}
    template = BIRTHDAY.templates["en"]
    assert "<script>alert(1)</script>" in compile_template(template.text, is_html=False)(values)
    assert "<script" not in compile_template(template.html, is_html=True)(values)
