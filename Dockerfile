# Images of gluon-glore: `serve` answers over HTTP, `train` trains on processes of Horovod.
#     docker build --tag gluon-glore:serve .
#     docker build --tag gluon-glore:train --target train .
# docs/docker.md says how they are run; each RUN is a step of tools/image.sh. What is installed is
# in the versions of constraints.txt. The base must have Python 3.11, the last that MXNet runs on.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS base
WORKDIR /opt/gluon-glore
COPY tools/image.sh ./tools/
RUN ["bash", "tools/image.sh", "base"]

FROM base AS train-build
COPY pyproject.toml README.md LICENSE constraints.txt requirements.txt requirements-gpu.txt ./
COPY tools/setup.sh tools/gpu_libs.sh ./tools/
COPY gluon_glore ./gluon_glore
# gpu: MXNet for CUDA 11 and NVIDIA's libraries in the place of the wheel for CPUs, and no Horovod.
ARG MXNET=cpu
RUN bash tools/image.sh train-build "$MXNET"

FROM base AS train
COPY --from=train-build /opt/gluon-glore ./
COPY train ./train
COPY symbols ./symbols
COPY configs ./configs
RUN ["bash", "tools/image.sh", "train"]
ENV PATH=/opt/gluon-glore/.venv/bin:$PATH
# Whoever runs it (docker run --user) can write there: Horovod and the zoo keep files.
ENV HOME=/tmp
# What NVIDIA's runtime brings into the container, where there is one.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000:1000
CMD ["python", "-m", "train.imagenet", "--help"]

FROM base AS serve-build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY gluon_glore ./gluon_glore
# Extras of pyproject.toml. An exported folder with an ONNX file needs no more than deploy.
ARG EXTRAS=deploy
RUN bash tools/image.sh serve-build "$EXTRAS"

FROM base AS serve
COPY --from=serve-build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
ENV HOME=/tmp
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import http.client; server = http.client.HTTPConnection('127.0.0.1', 8080, timeout=4); server.request('GET', '/health'); raise SystemExit(server.getresponse().status != 200)"]
ENTRYPOINT ["gluon-glore", "serve", "--host", "0.0.0.0"]
CMD ["/model"]
