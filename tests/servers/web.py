"""An ASGI application on 127.0.0.1 for a test, with TLS where a certificate is given."""

from engine.simulation.serving import serving

__all__ = ["serving"]
