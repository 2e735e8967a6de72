"""A network behind HTTP: what a request may hold, what it is answered, and what runs it."""
