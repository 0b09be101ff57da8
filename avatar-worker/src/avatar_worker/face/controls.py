"""The net's mouth controls, spelled in ARKit's words."""
