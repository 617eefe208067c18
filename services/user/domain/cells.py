"""How a field stands in a cell of a CSV file, which spreadsheets open.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula (OWASP, CSV
injection). Such a cell is written behind an apostrophe, and read without it: whatever goes out
comes back the same.
"""

import re

KINDS_SEPARATOR = ";"

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_HARMLESS_FORMULA = re.compile(r"'+[=+\-@\t\r]")


def harmless(cell: str) -> str:
    """Return ``cell`` so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def as_given(cell: str) -> str:
    """Return what ``harmless`` was given."""
    return cell[1:] if _HARMLESS_FORMULA.match(cell) else cell
