"""`losswise server` and `losswise server-admin`."""
