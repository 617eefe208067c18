"""The statements of rate limits."""

from libs.postgres.statements import statements

SQL = statements(__name__)
