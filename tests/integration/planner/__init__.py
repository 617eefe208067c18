"""The planner on real PostgreSQL and RabbitMQ."""
