"""RabbitMQ: topology, publishing with confirms, consuming with manual acknowledgement."""

from libs.broker.messages import Delivery, Handler, Later, Reject
from libs.broker.publisher import Publisher, PublishError

__all__ = ["Delivery", "Handler", "Later", "PublishError", "Publisher", "Reject"]
