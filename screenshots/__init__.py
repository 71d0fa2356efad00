"""The console's pictures, and what they are drawn from: scenes, and a person who presses keys."""

import os

# Before Textual is imported: as the program itself has it (console/command.py).
os.environ.setdefault("TEXTUAL_FPS", "240")
