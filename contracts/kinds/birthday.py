"""The birthday."""

from contracts.kinds.kind import Kind, Template


def _template(subject: str, text: str) -> Template:
    return Template(subject=subject, text=text, html=f"<!doctype html><p>{text}</p>")


BIRTHDAY = Kind(
    name="birthday",
    date_field="birthday",
    cadence="yearly",
    templates={
        "en": _template(
            "Happy birthday, {{ first_name }}!",
            "Hey, {{ first_name }} {{ last_name }} it's your birthday",
        ),
        "de": _template(
            "Alles Gute zum Geburtstag, {{ first_name }}!",
            "Hallo {{ first_name }} {{ last_name }}, alles Gute zum Geburtstag!",
        ),
        "fr": _template(
            "Joyeux anniversaire, {{ first_name }} !",
            "Bonjour {{ first_name }} {{ last_name }}, joyeux anniversaire !",
        ),
        "es": _template(
            "¡Feliz cumpleaños, {{ first_name }}!",
            "Hola, {{ first_name }} {{ last_name }}: ¡feliz cumpleaños!",
        ),
        "ja": _template(
            "{{ first_name }}さん、お誕生日おめでとうございます",
            "{{ last_name }} {{ first_name }}さん、お誕生日おめでとうございます。",
        ),
    },
)
