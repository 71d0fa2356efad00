"""Sundhedsagenten's engine: receives adviser, publishes them, collects kvitteringer, answers the hospital."""
