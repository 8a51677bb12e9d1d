"""Connected systems: where else a person's data lies, and how they are read, erased and corrected there."""
