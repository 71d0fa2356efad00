"""What people do: administer, look up, trace."""
