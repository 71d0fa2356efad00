"""Tables and migrations, one transaction at a time, sealed payloads."""
