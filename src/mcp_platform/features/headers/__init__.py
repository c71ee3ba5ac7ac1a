"""The header lines that tell browsers what our answers may do."""
