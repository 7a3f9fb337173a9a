"""The client for programs with an event loop; the one for threads is made from it."""
