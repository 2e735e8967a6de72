"""Does the file do on TensorFlow Lite Micro what the network did in Keras?"""
