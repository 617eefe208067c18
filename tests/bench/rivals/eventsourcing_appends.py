"""eventsourcing on PostgreSQL, threads.

``python eventsourcing_appends.py COUNT`` prints ``ready``, waits for a line, registers COUNT people
as one aggregate each, prints the seconds it took, and waits for another line.
"""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

_THREADS = 8


class Person(Aggregate):
    """Somebody registered."""

    @event("Registered")
    def __init__(self, first_name: str, last_name: str, email: str, zone: str) -> None:
        self.first_name = first_name
        self.last_name = last_name
        self.email = email
        self.zone = zone


class People(Application):
    """Everybody registered."""

    def register(self, number: int) -> None:
        """Register one person."""
        email = f"ada{number}@example.com"
        self.save(Person("Ada", f"Number {number}", email, "Europe/Berlin"))


def _open() -> People:
    url = urlsplit(os.environ["RIVAL_DATABASE_URL"])
    return People(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": url.path[1:],
            "POSTGRES_HOST": url.hostname or "127.0.0.1",
            "POSTGRES_PORT": str(url.port or 5432),
            "POSTGRES_USER": url.username or "",
            "POSTGRES_PASSWORD": url.password or "",
            "POSTGRES_POOL_SIZE": str(_THREADS),
            "POSTGRES_MAX_OVERFLOW": "0",
        }
    )


if __name__ == "__main__":
    people, count = _open(), int(sys.argv[1])
    people.register(0)
    print("ready", flush=True)
    sys.stdin.readline()
    started_s = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(people.register, range(1, count + 1)))
    print(time.perf_counter() - started_s, flush=True)
    sys.stdin.readline()
    people.close()
