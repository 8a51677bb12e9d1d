"""Files from the CRM, taken in row by row: nothing is lost, nothing is counted twice."""
