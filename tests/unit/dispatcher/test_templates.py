"""Templates: filled exactly as Jinja would, and nothing but segments, holes and choices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from contracts.kinds import KINDS, Kind
from contracts.kinds.anniversary import ANNIVERSARY
from contracts.kinds.birthday import BIRTHDAY
from services.dispatcher.domain.template import TemplateError, Values, compile_template

ORACLES = {is_html: SandboxedEnvironment(autoescape=is_html) for is_html in (False, True)}

NAMES = st.text(min_size=1, max_size=30)
YEARS = st.none() | st.integers(0, 130)

SOURCES = [
    text
    for kind in KINDS.values()
    for template in kind.templates.values()
    for text in (template.subject, template.text, template.html)
] + [
    "100 % {{ first_name }} %s {{ last_name }}",
    "{% if years and years > 1 %}{{ years }}{% else %}-{% endif %}",
    "{% if not years or years <= 3 and first_name != 'x' %}a{% elif years >= 50 %}b{% endif %}",
]


@given(NAMES, NAMES, YEARS, st.sampled_from(SOURCES), st.booleans())
def test_compiled_template_says_what_jinja_says(
    first_name: str, last_name: str, years: int | None, source: str, is_html: bool
) -> None:
    values: Values = {"first_name": first_name, "last_name": last_name, "years": years}
    expected = ORACLES[is_html].from_string(source).render(values)
    assert compile_template(source, is_html=is_html)(values) == expected


def test_birthday_text_is_exactly_the_promised_one() -> None:
    values: Values = {"first_name": "Zoë", "last_name": "O'Neill & Söhne", "years": 36}
    template = BIRTHDAY.templates["en"]
    text = compile_template(template.text, is_html=False)(values)
    html = compile_template(template.html, is_html=True)(values)
    assert text == "Hey, Zoë O'Neill & Söhne it's your birthday"
    assert "O&#39;Neill &amp; Söhne" in html


@pytest.mark.parametrize(
    ("years", "ending"),
    [
        (None, "anniversary"),
        (0, "anniversary"),
        (1, ": 1 year"),
        (2, ": 2 years"),
        (70, "70 years"),
    ],
    ids=["year unknown", "no years", "one year", "two years", "seventy years"],
)
def test_anniversary_names_its_years(years: int | None, ending: str) -> None:
    values: Values = {"first_name": "Ada", "last_name": "Lovelace", "years": years}
    text = compile_template(ANNIVERSARY.templates["en"].text, is_html=False)(values)
    assert text.endswith(ending)


@pytest.mark.parametrize(
    "source",
    [
        "{{ email }}",
        "{{ first_name.upper() }}",
        "{{ first_name | upper }}",
        "{{ first_name[0] }}",
        "{{ 'a' ~ first_name }}",
        "{% for x in first_name %}{% endfor %}",
        "{% set x = 1 %}",
        "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{{ ''.__class__ }}",
        "{% if first_name in 'abc' %}{% endif %}",
        "{% if years == 1 == 2 %}{% endif %}",
        "{{ first_name",
        "{% if years %}",
    ],
)
def test_template_that_could_do_more_is_refused_when_compiled(source: str) -> None:
    with pytest.raises(TemplateError, match="line 1"):
        compile_template(source, is_html=False)


def test_every_kind_compiles() -> None:
    for kind in KINDS.values():
        assert isinstance(kind, Kind)
        for template in kind.templates.values():
            compile_template(template.html, is_html=True)
