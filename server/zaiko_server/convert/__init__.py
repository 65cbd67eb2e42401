"""Convert records to protobuf messages and back, one module per noun. The functions are pure: what
a message shows beyond its record is an argument."""
