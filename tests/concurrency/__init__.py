"""What happens to sessions in a store when many requests meet, at full length: ``python -m tests.concurrency``."""
