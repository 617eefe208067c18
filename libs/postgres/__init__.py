"""PostgreSQL: pools, named statements, migrations, partitions."""
