"""`tf.contrib`: what of it lives on, here or in packages of others."""
