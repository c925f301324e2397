"""The routes under /_simulator/: what a test uses to see the truth and to make things happen. Not a part of ESI."""
