"""Programs with clients of others, each a process that calls every operation of the exporter.

A program gets an endpoint below ``localhost``, the version of the signature, and in its environment
KEY_ID, KEY_SECRET, CURSOR and TOKEN, which can be empty. It prints one JSON document: for each
operation, the body of the response in ``ok``, or the code of the error in ``code``.
"""
