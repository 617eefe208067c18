"""Dramatiq on RabbitMQ, threads.

``python dramatiq_worker.py COUNT`` enqueues; ``dramatiq dramatiq_worker`` works.
"""

import os
import sys

import dramatiq
import requests
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from psycopg_pool import ConnectionPool

PROVIDER_URL = os.environ["RIVAL_PROVIDER_URL"]

broker = RabbitmqBroker(url=os.environ["RIVAL_BROKER_URL"])
dramatiq.set_broker(broker)
pool = ConnectionPool(os.environ["RIVAL_DATABASE_URL"], min_size=1, max_size=8, open=False)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=16))


@dramatiq.actor
def send(number: int) -> None:
    """Send one mail and keep the answer."""
    mail = {"email": f"ada{number}@example.com", "message": f"Hey, Ada Number {number}"}
    answer = session.post(PROVIDER_URL, json=mail, timeout=30).json()
    pool.open()
    with pool.connection() as connection:
        connection.execute(
            "INSERT INTO results (number, message_id) VALUES (%s, %s)",
            (number, answer["messageId"]),
        )


if __name__ == "__main__":
    for one in range(int(sys.argv[1])):
        send.send(one)
