# Trains and serves: plain, and as SageMaker asks a container to. Build the wheel first:
#   python -m pip wheel --no-deps --wheel-dir dist . && docker build -t tinyseg .
FROM python:3.11-slim-bookworm
# The engine is compiled for the machine that it runs on, when it first runs.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY dist/*.whl constraints.txt /tmp/
RUN python -m pip install --no-cache-dir --constraint /tmp/constraints.txt "$(ls /tmp/tinyseg-*.whl)[cluster,s3]"
ENV PYTHONUNBUFFERED=1 TINYSEG_CACHE=/tmp/tinyseg
EXPOSE 8080
ENTRYPOINT ["python", "-m", "tinyseg.cloud.container"]
CMD ["serve"]
