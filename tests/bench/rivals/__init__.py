"""The same job done by well-known task queues: one HTTP request a mail, its result in PostgreSQL.

The workers run in an environment of their own (requirements/rivals.lock), import nothing of
ours, and with the settings that were fastest for each here.
"""
