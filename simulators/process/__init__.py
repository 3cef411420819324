"""Process models of the plant's areas: pure state and ``step(dt)``, no clock and no I/O; parameters carry their unit and source."""
