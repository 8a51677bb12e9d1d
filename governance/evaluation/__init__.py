"""One question in the words of AuthZEN goes to the gate that answers it."""
