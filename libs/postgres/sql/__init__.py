"""Statements that concern no table in particular."""

from libs.postgres.statements import statements

SQL = statements(__name__)
