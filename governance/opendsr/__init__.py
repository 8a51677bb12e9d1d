"""OpenDSR 2.0 as a processor: requests that other controllers send, and what they are told."""
