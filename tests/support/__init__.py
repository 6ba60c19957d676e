"""What several test modules use; nothing here is a test."""
