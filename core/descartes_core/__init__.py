"""What all parts share, without input or output."""

VERSION = "0.1.0"
