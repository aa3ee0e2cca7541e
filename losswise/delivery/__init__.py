"""Send journals to the server exactly once: HTTP client, batching, retries, replay of journals of earlier runs."""
