"""What mails must say in each language, written out once more beside the code that is on trial."""

import msgspec


class Wording(msgspec.Struct, frozen=True):
    """One language: both greetings, and what follows the anniversary where there are years."""

    birthday: str
    anniversary: str
    one_year: str
    years: str


_ENGLISH = Wording(
    "Hey, {first} {last} it's your birthday",
    "Hey, {first} {last} it's your anniversary",
    ": 1 year",
    ": {years} years",
)
_WORDINGS = {
    "de": Wording(
        "Hallo {first} {last}, alles Gute zum Geburtstag!",
        "Hallo {first} {last}, alles Gute zum Jubiläum",
        ": 1 Jahr",
        ": {years} Jahre",
    ),
    "fr": Wording(
        "Bonjour {first} {last}, joyeux anniversaire !",
        "Bonjour {first} {last}, nous fêtons votre anniversaire",
        " : 1 an",
        " : {years} ans",
    ),
    "es": Wording(
        "Hola, {first} {last}: ¡feliz cumpleaños!",
        "Hola, {first} {last}: feliz aniversario",
        ": 1 año",
        ": {years} años",
    ),
    "ja": Wording(
        "{last} {first}さん、お誕生日おめでとうございます。",
        "{last} {first}さん、記念日おめでとうございます",
        "、1周年",
        "、{years}周年",
    ),
}


def wording_in(locale: str) -> Wording:
    """Return the wording for a person of this locale; English where there is none."""
    return _WORDINGS.get(locale.partition("-")[0], _ENGLISH)
