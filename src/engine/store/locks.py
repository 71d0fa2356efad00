"""PostgreSQL's advisory locks are plain numbers; these are ours, in a database that is ours alone."""

WRITER_LOCK = 810_001
ENGINE_LOCK = 810_002
