"""What the public edition may tell: no small count, no sexual offense by place, no site."""
