"""The planner's statements, by file name."""

from libs.postgres.statements import statements

SQL = statements("services.planner.adapters.sql")
