"""The storage service: bytes on disk or in a bucket, behind one interface."""
