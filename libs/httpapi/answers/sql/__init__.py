"""The statements of remembered answers."""

from libs.postgres.statements import statements

SQL = statements(__name__)
