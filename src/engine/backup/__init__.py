"""A backup of a home: made while the engine works, tried without touching anything, and made a home again."""
