"""The formats: pure functions over bytes."""
