"""Rules for names, places and identifiers: any script, nothing invisible that could mislead."""

import unicodedata

from services.user.domain.errors import FieldRefusedError

NAME_MAX = 100
EXTERNAL_ID_MAX = 128
# An emoji joined from several code points is one character to its bearer; this bounds the rest.
_CODE_POINTS_MAX = 1000
_SEARCHED_MAX = 200

_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_JOINER = "\u200d"
_EMOJI_PARTS = frozenset({"\ufe0e", "\ufe0f", "\u20e3", *map(chr, range(0x1F3FB, 0x1F400))})


def text_of(value: object) -> str:
    """Return ``value`` if it is a text.

    Raises:
        FieldRefusedError: it is null or of another type.
    """
    if isinstance(value, str):
        return value
    if value is None:
        raise FieldRefusedError("null", "must not be null")
    raise FieldRefusedError("wrong_type", "must be a string")


def parse_name(value: object) -> str:
    """Return a name of 1 to 100 characters: outer blanks removed, NFC, otherwise as given.

    Raises:
        FieldRefusedError: no text, blank, too long, or with control or bidi control characters.
    """
    text = _visible(text_of(value)).strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not _has_substance(text):
        raise FieldRefusedError("blank", "must not be blank")
    if length_of(text) > NAME_MAX:
        raise FieldRefusedError("too_long", f"must have at most {NAME_MAX} characters")
    return text


def parse_external_id(value: object) -> str:
    """Return a client's own identifier of 1 to 128 characters, exactly as given.

    Raises:
        FieldRefusedError: no text, blank, too long, or with control or bidi control characters.
    """
    text = _visible(text_of(value))
    if not _has_substance(text):
        raise FieldRefusedError("blank", "must not be blank")
    if len(text) > EXTERNAL_ID_MAX:
        raise FieldRefusedError("too_long", f"must have at most {EXTERNAL_ID_MAX} characters")
    return text


def length_of(text: str) -> int:
    """Return how many characters ``text`` has: code points, a joined emoji counting once."""
    if len(text) <= NAME_MAX or len(text) > _CODE_POINTS_MAX:
        return len(text)
    joined = {index + 1 for index, character in enumerate(text) if character == _JOINER}
    return sum(
        index not in joined and character != _JOINER and character not in _EMOJI_PARTS
        for index, character in enumerate(text)
    )


def search_key(text: str) -> str:
    """Return the form in which names are searched: case-folded, compatible forms made alike.

    At most 200 code points of it count, so that an index can hold every one.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.casefold()[:_SEARCHED_MAX]


def _visible(text: str) -> str:
    """Return ``text`` unless a character in it would hide or reorder others."""
    if text.isprintable():
        return text
    for character in text:
        if character in _BIDI_CONTROLS or unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            raise FieldRefusedError(
                "forbidden_character",
                "must not contain control, line separator or text direction characters",
            )
    return text


def _has_substance(text: str) -> bool:
    return (
        text.isascii()
        or any(unicodedata.category(character) not in {"Cf", "Zs"} for character in text)
        if text.strip()
        else False
    )
