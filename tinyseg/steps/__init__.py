"""What tinyseg does, a file a verb, on a :class:`tinyseg.steps.session.Session`."""
