# The image of sls-exporter: a virtual environment, built in one stage and copied into the next.
#
# A tag moves. A release pins the base by the digest that the tag has at that time. To do the same,
# build with the digest that `docker buildx imagetools inspect python:3.13-slim-bookworm` shows:
#   docker build --build-arg BASE=python:3.13-slim-bookworm@sha256:… .
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
# If the build has it, bytecode is checked by the hash of its source, and not by the time of the
# source, which a build with rewritten timestamps changes.
ARG SOURCE_DATE_EPOCH
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/sls-exporter
# What is not of this project is what .ci locks, to the byte. Bytecode is compiled here, by pip: the
# file system of a container may be read-only. The entry point has an absolute path to the
# interpreter, so the environment is copied to the same place.
COPY .ci/requirements.txt .ci/build-requirements.txt ./
RUN python -m pip --python /opt/sls-exporter/bin/python install --compile --require-hashes \
        --only-binary :all: --requirement requirements.txt && \
    python -m pip install --require-hashes --only-binary :all: --requirement build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter ./exporter
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . && \
    python -m pip --python /opt/sls-exporter/bin/python install --compile --no-deps /wheel/*.whl

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=https://sls-exporter.example
LABEL org.opencontainers.image.title="sls-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the checkpoints of Alibaba Cloud SLS consumer groups" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.url="${SOURCE}"
COPY --from=build /opt/sls-exporter /opt/sls-exporter
# Logs appear at once, and nothing is written where nothing can be.
ENV PATH=/opt/sls-exporter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# Not a name but a number, so that Kubernetes can tell that it is not root.
USER 65532:65532
WORKDIR /etc/sls-exporter
EXPOSE 10027
STOPSIGNAL SIGTERM
ENTRYPOINT ["sls-exporter"]
CMD ["run", "--config.file=/etc/sls-exporter/config.yaml"]
