"""The production line whole: engines as processes on PostgreSQL and RabbitMQ, everything else played around them."""
