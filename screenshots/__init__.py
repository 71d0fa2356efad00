"""Pictures of the console, made from the simulation; see make.py."""
