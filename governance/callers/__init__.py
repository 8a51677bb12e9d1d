"""Who may ask: the components that hold client credentials, and the tokens that were taken back."""
