"""Every speed figure that is quoted anywhere: each one a ratio to a raw baseline of the same run. ``make bench``."""
