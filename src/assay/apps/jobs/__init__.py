"""Jobs as the front ends see them."""
