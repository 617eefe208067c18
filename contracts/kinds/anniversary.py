"""The anniversary: names the years, in the singular for one, not at all for none."""

from contracts.kinds.kind import Kind, Template


def _template(subject: str, text: str, *, one_year: str, years: str) -> Template:
    """Return texts in which ``text`` is followed by the years, where there are any."""
    counted = f"{{% if years == 1 %}}{one_year}{{% elif years %}}{years}{{% endif %}}"
    return Template(
        subject=subject, text=f"{text}{counted}", html=f"<!doctype html><p>{text}{counted}</p>"
    )


ANNIVERSARY = Kind(
    name="anniversary",
    date_field="anniversary",
    cadence="yearly",
    required_holes=("first_name", "years"),
    templates={
        "en": _template(
            "Happy anniversary, {{ first_name }}!",
            "Hey, {{ first_name }} {{ last_name }} it's your anniversary",
            one_year=": 1 year",
            years=": {{ years }} years",
        ),
        "de": _template(
            "Alles Gute zum Jubiläum, {{ first_name }}!",
            "Hallo {{ first_name }} {{ last_name }}, alles Gute zum Jubiläum",
            one_year=": 1 Jahr",
            years=": {{ years }} Jahre",
        ),
        "fr": _template(
            "Heureux anniversaire, {{ first_name }} !",
            "Bonjour {{ first_name }} {{ last_name }}, nous fêtons votre anniversaire",
            one_year=" : 1 an",
            years=" : {{ years }} ans",
        ),
        "es": _template(
            "¡Feliz aniversario, {{ first_name }}!",
            "Hola, {{ first_name }} {{ last_name }}: feliz aniversario",
            one_year=": 1 año",
            years=": {{ years }} años",
        ),
        "ja": _template(
            "{{ first_name }}さん、記念日おめでとうございます",
            "{{ last_name }} {{ first_name }}さん、記念日おめでとうございます",
            one_year="、1周年",
            years="、{{ years }}周年",
        ),
    },
)
