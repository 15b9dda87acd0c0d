"""Starts and joins everything: the command line, the web application, the worker."""
