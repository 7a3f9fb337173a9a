# Written by `make client` from assay/client/asynchronous/__init__.py: change that.

"""The client for threads."""
