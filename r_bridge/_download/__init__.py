"""PharmacoSets from the network: ORCESTRA's catalogue, and downloads that can be resumed."""
