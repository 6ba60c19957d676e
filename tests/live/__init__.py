"""The examples on real servers: one scenario, each server, and many visitors at once."""
