"""The command line, one module for each noun. stdout is data, stderr is talk, exit codes are in `exit_codes`."""
