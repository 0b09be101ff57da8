"""From one photo to the rig, the textures and the whole portrait avatar."""
