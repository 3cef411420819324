"""The program: its commands, its services as processes, and its settings."""

import os

# Before Arrow is loaded, which reads it once: its own allocator keeps tens of megabytes of an export for the next one. ``flat_memory`` has the rest.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
