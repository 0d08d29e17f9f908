"""What joins the parts: what is explained, which images, and what is known of them."""
