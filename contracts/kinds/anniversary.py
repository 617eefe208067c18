"""The anniversary: names the years, in the singular for one, not at all for none."""

from contracts.kinds.kind import Kind, Template

_YEARS = "{% if years == 1 %} 1 year{% elif years %} {{ years }} years{% endif %}"
_TEXT = (
    "Hey, {{ first_name }} {{ last_name }} it's your anniversary"
    "{% if years %}:" + _YEARS + "{% endif %}"
)

ANNIVERSARY = Kind(
    name="anniversary",
    date_field="anniversary",
    cadence="yearly",
    templates={
        "en": Template(
            subject="Happy anniversary, {{ first_name }}!",
            text=_TEXT,
            html=f"<!doctype html><p>{_TEXT}</p>",
        ),
    },
)
