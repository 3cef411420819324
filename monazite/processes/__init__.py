"""One module a service: ``run(context)`` wires its parts and runs it until told to stop. Each is imported in its own process only."""
