"""The Train screen without Flask: the form in an address, its fields, its mistakes, and the same in code."""
