"""What people are shown of a photo: faces, and for some the label, are blurred."""
