"""One module per `losswise` subcommand of the client."""
