"""The statements of the user service."""

from libs.postgres.statements import statements

SQL = statements(__name__)
