"""Data subjects: their ids, contact points, attributes and standing; merge and split."""
