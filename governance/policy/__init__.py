"""Policy: packs of rules as data, checked and compiled into one function per action."""
