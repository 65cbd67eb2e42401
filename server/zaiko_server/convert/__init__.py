"""Records to protobuf messages and back, one module per noun. Pure: what a message shows beyond its
record comes as an argument."""
