"""Values that front ends keep."""
