"""The query language of the session table: words, and terms such as `lr<=0.01 and not status=failed`."""
