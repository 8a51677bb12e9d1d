"""The cross-border gate: transfer mechanisms, flows, the kill switch, may data leave a country."""
