"""The terminal in which the hotline and the administrators work; knows the engine by its public face."""
