"""The statements of rebuilding."""

from libs.postgres.statements import statements

SQL = statements(__name__)
