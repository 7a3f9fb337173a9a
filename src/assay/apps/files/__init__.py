"""Files that front ends upload."""
