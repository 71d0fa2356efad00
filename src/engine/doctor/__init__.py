"""Looks whether a home can do its work, before production and when something is wrong; it changes and sends nothing."""
