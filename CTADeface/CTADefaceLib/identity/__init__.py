"""Would a face detector still find the face, and a face recogniser the person? Optional and offline."""
