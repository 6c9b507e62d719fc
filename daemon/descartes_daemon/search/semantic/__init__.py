"""Find what is like what was asked for; needs numpy, the extra `semantic`."""
