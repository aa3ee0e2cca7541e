"""What can be taken out of the server as a file."""
