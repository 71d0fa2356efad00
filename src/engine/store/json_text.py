"""JSON as it stands in the database: compact, and readable where it is Danish."""

import json

# One encoder for all: json.dumps with options builds a new one at every call.
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
