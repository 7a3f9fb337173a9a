"""What people say to each other about a request."""
