"""CDA R2 documents, in and out: C-CDA, and the Chinese shared documents of WS/T 500 and WS/T 483."""
