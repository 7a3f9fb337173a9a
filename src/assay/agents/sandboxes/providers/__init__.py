"""The kinds of sandboxes: on this machine by bubblewrap, or at E2B."""
