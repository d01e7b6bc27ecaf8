"""The sandbox over HTTP: API, portal pages, webhook delivery and storage."""
