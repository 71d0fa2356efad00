"""What the pages are made of: a table of any length, a sheet of toned text, and the lines around them."""
