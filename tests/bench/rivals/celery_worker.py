"""Celery on RabbitMQ.

``python celery_worker.py COUNT`` enqueues; ``celery -A celery_worker worker`` works.
"""

import os
import sys

import requests
from celery import Celery
from psycopg_pool import ConnectionPool

PROVIDER_URL = os.environ["RIVAL_PROVIDER_URL"]

app = Celery("rival", broker=os.environ["RIVAL_BROKER_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_pool_limit=4,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
pool = ConnectionPool(os.environ["RIVAL_DATABASE_URL"], min_size=1, max_size=8, open=False)
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=32))


@app.task(name="send")
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
    with app.producer_pool.acquire() as producer:
        for one in range(int(sys.argv[1])):
            send.apply_async((one,), producer=producer)
