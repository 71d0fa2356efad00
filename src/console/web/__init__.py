"""The console in a browser: a server on this machine alone, and one console for each who looks."""
