"""What containers of cloud services are asked for: SageMaker's contract of folders and files."""
