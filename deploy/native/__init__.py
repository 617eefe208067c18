"""Servers and processes without containers: what `make up`, `run`, `demo` and `test` stand on.

Owns one folder per instance (`.local`, `.local/test`, ...) with a private PostgreSQL, a private
RabbitMQ, their state and the environment written for others to source. `bootstrap` and what it
imports need nothing but Python's standard library; everything else runs inside `.venv`.
"""
