"""The birthday."""

from contracts.kinds.kind import Kind, Template

_TEXT = "Hey, {{ first_name }} {{ last_name }} it's your birthday"

BIRTHDAY = Kind(
    name="birthday",
    date_field="birthday",
    cadence="yearly",
    templates={
        "en": Template(
            subject="Happy birthday, {{ first_name }}!",
            text=_TEXT,
            html=f"<!doctype html><p>{_TEXT}</p>",
        ),
    },
)
