"""ESI's routes: each module answers for one part of the API with plain functions from a request to a reply."""
