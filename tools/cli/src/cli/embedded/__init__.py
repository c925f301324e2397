"""PostgreSQL and a Kafka broker as child processes, from wheels, without root, Docker or a network."""
