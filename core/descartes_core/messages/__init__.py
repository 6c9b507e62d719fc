"""What crosses the doors, one file a subject."""
