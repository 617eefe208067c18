"""The dispatcher's statements, one a file."""

from libs.postgres.statements import statements

SQL = statements("services.dispatcher.adapters.sql")
