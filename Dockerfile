# One image recipe for every service and the gateway: docker build --build-arg SERVICE=booking .
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS build
ARG SERVICE
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements.lock pyproject.toml ./
COPY libs/protos libs/protos
COPY libs/servicekit libs/servicekit
COPY gateway gateway
COPY services services
COPY tools/image tools/image
# Only what this member needs, at the locked versions and hashes: no embedded engine, no test tool.
RUN python tools/image/member.py requirements "${SERVICE}" > /tmp/requirements.txt \
    && python -m venv /app \
    && /app/bin/pip install --require-hashes --no-deps -r /tmp/requirements.txt \
    && python tools/image/member.py sources "${SERVICE}" /app

FROM python:${PYTHON}
ARG SERVICE
RUN groupadd --gid 10001 comptoir && useradd --uid 10001 --gid 10001 --no-create-home comptoir
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SERVICE=${SERVICE}
# Few arenas, and large blocks of their own: what a burst took goes back to the system.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576
USER 10001:10001
EXPOSE 7000 7100
ENTRYPOINT ["/bin/sh", "-c", "exec python -m \"$SERVICE\" \"$@\"", "--"]
CMD ["serve"]
