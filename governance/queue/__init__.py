"""Due slots: work that is to be done once, whoever is there to do it."""
