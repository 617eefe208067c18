"""The outbox's statements."""

from libs.postgres.statements import statements

SQL = statements(__name__)
