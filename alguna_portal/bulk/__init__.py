"""Management commands that call the API for many customers: rate-limited, in worker threads, and interruptible."""
