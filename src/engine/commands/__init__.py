"""The command line, one file per noun; nothing but asking and showing."""
