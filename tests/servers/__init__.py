"""Real servers for the tests: started when a test first needs one, stopped when the run is over."""
