"""`zaiko doctor`. Each check is a function from what was read to findings, so that a test can make
it fail. The checks of a database and of a server's configuration are in `zaiko_server.doctor`."""
