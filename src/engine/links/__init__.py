"""One file per wire to the outside."""
