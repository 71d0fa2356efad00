"""The views and what opens from them, one file each."""
