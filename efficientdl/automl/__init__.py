"""Let a machine choose: architectures, compression, hardware, and recipes made of several steps."""
