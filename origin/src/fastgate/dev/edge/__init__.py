"""The local edge: the programs of the wheel `fastgate-edge`, its manifest, and its process."""
