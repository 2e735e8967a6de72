"""Show a run: one dict in; HTML, Markdown and JSON out."""
