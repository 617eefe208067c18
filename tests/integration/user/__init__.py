"""The user service on real PostgreSQL and RabbitMQ."""
