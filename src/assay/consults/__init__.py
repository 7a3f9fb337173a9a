"""People in the loop: programs ask, people answer."""
